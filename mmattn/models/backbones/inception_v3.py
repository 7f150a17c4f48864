"""Inception-v3, a per-frame network of spatio-temporal attention.

Szegedy et al., Rethinking the Inception architecture for computer vision, table 1 and
figures 5 to 7. The weight names are torchvision's and timm's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import nn

from mmattn.models.backbones.base import StagedBackbone
from mmattn.models.layers.conv_bn import Branches, conv_bn_relu
from mmattn.registry import MODELS

STEM_CONVS: dict[str, dict] = {
    'conv2d_1a': {'kernel': 3, 'stride': 2, 'padding': 0},
    'conv2d_2a': {'kernel': 3, 'padding': 0},
    'conv2d_2b': {'kernel': 3},
    'conv2d_3b': {'kernel': 1},
    'conv2d_4a': {'kernel': 3, 'padding': 0},
}


class Conv(NamedTuple):
    """A convolution of a branch; with stride 2 it has no padding."""

    name: str
    width: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1


# A branch is a chain of pools, convolutions, and lists of convolutions side by side.
Branch = Sequence[str | Conv | list[Conv]]
POOLS: dict[str, Callable[[], nn.Module]] = {
    'average': lambda: nn.AvgPool2d(3, stride=1, padding=1),
    'halve': lambda: nn.MaxPool2d(3, stride=2),
}
ROW, COLUMN = (1, 7), (7, 1)


def _figure_5(pooled: int) -> tuple[Branch, ...]:
    return (
        (Conv('branch1x1', 64),),
        (Conv('branch5x5_1', 48), Conv('branch5x5_2', 64, 5)),
        (
            Conv('branch3x3dbl_1', 64),
            Conv('branch3x3dbl_2', 96, 3),
            Conv('branch3x3dbl_3', 96, 3),
        ),
        ('average', Conv('branch_pool', pooled)),
    )


def _figure_6(width: int) -> tuple[Branch, ...]:
    return (
        (Conv('branch1x1', 192),),
        (
            Conv('branch7x7_1', width),
            Conv('branch7x7_2', width, ROW),
            Conv('branch7x7_3', 192, COLUMN),
        ),
        (
            Conv('branch7x7dbl_1', width),
            Conv('branch7x7dbl_2', width, COLUMN),
            Conv('branch7x7dbl_3', width, ROW),
            Conv('branch7x7dbl_4', width, COLUMN),
            Conv('branch7x7dbl_5', 192, ROW),
        ),
        ('average', Conv('branch_pool', 192)),
    )


def _fork(name: str) -> list[Conv]:
    return [Conv(f'{name}a', 384, (1, 3)), Conv(f'{name}b', 384, (3, 1))]


FIGURE_7: tuple[Branch, ...] = (
    (Conv('branch1x1', 320),),
    (Conv('branch3x3_1', 384), _fork('branch3x3_2')),
    (
        Conv('branch3x3dbl_1', 448),
        Conv('branch3x3dbl_2', 384, 3),
        _fork('branch3x3dbl_3'),
    ),
    ('average', Conv('branch_pool', 192)),
)
MIXED: dict[str, tuple[Branch, ...]] = {
    '5b': _figure_5(32),
    '5c': _figure_5(64),
    '5d': _figure_5(64),
    '6a': (
        (Conv('branch3x3', 384, 3, 2),),
        (
            Conv('branch3x3dbl_1', 64),
            Conv('branch3x3dbl_2', 96, 3),
            Conv('branch3x3dbl_3', 96, 3, 2),
        ),
        ('halve',),
    ),
    '6b': _figure_6(128),
    '6c': _figure_6(160),
    '6d': _figure_6(160),
    '6e': _figure_6(192),
    '7a': (
        (Conv('branch3x3_1', 192), Conv('branch3x3_2', 320, 3, 2)),
        (
            Conv('branch7x7x3_1', 192),
            Conv('branch7x7x3_2', 192, ROW),
            Conv('branch7x7x3_3', 192, COLUMN),
            Conv('branch7x7x3_4', 192, 3, 2),
        ),
        ('halve',),
    ),
    '7b': FIGURE_7,
    '7c': FIGURE_7,
}


@MODELS.register_module()
class InceptionV3(StagedBackbone):
    """Five convolutions, two max pools and eleven blocks of parallel branches.

    Stages: ``conv2d_1a``, ``conv2d_2a``, ``conv2d_2b``, ``maxpool1``, ``conv2d_3b``,
    ``conv2d_4a``, ``maxpool2``, ``mixed_5b`` to ``mixed_5d``, ``mixed_6a`` to
    ``mixed_6e``, ``mixed_7a`` to ``mixed_7c``. The auxiliary classifier is left out.
    Takes the arguments of :class:`~mmattn.models.backbones.base.StagedBackbone`;
    ``base_channels`` is 32 and may be any even number. Pretrained weights are read from
    torchvision's and timm's files.

    Shape:
        - Input: (N, in_channels, H, W).
        - Output: mixed_5d (N, 288, H', W'), mixed_6e (N, 768, H'', W''), mixed_7c
          (N, 2048, H''', W'''); the sides are 25, 12, 5 for 224 pixels and 35, 17, 8
          for 299.

    Raises:
        ValueError: If an option is out of range, or a frame is too small (75 pixels
            are needed for mixed_7a and what follows).

    Example:
        >>> import torch
        >>> net = InceptionV3(out='mixed_5b')
        >>> net(torch.ones(1, 3, 75, 91)).shape
        torch.Size([1, 256, 7, 9])
    """

    stages = {
        'conv2d_1a': 32,
        'conv2d_2a': 32,
        'conv2d_2b': 64,
        'maxpool1': 64,
        'conv2d_3b': 80,
        'conv2d_4a': 192,
        'maxpool2': 192,
        'mixed_5b': 256,
        'mixed_5c': 288,
        'mixed_5d': 288,
        'mixed_6a': 768,
        'mixed_6b': 768,
        'mixed_6c': 768,
        'mixed_6d': 768,
        'mixed_6e': 768,
        'mixed_7a': 1280,
        'mixed_7b': 2048,
        'mixed_7c': 2048,
    }
    base_step = 2
    first_conv = 'Conv2d_1a_3x3.conv.weight'
    windows = {
        'conv2d_1a': ((3, 2),),
        'conv2d_2a': ((3, 1),),
        'maxpool1': ((3, 2),),
        'conv2d_4a': ((3, 1),),
        'maxpool2': ((3, 2),),
        'mixed_6a': ((3, 2),),
        'mixed_7a': ((3, 2),),
    }

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other."""
        if name.startswith('maxpool'):
            return {name: nn.MaxPool2d(3, stride=2)}
        if name in STEM_CONVS:
            kernel = STEM_CONVS[name]['kernel']
            conv = conv_bn_relu(
                channels, self.scaled(self.stages[name]), **STEM_CONVS[name]
            )
            return {f'{name.capitalize()}_{kernel}x{kernel}': conv}
        branches = MIXED[name.removeprefix('mixed_')]
        chains = [self._chain(channels, branch) for branch in branches]
        return {name.capitalize(): Branches(chains)}

    def _chain(self, channels: int, branch: Branch) -> list[dict[str, nn.Module]]:
        chain: list[dict[str, nn.Module]] = []
        for step in branch:
            if isinstance(step, str):
                chain.append({'pool': POOLS[step]()})
                continue
            convs = step if isinstance(step, list) else [step]
            chain.append({conv.name: self._conv(channels, conv) for conv in convs})
            channels = self.scaled(sum(conv.width for conv in convs))
        return chain

    def _conv(self, channels: int, conv: Conv) -> nn.Module:
        return conv_bn_relu(
            channels,
            self.scaled(conv.width),
            kernel=conv.kernel,
            stride=conv.stride,
            padding=0 if conv.stride == 2 else None,
        )
