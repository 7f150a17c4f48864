"""Attention over a feature map by what a recurrent network has seen so far.

Teja and Akunuri, Spatio-temporal attention for video action recognition, section 2.
The text fits several formulas; each reading is a class with the same two methods.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class UniformAttention(nn.Module):
    """Reading ``'none'``: the same weight for each pixel, the baseline.

    Shape:
        - Frames: (N, C, h, w).
        - State: (B, H, h, w) or (B, H, 1, 1).
        - Output: (B, 1, h, w), of sum 1.

    Example:
        >>> attention = UniformAttention()
        >>> part = attention.frame_part(torch.ones(1, 5, 7, 2))
        >>> attention(part, torch.zeros(1, 3, 7, 2)).shape
        torch.Size([1, 1, 7, 2])
    """

    def frame_part(self, frames: Tensor) -> Tensor:
        """Part that does not depend on the state, (N, 1, h, w)."""
        return torch.full_like(frames[:, :1], 1 / frames[0, 0].numel())

    def forward(self, frame_part: Tensor, state: Tensor) -> Tensor:
        """Weights of the pixels."""
        del state
        return frame_part


class ConvAttention(nn.Module):
    r"""Reading ``'videolstm'``: weights of the pixels by convolutions.

    The form of VideoLSTM, which the report says it implements:

    .. math::
        A_t = \mathrm{softmax}(W_z * \tanh(W_{xa} * X_t + W_{ha} * H_{t-1} + b_a))

    Args:
        in_channels: Channels C of the frames.
        hidden_channels: Channels H of the state.
        channels: Channels inside the tanh.
        kernel_size: Odd side of the three kernels, in pixels.
        hidden_kernel_size: Side of the state's kernel; None takes ``kernel_size``.

    Shape:
        - Frames: (N, C, h, w).
        - State: (B, H, h, w) or (B, H, 1, 1).
        - Output: (B, 1, h, w), non-negative, of sum 1.

    Example:
        >>> attention = ConvAttention(5, 3, channels=2)
        >>> part = attention.frame_part(torch.ones(1, 5, 7, 7))
        >>> attention(part, torch.zeros(1, 3, 7, 7)).sum().item()
        1.0
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        *,
        channels: int,
        kernel_size: int = 1,
        hidden_kernel_size: int | None = None,
    ) -> None:
        super().__init__()
        k = kernel_size
        n = k if hidden_kernel_size is None else hidden_kernel_size
        self.w_xa = nn.Conv2d(in_channels, channels, k, padding=k // 2)  # bias: b_a
        self.w_ha = nn.Conv2d(hidden_channels, channels, n, padding=n // 2, bias=False)
        self.w_z = nn.Conv2d(channels, 1, k, padding=k // 2, bias=False)

    def frame_part(self, frames: Tensor) -> Tensor:
        """Part that does not depend on the state, (N, channels, h, w)."""
        if self.w_xa.kernel_size != (1, 1):
            return self.w_xa(frames)
        # A convolution would copy all frames into a layout of its own.
        part = torch.matmul(self.w_xa.weight.flatten(1), frames.flatten(2))
        bias = cast(Tensor, self.w_xa.bias)
        return part.unflatten(2, frames.shape[2:]) + bias[:, None, None]

    def forward(self, part: Tensor, state: Tensor) -> Tensor:
        """Weights of the pixels."""
        z = self.w_z(torch.tanh(part + self.w_ha(state)))  # (B, 1, h, w)
        return _softmax(z, self.w_z.weight.dtype)


class DenseAttention(nn.Module):
    r"""Reading ``'gap_dense'``: weights of the pixels by a layer on the mean feature.

    .. math::
        A_t = \mathrm{softmax}(W_d (\mathrm{GAP}(X_t) + W_c \mathrm{GAP}(H_{t-1}) + b_c)
        + b_d)

    reshaped to the map, whose size is thereby fixed.

    Args:
        in_channels: Channels C of the frames.
        hidden_channels: Channels H of the state.
        feature_size: Height and width of the map.

    Shape:
        - Frames: (N, C, h, w).
        - State: (B, H, h, w) or (B, H, 1, 1).
        - Output: (B, 1, h, w), non-negative, of sum 1.

    Raises:
        ValueError: If the map has another size.

    Example:
        >>> attention = DenseAttention(5, 3, feature_size=(7, 7))
        >>> part = attention.frame_part(torch.ones(2, 5, 7, 7))
        >>> attention(part, torch.zeros(2, 3, 7, 7)).shape
        torch.Size([2, 1, 7, 7])
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, *, feature_size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.feature_size = tuple(feature_size)
        h, w = self.feature_size
        self.context = nn.Linear(hidden_channels, in_channels)
        self.dense = nn.Linear(in_channels, h * w)

    def frame_part(self, frames: Tensor) -> Tensor:
        """Part that does not depend on the state, (N, h * w)."""
        if tuple(frames.shape[2:]) != self.feature_size:
            raise ValueError(
                f'feature_size: expected maps of {self.feature_size}, got '
                f'{tuple(frames.shape[2:])}'
            )
        return self.dense(frames.mean(dim=(2, 3)))

    def forward(self, part: Tensor, state: Tensor) -> Tensor:
        """Weights of the pixels."""
        context = self.context(state.mean(dim=(2, 3)))  # (B, C)
        z = part + F.linear(context, self.dense.weight)  # (B, h * w)
        return _softmax(
            z.unflatten(1, (1, *self.feature_size)), self.dense.weight.dtype
        )


class PixelMeanAttention(nn.Module):
    r"""Reading ``'pixel_mean'``: weights of the pixels by their mean channel.

    .. math::
        A_t = \mathrm{softmax}(\mathrm{mean}_c X_t + w_h * H_{t-1})

    Args:
        in_channels: Unused; the other readings need it.
        hidden_channels: Channels H of the state.

    Shape:
        - Frames: (N, C, h, w).
        - State: (B, H, h, w).
        - Output: (B, 1, h, w), non-negative, of sum 1.

    Example:
        >>> attention = PixelMeanAttention(5, 3)
        >>> part = attention.frame_part(torch.ones(2, 5, 7, 7))
        >>> attention(part, torch.zeros(2, 3, 7, 7)).shape
        torch.Size([2, 1, 7, 7])
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.context = nn.Conv2d(hidden_channels, 1, 1, bias=False)

    def frame_part(self, frames: Tensor) -> Tensor:
        """Part that does not depend on the state, (N, 1, h, w)."""
        return frames.mean(dim=1, keepdim=True)

    def forward(self, part: Tensor, state: Tensor) -> Tensor:
        """Weights of the pixels."""
        return _softmax(part + self.context(state), self.context.weight.dtype)


class ChannelAttention(nn.Module):
    r"""Reading ``'channel'``: weights of the channels, the same for all pixels.

    .. math::
        A_t = \mathrm{softmax}(\mathrm{GAP}(X_t) + W_c \mathrm{GAP}(H_{t-1}) + b_c)

    Args:
        in_channels: Channels C of the frames.
        hidden_channels: Channels H of the state.

    Shape:
        - Frames: (N, C, h, w).
        - State: (B, H, h, w) or (B, H, 1, 1).
        - Output: (B, C, 1, 1), non-negative, of sum 1.

    Example:
        >>> attention = ChannelAttention(5, 3)
        >>> part = attention.frame_part(torch.ones(2, 5, 7, 7))
        >>> attention(part, torch.zeros(2, 3, 7, 7)).shape
        torch.Size([2, 5, 1, 1])
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.context = nn.Linear(hidden_channels, in_channels)

    def frame_part(self, frames: Tensor) -> Tensor:
        """Part that does not depend on the state, (N, C)."""
        return frames.mean(dim=(2, 3))

    def forward(self, part: Tensor, state: Tensor) -> Tensor:
        """Weights of the channels."""
        z = part + self.context(state.mean(dim=(2, 3)))  # (B, C)
        return _softmax(z[:, :, None, None], self.context.weight.dtype)


def _softmax(z: Tensor, dtype: torch.dtype) -> Tensor:
    """Softmax over all but the batch, in full precision under autocast."""
    return torch.softmax(z.flatten(1), dim=1, dtype=dtype).view_as(z)
