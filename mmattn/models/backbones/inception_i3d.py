"""Inception-v1 inflated to 3D (I3D).

Carreira and Zisserman, Quo vadis, action recognition? A new model and the Kinetics
dataset, figure 3. The weight names are those of the published PyTorch weights
(pytorch-i3d); the padding is TensorFlow's SAME, for convolutions and pools.
"""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmattn.models.backbones.base3d import StagedBackbone3d
from mmattn.models.layers.same_padding import SameConv3d, SameMaxPool3d
from mmattn.registry import MODELS

# Kernel, stride.
CONVS = {
    'Conv3d_1a_7x7': ((7, 7, 7), (2, 2, 2)),
    'Conv3d_2b_1x1': ((1, 1, 1), (1, 1, 1)),
    'Conv3d_2c_3x3': ((3, 3, 3), (1, 1, 1)),
}
# Kernel, stride.
POOLS = {
    'MaxPool3d_2a_3x3': ((1, 3, 3), (1, 2, 2)),
    'MaxPool3d_3a_3x3': ((1, 3, 3), (1, 2, 2)),
    'MaxPool3d_4a_3x3': ((3, 3, 3), (2, 2, 2)),
    'MaxPool3d_5a_2x2': ((2, 2, 2), (2, 2, 2)),
}
# Output channels of b0, b1a, b1b, b2a, b2b, b3b.
MIXES = {
    'Mixed_3b': (64, 96, 128, 16, 32, 32),
    'Mixed_3c': (128, 128, 192, 32, 96, 64),
    'Mixed_4b': (192, 96, 208, 16, 48, 64),
    'Mixed_4c': (160, 112, 224, 24, 64, 64),
    'Mixed_4d': (128, 128, 256, 24, 64, 64),
    'Mixed_4e': (112, 144, 288, 32, 64, 64),
    'Mixed_4f': (256, 160, 320, 32, 128, 128),
    'Mixed_5b': (256, 160, 320, 32, 128, 128),
    'Mixed_5c': (384, 192, 384, 48, 128, 128),
}
# torchvision's GoogLeNet, the 2D network with batch normalization.
GOOGLENET_STAGES = {
    'conv1': 'Conv3d_1a_7x7',
    'conv2': 'Conv3d_2b_1x1',
    'conv3': 'Conv3d_2c_3x3',
    'inception3a': 'Mixed_3b',
    'inception3b': 'Mixed_3c',
    'inception4a': 'Mixed_4b',
    'inception4b': 'Mixed_4c',
    'inception4c': 'Mixed_4d',
    'inception4d': 'Mixed_4e',
    'inception4e': 'Mixed_4f',
    'inception5a': 'Mixed_5b',
    'inception5b': 'Mixed_5c',
}
GOOGLENET_BRANCHES = {
    'branch1': 'b0',
    'branch2.0': 'b1a',
    'branch2.1': 'b1b',
    'branch3.0': 'b2a',
    'branch3.1': 'b2b',
    'branch4.1': 'b3b',
}
GOOGLENET_NAME = re.compile(r'(\w+?)(?:\.(branch\d(?:\.\d)?))?\.(conv|bn)\.(\w+)')


@MODELS.register_module()
class InceptionI3D(StagedBackbone3d):
    """Three convolutions and nine inception modules, all of them 3D.

    Stages: ``Conv3d_1a_7x7``, ``MaxPool3d_2a_3x3``, ``Conv3d_2b_1x1``,
    ``Conv3d_2c_3x3``, ``MaxPool3d_3a_3x3``, ``Mixed_3b``, ``Mixed_3c``,
    ``MaxPool3d_4a_3x3``, ``Mixed_4b`` ... ``Mixed_4f``, ``MaxPool3d_5a_2x2``,
    ``Mixed_5b``, ``Mixed_5c``. Clips may have any size. Takes the arguments of
    :class:`~mmattn.models.backbones.base3d.StagedBackbone3d`; ``base_channels`` is 64
    and may be any multiple of 4. ``pretrained2d`` reads torchvision's GoogLeNet, or 2D
    weights under the names of this class.

    Shape:
        - Input: (N, in_channels, T, H, W).
        - Output: (N, 1024, T / 8, H / 32, W / 32) of ``Mixed_5c``, rounded up.

    Raises:
        ValueError: If an option is out of range, or a clip has another shape.

    Example:
        >>> i3d = InceptionI3D(base_channels=8)
        >>> i3d(torch.ones(2, 3, 16, 33, 40)).shape
        torch.Size([2, 128, 2, 2, 2])
    """

    stages = {
        'Conv3d_1a_7x7': 64,
        'MaxPool3d_2a_3x3': 64,
        'Conv3d_2b_1x1': 64,
        'Conv3d_2c_3x3': 192,
        'MaxPool3d_3a_3x3': 192,
        'Mixed_3b': 256,
        'Mixed_3c': 480,
        'MaxPool3d_4a_3x3': 480,
        'Mixed_4b': 512,
        'Mixed_4c': 512,
        'Mixed_4d': 512,
        'Mixed_4e': 528,
        'Mixed_4f': 832,
        'MaxPool3d_5a_2x2': 832,
        'Mixed_5b': 832,
        'Mixed_5c': 1024,
    }
    base_step = 4
    first_conv = 'Conv3d_1a_7x7.conv3d.weight'

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other."""
        if name in POOLS:
            return {name: SameMaxPool3d(*POOLS[name])}
        if name in CONVS:
            width = self.scaled(self.stages[name])
            return {name: ConvUnit3d(channels, width, *CONVS[name])}
        widths = [self.scaled(width) for width in MIXES[name]]
        return {name: InceptionBlock3d(channels, widths)}

    def name_in_3d(self, name: str) -> str:
        """Name here of a tensor of torchvision's GoogLeNet."""
        parts = GOOGLENET_NAME.fullmatch(name)
        if parts is None or parts[1] not in GOOGLENET_STAGES:
            return name
        stage, branch, layer, value = parts.groups()
        unit = f'.{GOOGLENET_BRANCHES[branch]}' if branch else ''
        layer = 'conv3d' if layer == 'conv' else layer
        return f'{GOOGLENET_STAGES[stage]}{unit}.{layer}.{value}'


class ConvUnit3d(nn.Module):
    """Convolution with SAME padding, batch normalization and ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Window along time, height and width.
        stride: Step along time, height and width.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int, int] = (1, 1, 1),
        stride: tuple[int, int, int] = (1, 1, 1),
    ) -> None:
        super().__init__()
        self.conv3d = SameConv3d(
            in_channels, out_channels, kernel_size=kernel_size, stride=stride
        )
        self.bn = nn.BatchNorm3d(out_channels, eps=1e-3, momentum=0.01)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalize and rectify."""
        return self.relu(self.bn(self.conv3d(x)))


class InceptionBlock3d(nn.Module):
    """Four branches side by side: 1x1x1, two 3x3x3, and a pool.

    Args:
        in_channels: Channels of the input.
        widths: Output channels of b0, b1a, b1b, b2a, b2b and b3b.
    """

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = widths
        self.b0 = ConvUnit3d(in_channels, b0)
        self.b1a = ConvUnit3d(in_channels, b1a)
        self.b1b = ConvUnit3d(b1a, b1b, (3, 3, 3))
        self.b2a = ConvUnit3d(in_channels, b2a)
        self.b2b = ConvUnit3d(b2a, b2b, (3, 3, 3))
        self.b3a = SameMaxPool3d((3, 3, 3), (1, 1, 1))
        self.b3b = ConvUnit3d(in_channels, b3b)

    def forward(self, x: Tensor) -> Tensor:
        """Join the branches along the channels."""
        branches = (
            self.b0(x),
            self.b1b(self.b1a(x)),
            self.b2b(self.b2a(x)),
            self.b3b(self.b3a(x)),
        )
        return torch.cat(branches, dim=1)
