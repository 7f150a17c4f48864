"""The one loader of models, recognizers and detectors alike."""

import contextlib
import copy
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmattn.compat import require_detection
from mmattn.inference.find import ModelFiles, find_model
from mmattn.models.memory_layout import to_channels_last
from mmattn.models.weights.checks import require_weights
from mmattn.models.weights.pretrained import read_weights
from mmattn.registry import check_arguments
from mmattn.utils.configs import uses_detection
from mmattn.utils.logs import quiet_log
from mmattn.utils.text import read_class_names


def load_model(
    model: str | Path | Config,
    weights: str | Path | None = None,
    *,
    device: str | torch.device = 'cpu',
    options: dict[str, Any] | None = None,
    untrained: bool = False,
) -> Any:
    """Build a model in eval mode, with its config as ``cfg``.

    Args:
        model: Work folder, checkpoint that carries its config, config or its name, see
            :func:`mmattn.inference.find.find_model`.
        weights: Weights of a config; None leaves the initial ones, as they were built.
        device: Device such as ``'cuda:0'``.
        options: Values to merge into the config, as ``--cfg-options`` gives.
        untrained: Initialize a model without weights as before training, with the seed
            0; its scores mean nothing.

    Raises:
        ImportError: If it needs mmdet, which is not installed.
        TypeError: If an argument of a component of ours is of another type.
        ValueError: If the model is not found, the weights are those of another one, or
            the config is for two streams.
    """
    files = find_model(model, weights)
    return build_model(files, device=device, options=options, untrained=untrained)


def build_model(
    files: ModelFiles,
    *,
    device: str | torch.device = 'cpu',
    options: dict[str, Any] | None = None,
    untrained: bool = False,
) -> Any:
    """Build what :func:`mmattn.inference.find.find_model` has found.

    Args:
        files: Config and weights.
        device: See :func:`load_model`, as the other arguments.
        options: The same.
        untrained: The same.
    """
    cfg = copy.deepcopy(files.cfg)
    cfg.merge_from_dict(options or {})
    if 'model' not in cfg:
        raise ValueError(f'{files.name}: expected a config with a model, got none')
    _forget_pretraining(cfg.model)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    if uses_detection(cfg.model):
        require_detection()
    check_arguments({'model': cfg.model})
    quiet = quiet_log(logging.WARNING) if untrained else contextlib.nullcontext()
    with torch.random.fork_rng(enabled=untrained), quiet:
        if untrained:
            torch.manual_seed(0)
        network = MODELS.build(cfg.model)
        if not hasattr(network, 'backbone'):
            raise ValueError(
                f'config: expected a model of one stream, got '
                f'{type(network).__name__}: give the config and the weights of each '
                'stream'
            )
        if untrained and files.weights is None:
            _read_no_file(network)
            network.init_weights()
    if files.weights is not None:
        with quiet_log(logging.WARNING):
            found = read_weights(files.weights, prefixes=('module.',))
        require_weights(network, found, files.weights)
        network.load_state_dict(found, strict=False)  # more than needed is no fault
    if cfg.get('channels_last'):
        to_channels_last(network)
    network.cfg, network.classes = cfg, files.classes
    if str(device) != 'cpu':  # a model on the meta device stays there
        network.to(device)
    return network.eval()


def load_models(
    named: Sequence[Sequence[str]], *, device: str | torch.device = 'cpu'
) -> dict[str, Any]:
    """Load models, each by a name of its own.

    Args:
        named: Words for each, as :func:`mmattn.inference.find.find_model` takes them:
            a model, and its weights where it is a config.
        device: See :func:`load_model`.

    Raises:
        ValueError: As of :func:`load_model`, or if a config has no weights.
    """
    models = {}
    for number, words in enumerate(named, 1):
        if len(words) > 2:
            raise ValueError(f'expected a model and its weights, got {list(words)}')
        files = find_model(*words)
        if files.weights is None:
            raise ValueError(f'{words[0]}: expected its weights behind it, got none')
        name = files.name if len(named) == 1 else f'{number} {files.name}'
        models[name] = build_model(files, device=device)
    return models


def num_classes(network: Any) -> int:
    """Return how many classes a model tells apart, the background included.

    Args:
        network: Recognizer or detector.
    """
    if hasattr(network, 'num_classes'):
        return network.num_classes
    roi_head = getattr(network, 'roi_head', None)
    head = network.cls_head if roi_head is None else roi_head.bbox_head
    return head.num_classes


def names_of_classes(
    network: Any, classes: Sequence[str] | str | Path | None = None
) -> tuple[str, ...]:
    """Return the names of a model's classes, ``class 0`` and so on where unknown.

    Args:
        network: Recognizer or detector, whose first class is the background.
        classes: Names, or a text file with a name per line; by default those that the
            model's checkpoint tells.

    Raises:
        ValueError: If there are more or fewer names than classes.
    """
    count = num_classes(network)
    if isinstance(classes, (str, Path)):
        return tuple(read_class_names(classes, count))
    found = classes
    if found is None:
        found = getattr(network, 'classes', None)
        if found and is_detector(network):
            found = ('background', *found)
    if found is None:
        return tuple(f'class {k}' for k in range(count))
    if len(found) != count:
        raise ValueError(
            f'classes: expected the names of {count} classes, got {len(found)} names'
        )
    return tuple(map(str, found))


def is_detector(network: Any) -> bool:
    """Say whether a model looks at regions.

    Args:
        network: The model.
    """
    return hasattr(network, 'roi_head')


def class_explained(network: Any, scores: Any, wanted: int | None) -> int:
    """Return the number of the class to explain, by default the one predicted.

    Args:
        network: Recognizer or detector, whose first class is the background.
        scores: Score of each class, (K,).
        wanted: The class, or None.

    Raises:
        ValueError: If there is no such class.
    """
    if wanted is None:
        first = int(is_detector(network))
        return first + int(scores[first:].argmax())
    if not 0 <= wanted < len(scores):
        raise ValueError(f'class_index: expected 0 to {len(scores) - 1}, got {wanted}')
    return wanted


@contextlib.contextmanager
def probabilities(model: Any) -> Iterator[None]:
    """Let a recognizer give the mean probability of its clips, not their score.

    Args:
        model: Recognizer; of a detector nothing changes.
    """
    head = getattr(model, 'cls_head', None)
    if head is None or not hasattr(head, 'average_clips'):
        yield
        return
    kept, head.average_clips = head.average_clips, 'prob'
    try:
        yield
    finally:
        head.average_clips = kept


def _forget_pretraining(model: Any) -> None:
    """What a checkpoint holds need not be downloaded before."""
    model.pop('init_cfg', None)
    backbone = model.get('backbone')
    if isinstance(backbone, dict) and backbone.get('pretrained'):
        backbone['pretrained'] = None


def _read_no_file(network: Any) -> None:
    """TSM would read one even if no pretraining is left."""
    for module in network.modules():
        if getattr(module, 'pretrained2d', False):
            module.pretrained2d = bool(module.pretrained)
