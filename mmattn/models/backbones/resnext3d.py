"""3D ResNeXt.

Hara et al., Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?,
section 3.2 and table 1. The weight names are those of the published Kinetics weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmattn.models.backbones.base3d import StagedBackbone3d
from mmattn.registry import MODELS

STAGE_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@MODELS.register_module()
class ResNeXt3D(StagedBackbone3d):
    """Four groups of residual blocks with grouped 3x3x3 convolutions.

    Stages: ``stem`` (convolution and pool), ``layer1``, ``layer2``, ``layer3``,
    ``layer4``. Clips may have any size. ``pretrained2d`` reads the names of
    torchvision's and timm's 2D ResNeXt.

    Args:
        depth: 50, 101 or 152 layers.
        cardinality: Groups of the 3x3x3 convolutions.
        out: As in :class:`~mmattn.models.backbones.base.StagedBackbone`.
        **options: The other arguments of
            :class:`~mmattn.models.backbones.base3d.StagedBackbone3d`;
            ``base_channels`` is 64. The blocks of ``layerN`` have 2^N times it inside
            and 2^(N+1) times it outside.

    Shape:
        - Input: (N, in_channels, T, H, W).
        - Output: (N, 2048, T / 16, H / 32, W / 32) of ``layer4``, rounded up.

    Raises:
        ValueError: If an option is out of range, or a clip has another shape.

    Example:
        >>> import torch
        >>> resnext = ResNeXt3D(50, cardinality=4, base_channels=8)
        >>> resnext(torch.ones(2, 3, 16, 33, 40)).shape
        torch.Size([2, 256, 1, 2, 2])
    """

    stages = {'stem': 64, 'layer1': 256, 'layer2': 512, 'layer3': 1024, 'layer4': 2048}
    first_conv = 'conv1.weight'

    def __init__(
        self,
        depth: int = 101,
        *,
        cardinality: int = 32,
        out: str | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        if depth not in STAGE_BLOCKS:
            raise ValueError(
                f'depth: expected one of {list(STAGE_BLOCKS)}, got {depth}'
            )
        self.depth = depth
        self.cardinality = cardinality
        super().__init__(out=out, **options)

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other."""
        if name == 'stem':
            return self._stem(channels)
        n = int(name[-1])
        blocks = nn.Sequential()
        for k in range(STAGE_BLOCKS[self.depth][n - 1]):
            block = ResNeXtBlock3d(
                channels,
                self.scaled(self.stages[name]) // 2,
                cardinality=self.cardinality,
                stride=2 if n > 1 and k == 0 else 1,
            )
            blocks.append(block)
            channels = self.scaled(self.stages[name])
        return {name: blocks}

    def _stem(self, channels: int) -> Mapping[str, nn.Module]:
        width = self.base_channels
        if self.cardinality < 1 or 2 * width % self.cardinality:
            raise ValueError(
                f'cardinality: expected a divisor of 2 x {width} base_channels, '
                f'got {self.cardinality}'
            )
        conv = nn.Conv3d(channels, width, 7, stride=(1, 2, 2), padding=3, bias=False)
        return {
            'conv1': conv,
            'bn1': nn.BatchNorm3d(width),
            'relu': nn.ReLU(inplace=True),
            'maxpool': nn.MaxPool3d(3, stride=2, padding=1),
        }


class ResNeXtBlock3d(nn.Module):
    """Bottleneck with a grouped convolution, twice as wide outside as inside.

    Args:
        in_channels: Channels of the input.
        channels: Width inside; the output has twice as many channels.
        cardinality: Groups of the 3x3x3 convolution.
        stride: Step of the 3x3x3 convolution along time, height and width.
    """

    def __init__(
        self, in_channels: int, channels: int, *, cardinality: int, stride: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = nn.Conv3d(
            channels, channels, 3, stride, padding=1, groups=cardinality, bias=False
        )
        self.bn2 = nn.BatchNorm3d(channels)
        self.conv3 = nn.Conv3d(channels, 2 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(2 * channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != 2 * channels:
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, 2 * channels, 1, stride, bias=False),
                nn.BatchNorm3d(2 * channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Add the bottleneck to its input."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)
