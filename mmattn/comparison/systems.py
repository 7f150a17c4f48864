"""The systems on stored maps, each beside its twin without attention.

A system is a config of registered components, and so is its twin, which differs from it
in the attention alone. ``tuned`` options are those that differ from the paper.
"""

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import mmattn.models  # noqa: F401  (registers)
from mmattn.utils.logs import quiet_log

FORMS = ('paper', 'tuned')
TWINS = {'paper': 'twin', 'tuned': 'tuned twin'}  # of each form
TUNED = ('tuned twin', 'tuned')
ARMS = ('twin', 'paper', *TUNED)
KINDS = ('sequence', 'frames', 'reduction', 'clips')
# Options of the attention in the recommended form, where they fit any network.
RECOMMENDED: dict[str, dict[str, Any]] = {
    'temporal_lstm': dict(bound=None),
    'pyramid': dict(
        top_size=(1, 1),
        norm='sum',
        whole_frames=True,
        losses=(),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
    ),
    'slowfast_attn': dict(
        num_layers=1,
        temporal=False,
        slow_kernel=None,
        per_frame=True,
        start='gathering',
    ),
}


@dataclass(frozen=True)
class Shapes:
    """What a system is built for.

    Args:
        num_classes: Classes.
        channels: Channels of each scale, the top one last.
        size: Height and width of the maps.
        num_frames: Frames of a clip.
    """

    num_classes: int
    channels: tuple[int, ...]
    size: tuple[int, int]
    num_frames: int


@dataclass(frozen=True)
class System:
    """A system, its recommended form and its twin.

    Args:
        num_frames: Frames of a clip that it takes.
        pooled: Whether it takes the mean of a frame's top map, not maps.
        kind: What the neck gets: nothing of it ('sequence'), frames (B*T, C, h, w),
            scales and the number of frames ('reduction'), or clips (B, C, T, h, w).
        build: Makes ``dict(neck=..., head=..., ...)`` from the shapes and 'twin',
            'paper' or 'tuned'. The neck gets the last ``num_scales`` scales; ``reduce``
            is the width of a learned 1 x 1 convolution in front of all.
        tuned: How the recommended form differs from the paper's, in words; '' where
            there is none.
        positions: Height and width of the maps that it takes, at most.
    """

    num_frames: int
    pooled: bool
    kind: str
    build: Callable[[Shapes, str], dict[str, Any]]
    tuned: str = ''
    positions: int = 4


class StoredModel(nn.Module):
    """Registered neck and head on stored maps.

    Args:
        system: The system.
        shapes: What it is built for.
        arm: One of ``ARMS``.

    Shape:
        - Input: maps (B, T, C_j, h, w), one for each scale, the top one last.
    """

    def __init__(self, system: System, shapes: Shapes, arm: str) -> None:
        super().__init__()
        init_default_scope('mmaction')
        config = copy.deepcopy(system.build(shapes, arm))
        self.kind = system.kind
        width = config.get('reduce')
        top = shapes.channels[-1]
        self.reduce = nn.Conv2d(top, width, 1) if width else nn.Identity()
        neck = config.get('neck')
        self.neck = HOST_MODELS.build(neck) if neck else None
        self.head = HOST_MODELS.build(config['head'])
        with quiet_log(logging.WARNING):  # a line for each weight
            self.head.init_weights()
            if self.neck is not None:
                self.neck.init_weights()
        self.num_scales = config.get('num_scales', 1)

    def features(self, scales: tuple[Tensor, ...]) -> tuple[Tensor, dict, dict]:
        """Input of the head, its further arguments, and losses of the neck.

        Args:
            scales: Maps, scaled.
        """
        scales = scales[-self.num_scales :]
        B, T = scales[-1].shape[:2]
        frames = [x.flatten(0, 1) for x in scales]  # (B*T, C, h, w)
        frames[-1] = self.reduce(frames[-1])
        if self.kind == 'sequence':
            return frames[-1], dict(frames_per_video=[T] * B), {}
        if self.kind == 'reduction':
            assert self.neck is not None
            reduced, losses = self.neck(tuple(frames), num_frames=T)
            return reduced, dict(num_segs=1), losses
        if self.kind == 'frames':
            x = frames[-1] if self.neck is None else self.neck(frames[-1])
            return x, dict(num_segs=T), {}
        x = frames[-1].unflatten(0, (B, T)).transpose(1, 2)  # (B, C, T, h, w)
        if self.neck is None:
            return x.mean(dim=2), dict(num_segs=1), {}
        return self.neck(x)[:, :, 0], dict(num_segs=1), {}

    def loss(self, scales: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        """Training loss of a batch."""
        feats, options, losses = self.features(scales)
        samples = [ActionDataSample().set_gt_label(label.item()) for label in labels]
        found = {**losses, **self.head.loss(feats, samples, **options)}
        total = [value for name, value in found.items() if 'loss' in name]
        return torch.stack([value.mean() for value in total]).sum()

    def forward(self, scales: tuple[Tensor, ...]) -> Tensor:
        """Probabilities (B, classes)."""
        feats, options, _ = self.features(scales)
        return self.head(feats, **options).softmax(dim=1)


def pooled_head(num_classes: int, in_channels: int, dropout: float = 0.0) -> dict:
    """The host's linear classifier of mean features."""
    return dict(
        type='mmaction.TSNHead',
        num_classes=num_classes,
        in_channels=in_channels,
        dropout_ratio=dropout,
        average_clips='prob',
    )


def _attends(arm: str) -> bool:
    return arm not in TWINS.values()


def _none(shapes: Shapes, arm: str) -> dict:
    return dict(head=pooled_head(shapes.num_classes, shapes.channels[-1]))


def _temporal_lstm(shapes: Shapes, arm: str) -> dict:
    lstm: dict[str, Any] = dict(
        num_steps=10, hidden_channels=64, attention=_attends(arm)
    )
    if arm == 'tuned':
        lstm.update(RECOMMENDED['temporal_lstm'])
    head = dict(
        type='mmattn.TemporalLSTMHead',
        num_classes=shapes.num_classes,
        in_channels=shapes.channels[-1],
        num_segments=shapes.num_frames,
        lstm=lstm,
        test_steps=5,
        step_reduction='mean',
    )
    return dict(head=head)


def _pyramid(shapes: Shapes, arm: str) -> dict:
    neck: dict[str, Any] = dict(type='mmattn.FrameMean')
    num_scales = 1
    if arm == 'paper':
        neck = dict(
            type='mmattn.PyramidAttentionNeck',
            in_channels=shapes.channels,
            top_size=shapes.size,
        )
        num_scales = len(shapes.channels)
    elif arm == 'tuned':
        neck = dict(
            type='mmattn.PyramidAttentionNeck',
            in_channels=shapes.channels[-1:],
            **RECOMMENDED['pyramid'],
        )
    head = pooled_head(shapes.num_classes, shapes.channels[-1])
    return dict(neck=neck, head=head, num_scales=num_scales)


def _convlstm(shapes: Shapes, arm: str) -> dict:
    reduce = None if arm in TUNED else 32
    attention = 'gap_dense' if arm == 'paper' else 'videolstm'
    recurrence: dict[str, Any] = dict(
        attention=attention if _attends(arm) else 'none', feature_size=shapes.size
    )
    if arm in TUNED:
        recurrence.update(cell='lstm', hidden_channels=32)
    head = dict(
        type='mmattn.ConvLSTMHead',
        num_classes=shapes.num_classes,
        in_channels=reduce or shapes.channels[-1],
        num_segments=shapes.num_frames,
        recurrence=recurrence,
    )
    return dict(reduce=reduce, head=head)


def _stbta(shapes: Shapes, arm: str) -> dict:
    neck = None
    if _attends(arm):
        neck = dict(
            type='mmattn.STBTA',
            in_channels=64,
            t=1,
            num_segments=shapes.num_frames,
            channel_attention='none',
            residual=arm == 'paper',
        )
    head = pooled_head(shapes.num_classes, 64, 0.5 if arm in TUNED else 0.0)
    return dict(reduce=64, neck=neck, head=head)


def _slowfast(shapes: Shapes, arm: str) -> dict:
    dropout = 0.5 if arm in TUNED else 0.0
    if not _attends(arm):
        return dict(reduce=32, head=pooled_head(shapes.num_classes, 32, dropout))
    neck: dict[str, Any] = dict(
        type='mmattn.SlowFastAttention', in_channels=32, num_layers=2, norm='layer'
    )
    if arm == 'tuned':
        neck.update(RECOMMENDED['slowfast_attn'])
    width = 32 if arm == 'tuned' else 4 * 32
    head = pooled_head(shapes.num_classes, width, dropout)
    return dict(reduce=32, neck=neck, head=head)


SYSTEMS = {
    'none': System(30, True, 'frames', _none),
    'temporal_lstm': System(
        30, True, 'sequence', _temporal_lstm, 'no tanh around the relevance'
    ),
    'pyramid': System(
        30,
        False,
        'reduction',
        _pyramid,
        'whole frames, one scale, rows of unit sum, no losses, nearly uniform at first',
        positions=2,
    ),
    'convlstm': System(
        8,
        False,
        'sequence',
        _convlstm,
        "VideoLSTM's attention, and an LSTM with 32 channels on the sum of the places, "
        'on maps that nothing has reduced',
    ),
    'stbta': System(
        6,
        False,
        'frames',
        _stbta,
        'without the outer identity; dropout 0.5, also of the twin',
    ),
    'slowfast_attn': System(
        6,
        False,
        'clips',
        _slowfast,
        'the fast spatial branch alone, one layer over the places of each frame, which '
        'gathers from the start; dropout 0.5, also of the twin',
    ),
}
