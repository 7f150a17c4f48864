"""Inception-v3, a per-frame network of spatio-temporal attention.

Szegedy et al., Rethinking the Inception architecture for computer vision, table 1 and
figures 5 to 7. The weight names are torchvision's and timm's.
"""

from collections.abc import Sequence

from torch import nn

from mmattn.models.backbones.base import (
    StagedBackbone,
    default_init_cfg,
    required_stages,
)
from mmattn.models.layers.conv_bn import Branches, conv_bn_relu
from mmattn.registry import MODELS

STEM = {
    'conv2d_1a': 'Conv2d_1a_3x3',
    'conv2d_2a': 'Conv2d_2a_3x3',
    'conv2d_2b': 'Conv2d_2b_3x3',
    'maxpool1': 'maxpool1',
    'conv2d_3b': 'Conv2d_3b_1x1',
    'conv2d_4a': 'Conv2d_4a_3x3',
    'maxpool2': 'maxpool2',
}
MIXED = ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c')
MODULES = STEM | {f'mixed_{name}': f'Mixed_{name}' for name in MIXED}
STAGES = tuple(MODULES)

Step = dict[str, nn.Module]
ConvSpec = tuple[str, int, int | tuple[int, int]]  # name, channels, kernel


@MODELS.register_module()
class InceptionV3(StagedBackbone):
    """Five convolutions, two max pools and eleven blocks of parallel branches.

    Stages: ``conv2d_1a``, ``conv2d_2a``, ``conv2d_2b``, ``maxpool1``, ``conv2d_3b``,
    ``conv2d_4a``, ``maxpool2``, ``mixed_5b`` to ``mixed_5d``, ``mixed_6a`` to
    ``mixed_6e``, ``mixed_7a`` to ``mixed_7c``; those behind the last requested one are
    not built. The auxiliary classifier is left out.

    Args:
        in_channels: Channels of a frame, 3 for RGB and 2L for L stacked flow fields.
        out: Stage to return, or a sequence of stages to return as a tuple.
        frozen_stages: Number of stages with weights that are frozen; -1 or 0 for none,
            'all' for all.
        norm_eval: Keep batch normalization in eval mode while training.
        partial_bn: Keep all batch normalizations but the first as they are.
        with_cp: Recompute each stage in the backward pass to save memory.
        num_segments: Frames of a video, where the host's recognizers ask for it.
        init_cfg: As in MMEngine; ``dict(type='Pretrained', checkpoint=...)`` reads
            torchvision's and timm's files. Weights trained on RGB fill a first
            convolution of other ``in_channels`` with their mean.

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

    def __init__(
        self,
        in_channels: int = 3,
        out: str | Sequence[str] = 'mixed_7c',
        *,
        frozen_stages: int | str = -1,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        num_segments: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            required_stages(STAGES, out),
            out,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            partial_bn=partial_bn,
            with_cp=with_cp,
            num_segments=num_segments,
            init_cfg=default_init_cfg() if init_cfg is None else init_cfg,
        )
        self.in_channels = in_channels
        for name in self.stage_names:
            self.add_module(MODULES[name], _build_stage(name, in_channels))
        self._freeze()

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        return [getattr(self, MODULES[name])]


def _build_stage(name: str, in_channels: int) -> nn.Module:
    match name:
        case 'conv2d_1a':
            return conv_bn_relu(in_channels, 32, kernel=3, stride=2, padding=0)
        case 'conv2d_2a':
            return conv_bn_relu(32, 32, kernel=3, padding=0)
        case 'conv2d_2b':
            return conv_bn_relu(32, 64, kernel=3)
        case 'conv2d_3b':
            return conv_bn_relu(64, 80)
        case 'conv2d_4a':
            return conv_bn_relu(80, 192, kernel=3, padding=0)
        case 'maxpool1' | 'maxpool2':
            return nn.MaxPool2d(3, stride=2)
        case 'mixed_5b':
            return _block_a(192, 32)
        case 'mixed_5c':
            return _block_a(256, 64)
        case 'mixed_5d':
            return _block_a(288, 64)
        case 'mixed_6a':
            return _reduction_6a()
        case 'mixed_6b' | 'mixed_6c' | 'mixed_6d' | 'mixed_6e':
            return _block_b({'6b': 128, '6e': 192}.get(name[-2:], 160))
        case 'mixed_7a':
            return _reduction_7a()
        case _:
            return _block_c({'7b': 1280, '7c': 2048}[name[-2:]])


def _block_a(channels: int, pooled: int) -> Branches:
    return Branches(
        [
            _chain(channels, ('branch1x1', 64, 1)),
            _chain(channels, ('branch5x5_1', 48, 1), ('branch5x5_2', 64, 5)),
            _chain(
                channels,
                ('branch3x3dbl_1', 64, 1),
                ('branch3x3dbl_2', 96, 3),
                ('branch3x3dbl_3', 96, 3),
            ),
            _pooled(channels, pooled),
        ]
    )


def _reduction_6a() -> Branches:
    double = _chain(288, ('branch3x3dbl_1', 64, 1), ('branch3x3dbl_2', 96, 3))
    return Branches(
        [
            [_halve('branch3x3', 288, 384)],
            [*double, _halve('branch3x3dbl_3', 96, 96)],
            [{'pool': nn.MaxPool2d(3, stride=2)}],
        ]
    )


def _block_b(width: int) -> Branches:
    row, column = (1, 7), (7, 1)
    return Branches(
        [
            _chain(768, ('branch1x1', 192, 1)),
            _chain(
                768,
                ('branch7x7_1', width, 1),
                ('branch7x7_2', width, row),
                ('branch7x7_3', 192, column),
            ),
            _chain(
                768,
                ('branch7x7dbl_1', width, 1),
                ('branch7x7dbl_2', width, column),
                ('branch7x7dbl_3', width, row),
                ('branch7x7dbl_4', width, column),
                ('branch7x7dbl_5', 192, row),
            ),
            _pooled(768, 192),
        ]
    )


def _reduction_7a() -> Branches:
    factorized = _chain(
        768,
        ('branch7x7x3_1', 192, 1),
        ('branch7x7x3_2', 192, (1, 7)),
        ('branch7x7x3_3', 192, (7, 1)),
    )
    return Branches(
        [
            [*_chain(768, ('branch3x3_1', 192, 1)), _halve('branch3x3_2', 192, 320)],
            [*factorized, _halve('branch7x7x3_4', 192, 192)],
            [{'pool': nn.MaxPool2d(3, stride=2)}],
        ]
    )


def _block_c(channels: int) -> Branches:
    double = _chain(channels, ('branch3x3dbl_1', 448, 1), ('branch3x3dbl_2', 384, 3))
    return Branches(
        [
            _chain(channels, ('branch1x1', 320, 1)),
            [*_chain(channels, ('branch3x3_1', 384, 1)), _fork('branch3x3_2')],
            [*double, _fork('branch3x3dbl_3')],
            _pooled(channels, 192),
        ]
    )


def _chain(channels: int, *specs: ConvSpec) -> list[Step]:
    chain: list[Step] = []
    for name, width, kernel in specs:
        chain.append({name: conv_bn_relu(channels, width, kernel=kernel)})
        channels = width
    return chain


def _pooled(channels: int, width: int) -> list[Step]:
    pool = nn.AvgPool2d(3, stride=1, padding=1)
    return [{'pool': pool}, *_chain(channels, ('branch_pool', width, 1))]


def _halve(name: str, channels: int, width: int) -> Step:
    return {name: conv_bn_relu(channels, width, kernel=3, stride=2, padding=0)}


def _fork(name: str) -> Step:
    return {
        f'{name}a': conv_bn_relu(384, 384, kernel=(1, 3)),
        f'{name}b': conv_bn_relu(384, 384, kernel=(3, 1)),
    }
