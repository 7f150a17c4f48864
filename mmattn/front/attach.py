"""Put an attention module into a trained network of MMAction2's, by a config."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from mmengine.config import Config
from torch import nn

from mmattn.attention.token_places import input_shape, token_map
from mmattn.inference.find import is_weights
from mmattn.inference.models import load_model
from mmattn.models.backbones.trial_run import (
    PlaceShapes,
    called_places,
    run_on_zeros,
)
from mmattn.utils.configs import find_config, host_configs_root
from mmattn.utils.files import write_text

PACKS = {'PackActionInputs': 'mmattn.PackClipInputs'}
RECOGNIZERS = {'Recognizer2D': 'mmattn.SegmentRecognizer'}
PIPELINES = ('train_pipeline', 'val_pipeline', 'test_pipeline')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class Module(NamedTuple):
    """An attention module that keeps the shape of a map.

    Args:
        does: What it does, in one line.
        config: Its config.
        fades: Whether it has to be faded in to leave the network as it is at first;
            False for modules that do so by themselves.
        frames_only: Whether it takes maps (N, C, H, W) alone.
    """

    does: str
    config: dict[str, Any]
    fades: bool = True
    frames_only: bool = False


CATALOGUE = {
    'stbta': Module(
        'hourglass with gates of places, frames and channels (ICIG 2019)',
        dict(type='mmattn.STBTA', zero_init=True),
        fades=False,
    ),
    'sam1': Module(
        'gate of places, from mean and maximum of the channels (ICIG 2019)',
        dict(type='mmattn.SpatialAttentionI'),
    ),
    'sam2': Module(
        'weights of a 3 x 3 grid of cells in each channel (ICIG 2019)',
        dict(type='mmattn.SpatialAttentionII'),
    ),
    'tam': Module('gate of frames (ICIG 2019)', dict(type='mmattn.TemporalAttention')),
    'se': Module('gate of channels', dict(type='mmattn.SqueezeExcitation')),
    'eca': Module(
        'gate of channels, from their neighbors',
        dict(type='mmattn.EfficientChannelAttention'),
    ),
    'cbam': Module(
        'gate of channels, then of places', dict(type='mmattn.ConvBlockAttention')
    ),
    'gcnet': Module(
        'context of all places, added to each',
        dict(type='mmcv.cnn.ContextBlock', ratio=1 / 16),
        fades=False,
        frames_only=True,
    ),
    'non_local': Module(
        'each place looks at all others, of all frames in a 3D network',
        dict(type='mmcv.cnn.NonLocal2d', reduction=2),
        fades=False,
    ),
}
ELSEWHERE = dict(
    pyramid='makes one map of several stages: use mmattn.ReductionRecognizer',
    temporal_lstm='is a head that reads vectors: use mmattn.FrameRecognizer',
    convlstm='is a head that reads maps: use mmattn.FrameRecognizer',
    slowfast_attn='reads the regions of persons: use mmattn.ActionRoIHead',
)


def attach(
    config: str | Path,
    attention: str,
    place: str,
    *,
    when: str = 'before',
    num_classes: int | None = None,
    weights: str | None = None,
) -> Config:
    """Return the config of a network with an attention module in it.

    Args:
        config: Config, or its name, of ours or of MMAction2's.
        attention: A name of ``CATALOGUE``.
        place: Module of the backbone, such as ``'layer3'``.
        when: ``'before'`` or ``'after'`` it.
        num_classes: Classes of a new classifier; None keeps the old one.
        weights: What training starts from, ``'none'`` for nothing; None for the
            published weights of MMAction2's config.

    Raises:
        ValueError: If the module or place does not exist, or it cannot go there.
    """
    path = find_config(config)
    cfg = Config.fromfile(path)
    module = _module(attention)
    backbone = cfg.model.get('backbone')
    if backbone is None or backbone.type == 'mmattn.AttentionBackbone':
        raise ValueError(
            f'{path}: expected a model with a backbone without attention, got '
            f'{"none" if backbone is None else backbone.type}'
        )
    if backbone.get('pretrained'):
        backbone.pretrained = None  # the whole model is loaded
    bare = load_model(cfg).backbone
    shape = input_shape(bare)
    shapes = _shapes(bare, place, shape)
    fitted = _fitted(attention, module, bare, shapes, when, place)
    cfg.model.backbone = dict(
        type='mmattn.AttentionBackbone',
        backbone=backbone,
        attentions=[{when: place, 'module': fitted}],
    )
    if shape is not None:
        cfg.model.backbone.input_shape = shape
    cfg.model.type = RECOGNIZERS.get(cfg.model.type, cfg.model.type)
    for steps in _pipelines(cfg):
        for step in steps:
            step.type = PACKS.get(step.type, step.type)
    if num_classes is not None:
        _new_classifier(cfg, num_classes)
    _import_ours(cfg)
    chosen = published_weights(path) if weights is None else weights
    cfg.load_from = None if chosen == 'none' else chosen
    return cfg


def published_weights(config: Path) -> str | None:
    """Return the address of the weights that MMAction2 publishes for a config of its.

    Args:
        config: Path of the config.
    """
    root = host_configs_root()
    if root is None or root not in config.parents:
        return None
    for metafile in sorted(config.parent.glob('metafile.yml')):
        content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
        for model in content.get('Models', ()):
            if Path(model['Config']).name == config.name and model.get('Weights'):
                return str(model['Weights'])
    return None


def write_config(cfg: Config, out: str | Path, command: str) -> Path:
    """Write a config that stands alone.

    Args:
        cfg: The config.
        out: File that ends in ``.py``.
        command: What it was made by, for the first line.

    Raises:
        ValueError: If the name ends otherwise, as that of weights does.
    """
    path = Path(out)
    if path.suffix != '.py' or is_weights(path.name):
        raise ValueError(f'--out: expected a name ending in .py, got {out}')
    return write_text(path, f'# Made by: {command}\n{cfg.pretty_text}')


def _module(name: str) -> Module:
    if name in ELSEWHERE:
        raise ValueError(
            f'--attention: expected a module that keeps the shape of a map '
            f'({", ".join(CATALOGUE)}), got {name}, which {ELSEWHERE[name]}'
        )
    if name not in CATALOGUE:
        raise ValueError(
            f'--attention: expected one of {", ".join(CATALOGUE)}, got {name!r}'
        )
    return CATALOGUE[name]


def _shapes(
    backbone: nn.Module, place: str, shape: Sequence[int] | None
) -> PlaceShapes:
    """What passes the places of the bare backbone."""
    shapes = PlaceShapes()
    run_on_zeros(backbone, shapes, shape)
    if place not in shapes:
        raise ValueError(
            f'place: expected one of {called_places(backbone, shapes)} or a module '
            f'inside of them, got {place!r}'
        )
    return shapes


def _fitted(
    name: str,
    module: Module,
    backbone: nn.Module,
    shapes: PlaceShapes,
    when: str,
    place: str,
) -> dict[str, Any]:
    shapes.channels(when, place)  # refuses what is no map
    dims = shapes.dims(when, place)
    tokens = token_map(backbone, place) if dims == 3 and when == 'before' else None
    if dims not in (4, 5) and tokens is None:
        raise ValueError(
            f'--attention: expected maps {when} {place} for {name}, got a tensor of '
            f'{dims} axes; in MViT, ViT and TimeSformer attention goes before a block'
        )
    config = dict(module.config)
    if name == 'non_local' and dims != 4:
        config['type'] = 'mmcv.cnn.NonLocal3d'
    one_by_one = module.frames_only and dims != 4
    if module.fades or one_by_one:
        start = 0.0 if module.fades else 1.0  # whose own start is the identity
        faded = dict(type='mmattn.FadeIn', module=config, start=start)
        config = faded | (dict(per_frame=True) if one_by_one else {})
    if tokens is None:
        return config
    return dict(type='mmattn.TokenAttention', module=config, **tokens._asdict())


def _pipelines(cfg: Config) -> Iterator[list[Any]]:
    for name in PIPELINES:
        if cfg.get(name):
            yield cfg[name]
    for name in LOADERS:
        dataset = (cfg.get(name) or {}).get('dataset') or {}
        if dataset.get('pipeline'):
            yield dataset['pipeline']


def _new_classifier(cfg: Config, num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(f'--classes: expected 2 or more, got {num_classes}')
    roi_head = cfg.model.get('roi_head')
    head = cfg.model.cls_head if roi_head is None else roi_head.bbox_head
    head.num_classes = num_classes
    if roi_head is None and num_classes <= 5:
        head.topk = 1  # of few classes, one of the five best always is right


def _import_ours(cfg: Config) -> None:
    imports = list((cfg.get('custom_imports') or {}).get('imports') or ())
    if 'mmattn' not in imports:
        imports.append('mmattn')
    cfg.custom_imports = dict(imports=imports, allow_failed_imports=False)
