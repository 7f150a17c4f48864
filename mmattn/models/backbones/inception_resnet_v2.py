"""Inception-ResNet-v2, a per-frame network of pyramid and spatio-temporal attention.

Szegedy et al., Inception-v4, Inception-ResNet and the impact of residual connections
on learning, section 3.2, with the widths of its published weights. The weight names
are timm's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone
from mmattn.models.backbones.inception_v3 import STEM_CONVS
from mmattn.models.layers.conv_bn import Branches, conv_bn_relu
from mmattn.registry import MODELS


class Conv(NamedTuple):
    """A convolution of a branch; with stride 2 it has no padding."""

    width: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1


# A branch is a chain of pools and convolutions.
Branch = Sequence[str | Conv]
BRANCHES: dict[str, tuple[Branch, ...]] = {
    'mixed_5b': (
        (Conv(96),),
        (Conv(48), Conv(64, 5)),
        (Conv(64), Conv(96, 3), Conv(96, 3)),
        ('average', Conv(64)),
    ),
    'A': (
        (Conv(32),),
        (Conv(32), Conv(32, 3)),
        (Conv(32), Conv(48, 3), Conv(64, 3)),
    ),
    'mixed_6a': (
        (Conv(384, 3, 2),),
        (Conv(256), Conv(256, 3), Conv(384, 3, 2)),
        ('halve',),
    ),
    'B': (
        (Conv(192),),
        (Conv(128), Conv(160, (1, 7)), Conv(192, (7, 1))),
    ),
    'mixed_7a': (
        (Conv(256), Conv(384, 3, 2)),
        (Conv(256), Conv(288, 3, 2)),
        (Conv(256), Conv(288, 3), Conv(320, 3, 2)),
        ('halve',),
    ),
    'C': (
        (Conv(192),),
        (Conv(192), Conv(224, (1, 3)), Conv(256, (3, 1))),
    ),
}
POOLS: dict[str, Callable[[], nn.Module]] = {
    'average': lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
    'halve': lambda: nn.MaxPool2d(3, stride=2),
}
# Block, number, scale, whether the last block has a ReLU.
RESIDUAL: dict[str, tuple[str, int, float, bool]] = {
    'repeat': ('A', 10, 0.17, False),
    'repeat_1': ('B', 20, 0.1, False),
    'repeat_2': ('C', 9, 0.2, True),
}


@MODELS.register_module()
class InceptionResNetV2(StagedBackbone):
    """Inception blocks with residual connections: ten A, twenty B and ten C.

    Stages: ``conv2d_1a``, ``conv2d_2a``, ``conv2d_2b``, ``maxpool_3a``, ``conv2d_3b``,
    ``conv2d_4a``, ``maxpool_5a``, ``mixed_5b``, ``repeat`` and ``repeat_relu``,
    ``mixed_6a``, ``repeat_1`` and ``repeat_1_relu``, ``mixed_7a``, ``repeat_2``,
    ``block8``, ``conv2d_7b``. The outputs of ``repeat``, ``repeat_1`` and ``block8``,
    the last layers of the blocks A, B and C, are without activation; for the first two
    it is the stage that follows. Takes the arguments of
    :class:`~mmattn.models.backbones.base.StagedBackbone`; ``base_channels`` is 32 and
    may be any even number. Pretrained weights are read from timm's and Cadene's files.

    Shape:
        - Input: (N, in_channels, H, W).
        - Output: repeat (N, 320, H', W'), repeat_1 (N, 1088, H'', W''), block8
          (N, 2080, H''', W'''), conv2d_7b (N, 1536, H''', W'''); the sides are 25, 12,
          5 for 224 pixels and 35, 17, 8 for 299.

    Raises:
        ValueError: If an option is out of range, or a frame is too small (75 pixels
            are needed for mixed_7a and what follows).

    Example:
        >>> import torch
        >>> net = InceptionResNetV2(out='repeat')
        >>> net(torch.ones(1, 3, 75, 91)).shape
        torch.Size([1, 320, 7, 9])
    """

    stages = {
        'conv2d_1a': 32,
        'conv2d_2a': 32,
        'conv2d_2b': 64,
        'maxpool_3a': 64,
        'conv2d_3b': 80,
        'conv2d_4a': 192,
        'maxpool_5a': 192,
        'mixed_5b': 320,
        'repeat': 320,
        'repeat_relu': 320,
        'mixed_6a': 1088,
        'repeat_1': 1088,
        'repeat_1_relu': 1088,
        'mixed_7a': 2080,
        'repeat_2': 2080,
        'block8': 2080,
        'conv2d_7b': 1536,
    }
    base_step = 2
    first_conv = 'conv2d_1a.conv.weight'
    windows = {
        'conv2d_1a': ((3, 2),),
        'conv2d_2a': ((3, 1),),
        'maxpool_3a': ((3, 2),),
        'conv2d_4a': ((3, 1),),
        'maxpool_5a': ((3, 2),),
        'mixed_6a': ((3, 2),),
        'mixed_7a': ((3, 2),),
    }

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other."""
        return {name: self._module(name, channels)}

    def _module(self, name: str, channels: int) -> nn.Module:
        if name in STEM_CONVS:
            width = self.scaled(self.stages[name])
            return conv_bn_relu(channels, width, **STEM_CONVS[name])
        if name.startswith('maxpool'):
            return nn.MaxPool2d(3, stride=2)
        if name.endswith('relu'):
            return nn.ReLU()
        if name.startswith('mixed'):
            return Branches(self._branches(name, channels))
        if name in RESIDUAL:
            kind, count, scale, last_relu = RESIDUAL[name]
            return nn.Sequential(
                *(
                    self._block(kind, channels, scale, last_relu or n < count - 1)
                    for n in range(count)
                )
            )
        if name == 'block8':
            return self._block('C', channels, scale=1.0, relu=False)
        return conv_bn_relu(channels, self.scaled(self.stages[name]))

    def _block(self, kind: str, channels: int, scale: float, relu: bool) -> nn.Module:
        branches = self._branches(kind, channels)
        width = sum(conv.width for *_, conv in BRANCHES[kind] if isinstance(conv, Conv))
        return ResidualBranches(
            branches, channels, width=self.scaled(width), scale=scale, relu=relu
        )

    def _branches(self, name: str, channels: int) -> list[list[dict[str, nn.Module]]]:
        return [
            [{f'branch{n}': self._chain(channels, branch)}]
            for n, branch in enumerate(BRANCHES[name])
        ]

    def _chain(self, channels: int, branch: Branch) -> nn.Module:
        chain = nn.Sequential()
        for step in branch:
            if isinstance(step, str):
                chain.append(POOLS[step]())
                continue
            width = self.scaled(step.width)
            chain.append(
                conv_bn_relu(
                    channels,
                    width,
                    kernel=step.kernel,
                    stride=step.stride,
                    padding=0 if step.stride == 2 else None,
                )
            )
            channels = width
        return chain if len(chain) > 1 else chain[0]


class ResidualBranches(Branches):
    """Add the scaled, linearly projected output of parallel branches to the input.

    Args:
        branches: As in :class:`~mmattn.models.layers.conv_bn.Branches`.
        channels: Channels C of the input and output.
        width: Channels of all branches together.
        scale: Factor of what is added.
        relu: Whether a ReLU follows.

    Shape:
        - Input: (N, C, H, W).
        - Output: (N, C, H, W).

    Example:
        >>> import torch
        >>> branches = [[{'branch0': conv_bn_relu(5, 2)}]]
        >>> block = ResidualBranches(branches, 5, width=2, scale=0.1)
        >>> block(torch.ones(1, 5, 3, 3)).shape
        torch.Size([1, 5, 3, 3])
    """

    def __init__(
        self,
        branches: Sequence[Sequence[dict[str, nn.Module]]],
        channels: int,
        *,
        width: int,
        scale: float,
        relu: bool = True,
    ) -> None:
        super().__init__(branches)
        self.scale = scale
        self.conv2d = nn.Conv2d(width, channels, 1)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, changed by what the branches see in it."""
        change = self.conv2d(super().forward(x))
        return self.relu(x + self.scale * change)
