"""VGG, the per-frame network of temporal attention and of ConvLSTM attention.

Simonyan and Zisserman, Very deep convolutional networks for large-scale image
recognition, table 1. The weight names are torchvision's.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone
from mmattn.registry import MODELS
from mmattn.signatures import Bounds, Positive, Share

BLOCK_CONVS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


@MODELS.register_module()
class VGG(StagedBackbone):
    """Five blocks of 3x3 convolutions, each followed by a max pool, and two layers.

    Stages: ``conv1``, ``pool1``, ... ``conv5``, ``pool5``, ``fc6``, ``fc7``. Pretrained
    weights are read from torchvision's and timm's files.

    Args:
        depth: 11, 13, 16 or 19 layers with weights.
        batch_norm: Normalize after each convolution.
        fc_channels: Width of fc6 and fc7.
        dropout: Probability between fc6 and fc7. Dropout behind the last output is
            the head's.
        input_size: Side in pixels of the frames for which fc6 was trained; frames of
            another size are pooled to the same grid.
        fc_relu: Return fc6 and fc7 after their ReLU.
        out: As in :class:`~mmattn.models.backbones.base.StagedBackbone`.
        **options: The other arguments of that class; ``base_channels`` is 64.

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

    stages = {
        'conv1': 64,
        'pool1': 64,
        'conv2': 128,
        'pool2': 128,
        'conv3': 256,
        'pool3': 256,
        'conv4': 512,
        'pool4': 512,
        'conv5': 512,
        'pool5': 512,
        'fc6': 4096,
        'fc7': 4096,
    }
    first_conv = 'features.0.weight'
    windows = {f'pool{n}': ((2, 2),) for n in range(1, 6)}

    def __init__(
        self,
        depth: int = 16,
        *,
        batch_norm: bool = False,
        fc_channels: Positive = 4096,
        dropout: Share = 0.5,
        input_size: Annotated[int, Bounds(32)] = 224,
        fc_relu: bool = True,
        out: str | Sequence[str] = 'fc6',
        **options: Any,
    ) -> None:
        if depth not in BLOCK_CONVS:
            raise ValueError(f'depth: expected one of {list(BLOCK_CONVS)}, got {depth}')
        self.depth = depth
        self.batch_norm = batch_norm
        self.fc_channels = fc_channels
        self.dropout = dropout
        self.input_size = input_size
        self.fc_relu = fc_relu
        super().__init__(out=out, **options)

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other."""
        if name == 'fc6':
            grid = self.input_size // 32
            pool = {'avgpool': nn.AdaptiveAvgPool2d(grid)}
            return pool | self._linear(name, channels * grid**2)
        if name == 'fc7':
            return self._linear(name, self.fc_channels)
        if name.startswith('pool'):
            return self._appended('features', [nn.MaxPool2d(2)])
        layers: list[nn.Module] = []
        width = self.scaled(self.stages[name])
        for _ in range(BLOCK_CONVS[self.depth][int(name[-1]) - 1]):
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            if self.batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            channels = width
        return self._appended('features', layers)

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Read timm's 7x7 and 1x1 convolutions as the layers they are."""
        for fc, index in (('fc1', 0), ('fc2', 3)):
            if name == f'pre_logits.{fc}.weight':
                return f'classifier.{index}.weight', tensor.flatten(1)
            if name == f'pre_logits.{fc}.bias':
                return f'classifier.{index}.bias', tensor
        return name, tensor

    def _linear(self, name: str, channels: int) -> dict[str, nn.Module]:
        layers: list[nn.Module] = [nn.Linear(channels, self.fc_channels), nn.ReLU()]
        if name == 'fc7':
            layers.insert(0, nn.Dropout(self.dropout))
        if not self.fc_relu:
            # Each ReLU is the first step of the stage that follows.
            last = layers.pop()
            layers = [last, *layers] if name == 'fc7' else layers
        return {
            f'{name}_flatten': nn.Flatten(),
            **self._appended('classifier', layers),
            f'{name}_unflatten': nn.Unflatten(1, (self.fc_channels, 1, 1)),
        }

    def _appended(self, parent: str, layers: list[nn.Module]) -> dict[str, nn.Module]:
        first = len(getattr(self, parent, ()))
        return {f'{parent}.{first + k}': layer for k, layer in enumerate(layers)}
