"""Make any config of ours small enough to train and test a step in about a second."""

import copy
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict

from mmattn.models.backbones.vgg import VGG
from mmattn.registry import MODELS
from mmattn.testing import ava
from mmattn.testing.data import FEATURE_CHANNELS, NUM_CLASSES, NUM_FRAMES

CROP = 32
CLIP = 8
WINDOW = 3


@dataclass
class Context:
    """What the rules of one config share.

    Args:
        data: Folder of :func:`mmattn.testing.make_tiny_data`.
        channels: Channels that the backbone hands to the head.
        crop: Height and width of the network's input.
    """

    data: Path
    channels: int = FEATURE_CHANNELS
    crop: int = CROP


def shrink(cfg: Config, data: str | Path) -> Config:
    """Return a copy of a config with width, size, frames, classes and data shrunk.

    Args:
        cfg: Config of a recognizer.
        data: Folder made by :func:`mmattn.testing.make_tiny_data`.

    Returns:
        A config that trains one iteration and tests on the tiny data.

    Raises:
        ValueError: If the config holds a component of ours, or a backbone or head,
            that no rule covers.
    """
    cfg = copy.deepcopy(cfg)
    context = Context(Path(data))
    if 'roi_head' in cfg.model:  # whole frames, of which regions are pooled
        context.crop = 2 * CROP
    cfg.model.pop('init_cfg', None)
    for part in ('backbone', 'neck', 'cls_head', 'rpn_head', 'roi_head'):
        if part == 'backbone' and 'reduction' in cfg.model:
            _reduction_model(cfg.model, context)
        elif part in cfg.model:
            _apply(MODEL_RULES, cfg.model[part], context, f'model.{part}')
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        dataset = loader.dataset
        point_to_data(dataset, data)
        _shrink_pipeline(dataset.pipeline, context)
    for split in ('val', 'test'):
        evaluators = cfg[f'{split}_evaluator']
        for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
            EVALUATOR_RULES.get(evaluator['type'], lambda *_: None)(evaluator, context)
    for name in ('train_pipeline', 'val_pipeline', 'test_pipeline'):
        _shrink_pipeline(cfg.get(name, []), context)
    _shrink_schedule(cfg)
    return cfg


def point_to_data(dataset: Any, data: str | Path) -> None:
    """Let a data set's config name tiny data, in place.

    Args:
        dataset: Config of a data set.
        data: Folder made by :func:`mmattn.testing.make_tiny_data`.

    Raises:
        ValueError: If no rule covers the data set.
    """
    _apply(DATASET_RULES, dataset, Context(Path(data)), 'dataset')


def _apply(rules: dict[str, Callable], node: Any, context: Context, key: str) -> None:
    if node['type'] not in rules:
        raise ValueError(
            f'{key}: expected a type that mmattn.testing.shrink has a rule for '
            f'({", ".join(sorted(rules))}), got {node["type"]}'
        )
    rules[node['type']](node, context)


def _shrink_pipeline(pipeline: list, context: Context) -> None:
    for step in pipeline:
        PIPELINE_RULES.get(step['type'], lambda *_: None)(step, context)


def _shrink_schedule(cfg: Config) -> None:
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.update(max_iters=2, val_interval=2)
        cfg.default_hooks.checkpoint.interval = 2
    else:
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.logger.interval = 1
    cfg.visualizer.vis_backends = []


def _vgg(node: Any, context: Context) -> None:
    base_channels = 4
    node.update(base_channels=base_channels, fc_channels=FEATURE_CHANNELS)
    node.pop('init_cfg', None)
    context.channels = FEATURE_CHANNELS
    if not node.get('out', 'fc6').startswith('fc'):  # convN or poolN
        context.channels = VGG.stages[node.out] * base_channels // 64


def _cut(node: Any, context: Context) -> None:
    """End a deep network early."""
    node['out'] = CUTS[node.type]
    node.pop('init_cfg', None)
    context.channels = MODELS.get(node.type).stages[node.out]


def _attention_backbone(node: Any, context: Context) -> None:
    """Keep every place, and maps there of at least 2^t pixels.

    In the deep networks the first place has a map of a ninth of the frame.
    """
    net = node.backbone
    _apply(MODEL_RULES, net, context, 'model.backbone.backbone')
    if net.type in CUTS:
        del net['out']
        # Statistics that stay as they are need the pretrained weights.
        net.update(base_channels=4, partial_bn=False)
        first, *_, last = MODELS.get(net.type).stages.values()
        context.channels = last * 4 // first
    halvings = [entry.module.get('t', 1) for entry in node.attentions]
    context.crop = max(CROP, 12 * 2 ** max(halvings))


def _inception_i3d(node: Any, context: Context) -> None:
    node.update(base_channels=4)
    node.pop('init_cfg', None)
    context.channels = 64


def _resnext3d(node: Any, context: Context) -> None:
    node.update(depth=50, base_channels=4, cardinality=2)
    node.pop('init_cfg', None)
    context.channels = 128


def _reduction_model(model: Any, context: Context) -> None:
    """Narrow the whole network, since the stages to tap may be anywhere in it."""
    _apply(NARROW_RULES, model.backbone, context, 'model.backbone')
    model.backbone.pop('init_cfg', None)
    context.crop, shapes = _stage_shapes(json.dumps(model.backbone))
    context.channels = [*shapes.values()][-1][0]
    taps = [shapes[name] for name in model.reduction.taps]
    module = model.reduction.module
    if 'in_channels' in module:
        module.in_channels = [channels for channels, *_ in taps]
    if module.get('top_size'):
        module.top_size = tuple(taps[-1][1:])


@functools.cache
def _stage_shapes(backbone: str) -> tuple[int, dict[str, torch.Size]]:
    """Side of the frames, and shape (C, h, w) of each stage's map; takes JSON."""
    with torch.device('meta'):  # shapes only
        net = MODELS.build(ConfigDict(json.loads(backbone))).eval()
        net.out = net.stage_names
        crop = max(CROP, net.smallest_input(net.stage_names))
        maps = net(torch.empty(1, net.in_channels, crop, crop))
    return crop, {name: x.shape[1:] for name, x in zip(net.out, maps, strict=True)}


def _stored_features(node: Any, context: Context) -> None:
    context.channels = FEATURE_CHANNELS


def _temporal_lstm_head(node: Any, context: Context) -> None:
    node.update(
        num_classes=NUM_CLASSES,
        in_channels=context.channels,
        num_segments=WINDOW,
        test_steps=2,
        lstm=dict(node.get('lstm') or {}, num_steps=4, hidden_channels=8),
    )


def _convlstm_head(node: Any, context: Context) -> None:
    node.update(
        num_classes=NUM_CLASSES,
        in_channels=context.channels,
        num_segments=WINDOW,
        recurrence=dict(
            node.get('recurrence') or {}, hidden_channels=5, feature_size=(1, 1)
        ),
    )


def _linear_head(node: Any, context: Context) -> None:
    node.update(num_classes=NUM_CLASSES, in_channels=context.channels)


def _resnet3d(node: Any, context: Context) -> None:
    num_stages = node.get('num_stages', 4)
    node.update(depth=18, base_channels=2, inflate=(1,) * num_stages)
    context.channels = 2**num_stages


def _rpn_head(node: Any, context: Context) -> None:
    node.update(in_channels=context.channels, feat_channels=8)
    node.anchor_generator.scales = [1, 2]


def _action_roi_head(node: Any, context: Context) -> None:
    width = context.channels
    if node.get('shared_head'):
        shared = node.shared_head
        shared.in_channels = width
        shared.channels = width // 2 if shared.get('channels') else None
        width = MODELS.build(shared).out_channels
    node.bbox_roi_extractor.output_size = 3
    node.bbox_head.update(in_channels=width, num_classes=NUM_CLASSES + 1, topk=())


CUTS = {
    'mmattn.BNInception': 'inception_3c',
    'mmattn.InceptionResNetV2': 'mixed_5b',
    'mmattn.InceptionV3': 'mixed_5d',
}

MODEL_RULES: dict[str, Callable[[Any, Context], None]] = {
    'I3DHead': _linear_head,
    'mmattn.AttentionBackbone': _attention_backbone,
    'mmattn.BNInception': _cut,
    'mmattn.ConvLSTMHead': _convlstm_head,
    'mmattn.InceptionI3D': _inception_i3d,
    'mmattn.InceptionResNetV2': _cut,
    'mmattn.InceptionV3': _cut,
    'mmattn.ResNeXt3D': _resnext3d,
    'mmattn.StoredFeatures': _stored_features,
    'mmattn.TemporalLSTMHead': _temporal_lstm_head,
    'mmattn.VGG': _vgg,
    'mmaction.ResNet3d': _resnet3d,
    'mmattn.ActionRoIHead': _action_roi_head,
    'RPNHead': _rpn_head,
    'TSNHead': _linear_head,
    'mmattn.MultiLabelTSNHead': _linear_head,
}

NARROW_RULES: dict[str, Callable[[Any, Context], None]] = {
    # With normalizations fixed, features of random weights grow from block to block.
    'mmattn.BNInception': lambda node, _: node.update(
        base_channels=2, partial_bn=False
    ),
    'mmattn.InceptionResNetV2': lambda node, _: node.update(
        base_channels=2, partial_bn=False
    ),
    'mmattn.VGG': _vgg,
}


def _list_rule(kind: str, prefix: str) -> Callable[[Any, Context], None]:
    def rule(node: Any, context: Context) -> None:
        node.ann_file = str(context.data / f'{kind}.txt')
        node.data_prefix = {prefix: str(context.data / kind)}
        node.num_classes = NUM_CLASSES

    return rule


def _frame_list(node: Any, context: Context) -> None:
    if node.get('modality') != 'Flow':
        raise ValueError('dataset: expected modality Flow for jpg frames in shrink')
    _list_rule('flow', 'img')(node, context)


def _ava(node: Any, context: Context) -> None:
    folder = context.data / 'ava'
    _frame_map(node, context)
    node.update(
        data_prefix=dict(
            img=str(folder / ('frames' if node.get('use_frames', True) else 'videos'))
        ),
        num_classes=NUM_CLASSES + 1,
        fps=ava.FPS,
        timestamp_start=ava.START,
        timestamp_end=ava.END,
    )
    if node.get('proposal_file') is not None:
        node.proposal_file = str(folder / 'proposals.pkl')


def _frame_map(node: Any, context: Context) -> None:
    folder = context.data / 'ava'
    node.update(
        ann_file=str(folder / 'truth.csv'),
        exclude_file=str(folder / 'excluded.csv'),
        label_file=str(folder / 'labels.pbtxt'),
    )


EVALUATOR_RULES: dict[str, Callable[[Any, Context], None]] = {
    'mmattn.FrameMAP': _frame_map,
}

DATASET_RULES: dict[str, Callable[[Any, Context], None]] = {
    'mmattn.ActionDetectionDataset': _ava,
    'mmattn.ActionFrameDataset': _frame_list,
    'mmattn.ActionVideoDataset': _list_rule('videos', 'video'),
    'mmattn.FeatureDataset': _list_rule('features', 'feature'),
}


def _resize(step: Any, context: Context) -> None:
    if step.get('keep_ratio', True):
        step['scale'] = (-1, context.crop + 4)
    else:
        step['scale'] = (context.crop,) * 2


def _sample_frames(step: Any, _: Context) -> None:
    step['num_clips'] = min(step['num_clips'], 2)
    step['clip_len'] = min(step['clip_len'], CLIP)


def _sample_windows(step: Any, _: Context) -> None:
    if step.get('window_frames', 30) > 1:
        step['window_frames'] = WINDOW
    else:  # clips one after the other: equally many of every video, for the batch
        step.update(clip_len=CLIP, stride=max(NUM_FRAMES))


def _sample_ava_frames(step: Any, _: Context) -> None:
    step.update(clip_len=8, frame_interval=1)


def _sample_spaced_frames(step: Any, _: Context) -> None:
    step.update(num_frames=WINDOW)


def _crop_rule(key: str) -> Callable[[Any, Context], None]:
    return lambda step, context: step.update({key: context.crop})


PIPELINE_RULES: dict[str, Callable[[Any, Context], None]] = {
    'CenterCrop': _crop_rule('crop_size'),
    'MultiScaleCrop': _crop_rule('input_size'),
    'RandomCrop': _crop_rule('size'),
    'Resize': _resize,
    'SampleFrames': _sample_frames,
    'TenCrop': _crop_rule('crop_size'),
    'mmattn.FlowTenCrop': _crop_rule('crop_size'),
    'mmattn.SampleAVAFrames': _sample_ava_frames,
    'mmattn.SampleAroundSecond': lambda step, _: step.update(clip_len=CLIP),
    'mmattn.SampleSpacedFrames': _sample_spaced_frames,
    'mmattn.SampleWindows': _sample_windows,
}
