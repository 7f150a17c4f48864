"""Two light gates that others compare with: ECA and CBAM."""

import math

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmattn.attention.capture import emit_attention
from mmattn.registry import MODELS
from mmattn.signatures import OddNumber, Positive


@MODELS.register_module()
class EfficientChannelAttention(BaseModule):
    r"""Scale each channel by a weight computed from its neighbors' means.

    Implements Eq. (5) and (12) of ECA-Net: Efficient Channel Attention for Deep
    Convolutional Neural Networks (Wang et al., CVPR 2020): the weight of a channel is
    the sigmoid of a 1D convolution of k channel means, without bias, with k the odd
    number nearest above :math:`|\log_2(C) / 2 + 1 / 2|`. Each frame of a clip has
    weights of its own.

    Hands out its weights as the attention map ``channel_weights``.

    Args:
        in_channels: Channels C of the map.
        kernel_size: k, an odd number; None computes it.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (N, C, H, W) or (N, C, T, H, W).
        - Output: as the input.

    Raises:
        ValueError: If ``kernel_size`` is no odd number.

    Example:
        >>> EfficientChannelAttention(256).conv.kernel_size
        (5,)
    """

    def __init__(
        self,
        in_channels: Positive,
        *,
        kernel_size: OddNumber | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if kernel_size is None:
            kernel_size = int(abs(math.log2(in_channels) / 2 + 0.5))
            kernel_size += 1 - kernel_size % 2
        self.in_channels = in_channels
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weight the channels of a map."""
        means = x.mean(dim=(-2, -1)).movedim(1, -1)  # (N, C) or (N, T, C)
        rows = means.reshape(-1, 1, self.in_channels)
        weights = self.conv(rows).sigmoid().view(means.shape)
        _emit_channels(self, weights)
        return x * weights.movedim(-1, 1)[..., None, None]


@MODELS.register_module()
class ConvBlockAttention(BaseModule):
    r"""Scale channels, then places, each by a gate.

    Implements Eq. (1)-(3) of CBAM: Convolutional Block Attention Module (Woo et al.,
    ECCV 2018): :math:`M_c = \sigma(MLP(avg) + MLP(max))` over places, with one hidden
    layer of C / r channels and no biases, then :math:`M_s = \sigma(f^{7 \times 7}([avg;
    max]))` over channels. Each frame of a clip has gates of its own.

    Hands out ``channel_weights`` and ``pixel_weights``.

    Args:
        in_channels: Channels C of the map.
        reduction: Ratio r of C to the hidden layer, which has at least 1 channel.
        kernel_size: Side of the convolution over places, an odd number.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (N, C, H, W) or (N, C, T, H, W).
        - Output: as the input.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> ConvBlockAttention(32)(torch.ones(2, 32, 5, 7)).shape
        torch.Size([2, 32, 5, 7])
    """

    def __init__(
        self,
        in_channels: Positive,
        *,
        reduction: Positive = 16,
        kernel_size: OddNumber = 7,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = in_channels
        hidden = max(in_channels // reduction, 1)
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, in_channels, bias=False),
        )
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weight the channels and the places of a map."""
        frames = x if x.dim() == 4 else x.transpose(1, 2).flatten(0, 1)
        means, peaks = frames.mean(dim=(2, 3)), frames.amax(dim=(2, 3))
        channels = (self.mlp(means) + self.mlp(peaks)).sigmoid()  # Eq. (2)
        frames = frames * channels[..., None, None]
        both = [frames.mean(dim=1, keepdim=True), frames.amax(dim=1, keepdim=True)]
        places = self.conv(torch.cat(both, dim=1)).sigmoid()  # Eq. (3)
        frames = frames * places
        if x.dim() == 4:
            _emit_channels(self, channels)
            emit_attention(self, 'pixel_weights', places[:, 0], ('row', 'y', 'x'))
            return frames
        size = (len(x), -1)
        _emit_channels(self, channels.unflatten(0, size))
        maps = places[:, 0].unflatten(0, size)
        emit_attention(self, 'pixel_weights', maps, ('row', 'frame', 'y', 'x'))
        return frames.unflatten(0, size).transpose(1, 2)


def _emit_channels(module: nn.Module, weights: Tensor) -> None:
    """Hand out weights (N, C) or (N, T, C)."""
    axes = ('row', 'channel') if weights.dim() == 2 else ('row', 'frame', 'channel')
    emit_attention(module, 'channel_weights', weights, axes)
