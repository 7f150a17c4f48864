"""Wrong arguments for the constructors of all registered components."""

import inspect
import math
import random
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope

from mmattn.datasets import SeededSampler
from mmattn.registry import REGISTRIES, CheckedRegistry

TINY_VGG = dict(type='mmattn.VGG', depth=11, fc_channels=8, input_size=32)
TINY_LSTM = dict(
    type='mmattn.TemporalLSTMHead',
    num_classes=3,
    in_channels=8,
    num_segments=4,
    lstm=dict(num_steps=4, hidden_channels=5),
    test_steps=2,
)
TINY_TSN = dict(
    type='mmattn.SegmentRecognizer',
    backbone=TINY_VGG,
    cls_head=dict(type='TSNHead', num_classes=3, in_channels=8),
)
ROI_HEAD = dict(
    bbox_roi_extractor=dict(
        type='SingleRoIExtractor3D', output_size=3, featmap_stride=16
    ),
    bbox_head=dict(type='mmattn.ActionBBoxHead', in_channels=8, topk=()),
)
VIDEOS = dict(
    ann_file='{data}/videos.txt',
    pipeline=[],
    data_prefix=dict(video='{data}/videos'),
)
FLOW = dict(
    ann_file='{data}/flow.txt',
    pipeline=[],
    data_prefix=dict(img='{data}/flow'),
    modality='Flow',
)
GIVEN = {  # what cannot do without arguments
    'SpatialSelfAttention': dict(in_channels=8),
    'TemporalSelfAttention': dict(in_channels=8),
    'SlowFastAttention': dict(in_channels=8, channels=8),
    'SlowFastSharedHead': dict(in_channels=8, channels=8),
    'SqueezeExcitation': dict(in_channels=16),
    'EfficientChannelAttention': dict(in_channels=16),
    'ConvBlockAttention': dict(in_channels=16),
    'FadeIn': dict(in_channels=16, module=dict(type='mmattn.SqueezeExcitation')),
    'TokenAttention': dict(
        in_channels=16,
        module=dict(type='mmattn.SqueezeExcitation'),
        grid=(2, 3, 5),
    ),
    'Hourglass': dict(in_channels=8),
    'STBTA': dict(in_channels=16),
    'SpatialAttentionII': dict(in_channels=8),
    'AttentionBackbone': dict(
        backbone=dict(type='mmattn.VGG', depth=11, out='conv5'),
        attentions=[dict(after='conv5', module=dict(type='mmattn.SpatialAttentionI'))],
    ),
    'BNInception': dict(base_channels=8),
    'InceptionV3': dict(base_channels=8),
    'InceptionResNetV2': dict(base_channels=8),
    'InceptionI3D': dict(base_channels=8),
    'ResNeXt3D': dict(depth=50, base_channels=64),
    'VGG': dict(depth=11, fc_channels=8, input_size=32),
    'ConvLSTMHead': dict(
        num_classes=3,
        in_channels=8,
        num_segments=4,
        recurrence=dict(hidden_channels=4),
    ),
    'MultiLabelTSNHead': dict(num_classes=3, in_channels=8),
    'TemporalLSTMHead': {k: v for k, v in TINY_LSTM.items() if k != 'type'},
    'SlowFastClipHead': dict(num_classes=3, in_channels=8),
    'AttentionNeck': dict(in_channels=8, module=dict(type='mmattn.SpatialAttentionI')),
    'PyramidAttentionNeck': dict(in_channels=(4, 8), top_size=(4, 4)),
    'FrameRecognizer': dict(backbone=TINY_VGG, cls_head=TINY_LSTM),
    'ReductionRecognizer': dict(
        backbone=dict(type='mmattn.VGG', depth=11, out='conv5'),
        cls_head=dict(type='I3DHead', num_classes=3, in_channels=512),
        reduction=dict(taps=('conv2',), module=dict(type='mmattn.FrameMean')),
    ),
    'SegmentRecognizer': {k: v for k, v in TINY_TSN.items() if k != 'type'},
    'TwoStreamRecognizer': dict(rgb=TINY_TSN, flow=TINY_TSN),
    'ActionBBoxHead': dict(in_channels=8),
    'ActionDetectionDataset': dict(
        ann_file='{data}/ava/truth.csv',
        pipeline=[],
        label_file='{data}/ava/labels.pbtxt',
        data_prefix=dict(img='{data}/ava/frames'),
        num_classes=4,
    ),
    'FeatureDataset': dict(
        ann_file='{data}/features.txt',
        pipeline=[],
        data_prefix=dict(feature='{data}/features'),
    ),
    'ActionVideoDataset': VIDEOS,
    'ActionFrameDataset': FLOW,
    'TwoStreamDataset': dict(
        rgb=dict(VIDEOS, type='mmattn.ActionVideoDataset'),
        flow=dict(FLOW, type='mmattn.ActionFrameDataset'),
    ),
    'SeededSampler': dict(dataset=range(7)),
    'FlowTenCrop': dict(crop_size=8),
    'SampleAVAFrames': dict(clip_len=4),
    'AttentionQuality': dict(ground_truth='{data}'),
    'FrameMAP': dict(
        ann_file='{data}/ava/truth.csv', label_file='{data}/ava/labels.pbtxt'
    ),
    'EfficientNetLite0': dict(base_channels=4, out='stage3'),
    'ResumableIterLoop': dict(runner=None, dataloader='{loader}', max_iters=3),
    'ActionRoIHead': ROI_HEAD,
    'ActionFasterRCNN': dict(
        backbone=dict(type='mmattn.StoredFeatures'),
        rpn_head=dict(
            type='RPNHead',
            in_channels=8,
            feat_channels=8,
            anchor_generator=dict(
                type='AnchorGenerator', scales=[2], ratios=[1.0], strides=[16]
            ),
        ),
        roi_head=dict(type='mmattn.ActionRoIHead', **ROI_HEAD),
        train_cfg=dict(rpn=None, rpn_proposal={}, rcnn=None),
        test_cfg=dict(rpn={}, rcnn=None),
    ),
    'Bf16OptimWrapper': dict(optimizer='{optimizer}'),
    'SineLayerwiseConstructor': dict(
        optim_wrapper_cfg=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
        paramwise_cfg=dict(rates=dict(input=0.1, output=0.2)),
    ),
}
# Not installed everywhere: each stands for an extra.
NEEDS = {
    'EfficientNetLite0': 'efficientnet_lite_pytorch',
    **dict.fromkeys(('ActionBBoxHead', 'ActionFasterRCNN', 'ActionRoIHead'), 'mmdet'),
}
SCOPES = {'ActionFasterRCNN': 'mmdet', 'ActionRoIHead': 'mmdet'}
# Numbers below the usual ones that mean something.
MAY_BE_LOW = ('frozen_stages', 'seed', 'max_refetch', 'topk', 'num_threads')
MAY_BE_LOW += ('eager_frames', 'timestamp_start')
POOL = (
    '3',
    'nothing',
    3,
    3.5,
    -1,
    0,
    True,
    None,
    math.nan,
    math.inf,
    b'bytes',
    [],
    [1, 'a'],
    ['a'],
    {},
    dict(type='mmattn.Nothing'),
    {1: 2},
    object(),
    [[]],
)
KINDS = {  # words of an annotation for each kind of value
    str: 'str|Path|PathLike|Sized',
    bytes: 'bytes|Sized',
    bool: 'bool',
    int: 'int|float',
    float: 'float',
    type(None): 'None|Optional',
    list: 'list|List|tuple|Tuple|Sequence|Collection|Iterable|Sized',
    dict: 'dict|Dict|Mapping|ConfigDict|Config|Sized',
    object: 'object',
}


class Case(NamedTuple):
    """A component with one argument changed."""

    registry: CheckedRegistry
    name: str
    options: dict[str, Any]
    key: str
    what: str

    def __str__(self) -> str:
        shown = repr(self.options.get(self.key, 'left out'))[:60]
        return f'{self.name}({self.key}={shown}), {self.what}'


def components() -> list[tuple[CheckedRegistry, str]]:
    for registry in REGISTRIES:
        registry.import_from_location()
    return [
        (registry, name)
        for registry in REGISTRIES
        for name, kind in sorted(registry.module_dict.items())
        if kind.__module__.startswith('mmattn.')  # tests register some, too
        and find_spec(NEEDS.get(name, 'mmattn'))
    ]


def cases(seed: int, count: int, data: Path) -> list[Case]:
    """Components in turn, each with one argument that is probably wrong.

    What is drawn for a component depends on no other.
    """
    every = components()
    made = []
    for number in range(count):
        registry, name = every[number % len(every)]
        rng = random.Random(f'{seed} {name} {number // len(every)}')
        options = filled(GIVEN.get(name, {}), data)
        known = arguments(registry.module_dict[name])
        keys = sorted({*known, *options})
        kind = rng.choice(('value',) * 8 + ('unknown', 'missing'))
        if kind == 'unknown' or not keys:
            options['sorce'] = 3
            made.append(Case(registry, name, options, 'sorce', 'unknown'))
        elif kind == 'missing' and options:
            key = rng.choice(sorted(options))
            del options[key]
            made.append(Case(registry, name, options, key, 'left out'))
        else:
            key = rng.choice(keys)
            options[key] = rng.choice(POOL)
            made.append(Case(registry, name, options, key, 'another value'))
    return made


def filled(node: Any, data: Path) -> Any:
    """Names of files in place of words in braces."""
    if isinstance(node, dict):
        return {key: filled(value, data) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, data) for value in node]
    if node == '{optimizer}':
        return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    if node == '{loader}':
        sampler = SeededSampler(range(7), infinite=True)
        return torch.utils.data.DataLoader(range(7), sampler=sampler)
    return node.replace('{data}', str(data)) if isinstance(node, str) else node


def arguments(kind: type) -> dict[str, inspect.Parameter]:
    """What a constructor and those that it hands the rest to take, as written."""
    found: dict[str, inspect.Parameter] = {}
    for base in kind.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        parameters = inspect.signature(
            inspect.unwrap(vars(base)['__init__'])
        ).parameters
        for name, parameter in list(parameters.items())[1:]:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(name, parameter)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return found


def build(registry: CheckedRegistry, name: str, options: dict[str, Any]) -> Any:
    with DefaultScope.overwrite_default_scope(SCOPES.get(name, 'mmaction')):
        return registry.build(ConfigDict(type=f'mmattn.{name}', **options))


def outcome(case: Case) -> str:
    """Build, and name what comes of it; bad outcomes start with BAD."""
    try:
        build(case.registry, case.name, case.options)
    except (FileNotFoundError, TypeError, ValueError) as error:
        words = str(error)
        if 'expected' in words and (case.key in words or 'got' in words):
            return 'named'
        if 'missing' in words and f"'{case.key}'" in words:
            return 'named by Python'
        if 'should be' in words and case.key in words:
            return 'named by the host'
        return f'BAD: unclear {type(error).__name__}: {words[:150]}'
    except KeyError as error:  # the host's, about a type
        if 'is not in the' in str(error):
            return 'named by the host'
        return f'BAD: unclear KeyError: {str(error)[:150]}'
    except Exception as error:
        if 'expected' in str(error) and case.key in str(error):
            return 'named'
        return f'BAD: {type(error).__name__}: {str(error)[:150]}'
    return accepted(case)


def accepted(case: Case) -> str:
    """Whether what was built had a right to be."""
    parameter = arguments(case.registry.module_dict[case.name]).get(case.key)
    if case.what == 'unknown':
        is_open = case.name in ('VideoInit', 'FlowInit')  # for a storage of any kind
        return 'taken as it may' if is_open else 'BAD: unknown taken'
    if case.what == 'left out':
        return 'built by default'
    if parameter is None:
        return 'taken as it may'
    value, usual = case.options[case.key], parameter.default
    words = set(re.findall(r'\w+', str(parameter.annotation)))
    anything = parameter.annotation is parameter.empty or 'Any' in words
    allowed = set(KINDS[type(value)].split('|')) & words
    chosen = 'Literal' in words and repr(value) in str(parameter.annotation)
    if not (anything or allowed or chosen) and value is not usual and value != usual:
        return f'BAD: taken in spite of {parameter.annotation}'
    if isinstance(value, float) and not math.isfinite(value):
        return 'BAD: taken though not finite'
    low = isinstance(value, (int, float)) and not isinstance(value, bool) and value < 1
    usually = case.options if usual is parameter.empty else {case.key: usual}
    whole = isinstance(usually.get(case.key), int) and not isinstance(usual, bool)
    if (
        low
        and whole
        and usual is not parameter.empty
        and usual > 0
        and (case.key not in MAY_BE_LOW)
    ):
        return f'BAD: taken though {value} is below the usual {usual}'
    return 'taken as it may'


def seeded_everything() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
