"""VGG, the per-frame network of temporal attention and of ConvLSTM attention.

Simonyan and Zisserman, Very deep convolutional networks for large-scale image
recognition, table 1. The weight names are torchvision's.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmattn.models.backbones.base import (
    StagedBackbone,
    default_init_cfg,
    required_stages,
)
from mmattn.registry import MODELS

BLOCK_CONVS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
BLOCK_WIDTHS = (1, 2, 4, 8, 8)
BLOCKS = range(1, 6)
STAGES = (*(f'{kind}{n}' for n in BLOCKS for kind in ('conv', 'pool')), 'fc6', 'fc7')


@MODELS.register_module()
class VGG(StagedBackbone):
    """Five blocks of 3x3 convolutions, each followed by a max pool, and two layers.

    Stages: ``conv1``, ``pool1``, ... ``conv5``, ``pool5``, ``fc6``, ``fc7``; those
    behind the last requested one are not built.

    Args:
        depth: 11, 13, 16 or 19 layers with weights.
        batch_norm: Normalize after each convolution.
        in_channels: Channels of a frame, 3 for RGB and 2L for L stacked flow fields.
        base_channels: Width of the first block; the others have 2, 4, 8 and 8 times it.
        fc_channels: Width of fc6 and fc7.
        out: Stage to return, or a sequence of stages to return as a tuple.
        dropout: Probability between fc6 and fc7. Dropout behind the last output is
            the head's.
        input_size: Side in pixels of the frames for which fc6 was trained; frames of
            another size are pooled to the same grid.
        fc_relu: Return fc6 and fc7 after their ReLU.
        frozen_stages: Number of stages with weights (conv1, ... conv5, fc6, fc7) that
            are frozen; -1 or 0 for none, 'all' for all.
        norm_eval: Keep batch normalization in eval mode while training.
        partial_bn: Keep all batch normalizations but the first as they are.
        with_cp: Recompute each stage in the backward pass to save memory.
        num_segments: Frames of a video, where the host's recognizers ask for it.
        init_cfg: As in MMEngine; ``dict(type='Pretrained', checkpoint=...)`` reads
            torchvision's and timm's files. Weights trained on RGB fill a first
            convolution of other ``in_channels`` with their mean.

    Shape:
        - Input: (N, in_channels, H, W).
        - Output: convN (N, C_N, H / 2^(N-1), W / 2^(N-1)), poolN half of it, fc6 and
          fc7 (N, fc_channels, 1, 1).

    Raises:
        ValueError: If an option is out of range, or a frame is too small to be pooled
            (32 pixels are needed for pool5 and what follows).

    Example:
        >>> import torch
        >>> vgg = VGG(11, base_channels=4, fc_channels=8, out='fc6')
        >>> vgg(torch.ones(2, 3, 64, 48)).shape
        torch.Size([2, 8, 1, 1])
    """

    first_conv = 'features.0.weight'
    windows = {f'pool{n}': ((2, 2),) for n in BLOCKS}

    def __init__(
        self,
        depth: int = 16,
        *,
        batch_norm: bool = False,
        in_channels: int = 3,
        base_channels: int = 64,
        fc_channels: int = 4096,
        out: str | Sequence[str] = 'fc6',
        dropout: float = 0.5,
        input_size: int = 224,
        fc_relu: bool = True,
        frozen_stages: int | str = -1,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        num_segments: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if depth not in BLOCK_CONVS:
            raise ValueError(f'depth: expected one of {list(BLOCK_CONVS)}, got {depth}')
        if input_size < 32:
            raise ValueError(f'input_size: expected at least 32, got {input_size}')
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
        self._slices: dict[str, slice] = {}
        self.features = nn.Sequential()
        self._build_features(depth, base_channels, batch_norm)
        if 'fc6' in self.stage_names:
            grid = input_size // 32
            self.avgpool = nn.AdaptiveAvgPool2d(grid)
            self.flatten = nn.Flatten()
            self.unflatten = nn.Unflatten(1, (fc_channels, 1, 1))
            pooled = BLOCK_WIDTHS[-1] * base_channels * grid**2
            self.classifier = nn.Sequential()
            self._build_classifier(pooled, fc_channels, dropout, fc_relu)
        self._freeze()

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        if name == 'fc6':
            layers = list(self.classifier)[self._slices[name]]
            return [self.avgpool, self.flatten, *layers, self.unflatten]
        if name == 'fc7':
            layers = list(self.classifier)[self._slices[name]]
            return [self.flatten, *layers, self.unflatten]
        return list(self.features)[self._slices[name]]

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Read timm's 7x7 and 1x1 convolutions as the layers they are."""
        for fc, index in (('fc1', 0), ('fc2', 3)):
            if name == f'pre_logits.{fc}.weight':
                return f'classifier.{index}.weight', tensor.flatten(1)
            if name == f'pre_logits.{fc}.bias':
                return f'classifier.{index}.bias', tensor
        return name, tensor

    def _build_features(self, depth: int, width: int, batch_norm: bool) -> None:
        layers: list[nn.Module] = []
        channels = self.in_channels
        for n, convs, ratio in zip(
            BLOCKS, BLOCK_CONVS[depth], BLOCK_WIDTHS, strict=True
        ):
            if f'conv{n}' not in self.stage_names:
                break
            first = len(layers)
            for _ in range(convs):
                layers.append(nn.Conv2d(channels, ratio * width, 3, padding=1))
                channels = ratio * width
                if batch_norm:
                    layers.append(nn.BatchNorm2d(channels))
                layers.append(nn.ReLU(inplace=True))
            self._slices[f'conv{n}'] = slice(first, len(layers))
            if f'pool{n}' in self.stage_names:
                self._slices[f'pool{n}'] = slice(len(layers), len(layers) + 1)
                layers.append(nn.MaxPool2d(2))
        self.features.extend(layers)

    def _build_classifier(
        self, pooled: int, width: int, dropout: float, fc_relu: bool
    ) -> None:
        # Without fc_relu each ReLU is the first step of the stage that follows.
        split = 2 if fc_relu else 1
        self._slices['fc6'] = slice(0, split)
        self._slices['fc7'] = slice(split, 3 + split)
        layers: list[nn.Module] = [nn.Linear(pooled, width), nn.ReLU()]
        if 'fc7' in self.stage_names:
            layers += [nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU()]
        self.classifier.extend(layers)
