"""Inception-v1 inflated to 3D (I3D).

Carreira and Zisserman, Quo vadis, action recognition? A new model and the Kinetics
dataset, figure 3. The weight names are those of the published PyTorch weights
(pytorch-i3d); the padding is TensorFlow's SAME, for convolutions and pools.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone, required_stages
from mmattn.models.layers.same_padding import SameConv3d, SameMaxPool3d
from mmattn.registry import MODELS
from mmattn.utils.inflate import inflate_like

# Output channels, kernel, stride.
CONVS = {
    'Conv3d_1a_7x7': (64, (7, 7, 7), (2, 2, 2)),
    'Conv3d_2b_1x1': (64, (1, 1, 1), (1, 1, 1)),
    'Conv3d_2c_3x3': (192, (3, 3, 3), (1, 1, 1)),
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
STAGES = (
    'Conv3d_1a_7x7',
    'MaxPool3d_2a_3x3',
    'Conv3d_2b_1x1',
    'Conv3d_2c_3x3',
    'MaxPool3d_3a_3x3',
    'Mixed_3b',
    'Mixed_3c',
    'MaxPool3d_4a_3x3',
    'Mixed_4b',
    'Mixed_4c',
    'Mixed_4d',
    'Mixed_4e',
    'Mixed_4f',
    'MaxPool3d_5a_2x2',
    'Mixed_5b',
    'Mixed_5c',
)
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
class InceptionI3D(StagedBackbone):
    """Three convolutions and nine inception modules, all of them 3D.

    Stages: ``Conv3d_1a_7x7``, ``MaxPool3d_2a_3x3``, ``Conv3d_2b_1x1``,
    ``Conv3d_2c_3x3``, ``MaxPool3d_3a_3x3``, ``Mixed_3b``, ``Mixed_3c``,
    ``MaxPool3d_4a_3x3``, ``Mixed_4b`` ... ``Mixed_4f``, ``MaxPool3d_5a_2x2``,
    ``Mixed_5b``, ``Mixed_5c``; those behind the last requested one are not built.
    Clips may have any size.

    Args:
        in_channels: Channels of a frame, 3 for RGB and 2 for flow.
        base_channels: Width of the first stage; the others keep their ratio to it.
        out: Stage to return, or a sequence of stages to return as a tuple.
        frozen_stages: Number of stages with weights (12 in the whole network) that
            are frozen; -1 or 0 for none, 'all' for all.
        norm_eval: Keep batch normalization in eval mode while training.
        partial_bn: Keep all batch normalizations but the first as they are.
        with_cp: Recompute each stage in the backward pass to save memory.
        pretrained2d: Whether the checkpoint of ``init_cfg`` holds a 2D network, whose
            kernels are inflated: torchvision's GoogLeNet, or the names of this class.
        init_cfg: As in MMEngine; ``dict(type='Pretrained', checkpoint=...)`` reads
            the published files. Weights trained on RGB fill a first convolution of
            other ``in_channels`` with their mean.

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

    first_conv = 'Conv3d_1a_7x7.conv3d.weight'

    def __init__(
        self,
        in_channels: int = 3,
        *,
        base_channels: int = 64,
        out: str | Sequence[str] = 'Mixed_5c',
        frozen_stages: int | str = -1,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        pretrained2d: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            required_stages(STAGES, out),
            out,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            partial_bn=partial_bn,
            with_cp=with_cp,
            init_cfg=default_init_cfg() if init_cfg is None else init_cfg,
        )
        if base_channels < 4:
            raise ValueError(f'base_channels: expected at least 4, got {base_channels}')
        self.in_channels = in_channels
        self.pretrained2d = pretrained2d
        channels = in_channels
        for name in self.stage_names:
            if name in POOLS:
                self.add_module(name, SameMaxPool3d(*POOLS[name]))
            elif name in CONVS:
                width, kernel, stride = CONVS[name]
                width = width * base_channels // 64
                self.add_module(name, ConvUnit3d(channels, width, kernel, stride))
                channels = width
            else:
                widths = [width * base_channels // 64 for width in MIXES[name]]
                block = InceptionBlock3d(channels, widths)
                self.add_module(name, block)
                channels = block.out_channels
        self._freeze()

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the output or outputs named by ``out``."""
        check_clips(x, self.in_channels)
        return super().forward(x)

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        return [self.get_submodule(name)]

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Rename and inflate GoogLeNet's weights if ``pretrained2d``."""
        if not self.pretrained2d:
            return name, tensor
        parts = GOOGLENET_NAME.fullmatch(name)
        if parts and parts[1] in GOOGLENET_STAGES:
            stage, branch, layer, value = parts.groups()
            unit = f'.{GOOGLENET_BRANCHES[branch]}' if branch else ''
            layer = 'conv3d' if layer == 'conv' else layer
            name = f'{GOOGLENET_STAGES[stage]}{unit}.{layer}.{value}'
        target = self.state_dict().get(name)
        return name, tensor if target is None else inflate_like(tensor, target)


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
        self.out_channels = b0 + b1b + b2b + b3b
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


def check_clips(x: Tensor, in_channels: int) -> None:
    """Refuse what is no batch of clips.

    Args:
        x: Input of a 3D network.
        in_channels: Channels that the network expects.

    Raises:
        ValueError: If ``x`` is not of shape (N, in_channels, T, H, W) with at least
            one frame and one pixel.
    """
    if x.dim() != 5 or x.shape[1] != in_channels or 0 in x.shape[2:]:
        raise ValueError(
            f'clips: expected (N, {in_channels}, T, H, W) with at least one frame and '
            f'pixel, got {tuple(x.shape)}'
        )


def default_init_cfg() -> list[dict]:
    """Initialization of a 3D network without pretrained weights: He's."""
    return [
        {'type': 'Kaiming', 'layer': 'Conv3d'},
        {'type': 'Constant', 'layer': 'BatchNorm3d', 'val': 1.0},
    ]
