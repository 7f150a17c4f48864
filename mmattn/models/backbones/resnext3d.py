"""3D ResNeXt.

Hara et al., Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?,
section 3.2 and table 1. The weight names are those of the published Kinetics weights.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone, required_stages
from mmattn.models.backbones.inception_i3d import check_clips, default_init_cfg
from mmattn.registry import MODELS
from mmattn.utils.inflate import inflate_like

STAGE_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
STAGES = ('stem', 'layer1', 'layer2', 'layer3', 'layer4')


@MODELS.register_module()
class ResNeXt3D(StagedBackbone):
    """Four groups of residual blocks with grouped 3x3x3 convolutions.

    Stages: ``stem`` (convolution and pool), ``layer1``, ``layer2``, ``layer3``,
    ``layer4``; those behind the last requested one are not built. Clips may have any
    size.

    Args:
        depth: 50, 101 or 152 layers.
        cardinality: Groups of the 3x3x3 convolutions.
        base_channels: Width of the stem; the blocks of ``layerN`` have 2^N times it
            inside and 2^(N+1) times it outside.
        in_channels: Channels of a frame, 3 for RGB and 2 for flow.
        out: Stage to return, or a sequence of stages to return as a tuple.
        frozen_stages: Number of stages that are frozen; -1 or 0 for none, 'all' for
            all.
        norm_eval: Keep batch normalization in eval mode while training.
        partial_bn: Keep all batch normalizations but the first as they are.
        with_cp: Recompute each stage in the backward pass to save memory.
        pretrained2d: Whether the checkpoint of ``init_cfg`` holds a 2D ResNeXt (the
            names of torchvision and timm), whose kernels are inflated.
        init_cfg: As in MMEngine; ``dict(type='Pretrained', checkpoint=...)`` reads
            the published files. Weights trained on RGB fill a first convolution of
            other ``in_channels`` with their mean.

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

    first_conv = 'conv1.weight'

    def __init__(
        self,
        depth: int = 101,
        *,
        cardinality: int = 32,
        base_channels: int = 64,
        in_channels: int = 3,
        out: str | Sequence[str] = 'layer4',
        frozen_stages: int | str = -1,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        pretrained2d: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if depth not in STAGE_BLOCKS:
            raise ValueError(
                f'depth: expected one of {list(STAGE_BLOCKS)}, got {depth}'
            )
        if cardinality < 1 or 2 * base_channels % cardinality:
            raise ValueError(
                f'cardinality: expected a divisor of 2 x {base_channels} '
                f'base_channels, got {cardinality}'
            )
        super().__init__(
            required_stages(STAGES, out),
            out,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            partial_bn=partial_bn,
            with_cp=with_cp,
            init_cfg=default_init_cfg() if init_cfg is None else init_cfg,
        )
        self.in_channels = in_channels
        self.pretrained2d = pretrained2d
        self.conv1 = nn.Conv3d(
            in_channels, base_channels, 7, stride=(1, 2, 2), padding=3, bias=False
        )
        self.bn1 = nn.BatchNorm3d(base_channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
        channels = base_channels
        for n, count in enumerate(STAGE_BLOCKS[depth][: len(self.stage_names) - 1]):
            blocks = nn.Sequential()
            for k in range(count):
                block = ResNeXtBlock3d(
                    channels,
                    2 ** (n + 1) * base_channels,
                    cardinality=cardinality,
                    stride=2 if n > 0 and k == 0 else 1,
                )
                blocks.append(block)
                channels = block.out_channels
            self.add_module(f'layer{n + 1}', blocks)
        self._freeze()

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the output or outputs named by ``out``."""
        check_clips(x, self.in_channels)
        return super().forward(x)

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        if name == 'stem':
            return [self.conv1, self.bn1, self.relu, self.maxpool]
        return [self.get_submodule(name)]

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Inflate the weights of a 2D network if ``pretrained2d``."""
        if not self.pretrained2d:
            return name, tensor
        target = self.state_dict().get(name)
        return name, tensor if target is None else inflate_like(tensor, target)


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
        self.out_channels = 2 * channels
        self.conv1 = nn.Conv3d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = nn.Conv3d(
            channels, channels, 3, stride, padding=1, groups=cardinality, bias=False
        )
        self.bn2 = nn.BatchNorm3d(channels)
        self.conv3 = nn.Conv3d(channels, self.out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(self.out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != self.out_channels:
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, self.out_channels, 1, stride, bias=False),
                nn.BatchNorm3d(self.out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Add the bottleneck to its input."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)
