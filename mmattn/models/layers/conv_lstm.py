"""LSTM whose gates are convolutions, on inputs that an attention map weighs.

Teja and Akunuri, Spatio-temporal attention for video action recognition, section 2.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmattn.models.layers.temporal_attention import lstm_cell

PROJECTED_RATIO = 2  # most channels kept per pixel, as a multiple of the input's


class ConvLSTMCell(nn.Module):
    r"""One step of a convolutional LSTM on a map that is weighted pixel by pixel.

    Follows section 2 of Spatio-temporal attention for video action recognition, with
    the gates of VideoLSTM:

    .. math::
        f, i, o &= \sigma(W_x * (A_t \circ X_t) + W_h * H_{t-1} + b), \quad
        g = \tanh(W_x * (A_t \circ X_t) + W_h * H_{t-1} + b) \\
        C_t &= f \circ C_{t-1} + i \circ g, \quad H_t = o \circ \tanh C_t

    Where the weight :math:`A_t` of a pixel is the same for all channels,
    :math:`W_x * (A_t \circ X_t)` is a sum over the taps d of the kernel of
    :math:`A_t(p + d) \, W_x(d) X_t(p + d)`. The products :math:`W_x(d) X_t` do not
    depend on the state: :meth:`project` makes those of all frames in one go, if they
    are not many more numbers than the frames themselves.

    Args:
        in_channels: Channels C of the input.
        hidden_channels: Channels H of state and memory.
        kernel_size: Odd side of the kernels, in pixels; zeros are padded.
        hidden: False leaves the convolution of the state out, for a cell that starts
            each step from zeros.
        peepholes: Let the gates see the memory, one weight per gate and channel.

    Shape:
        - Projected frame: (B, C, h, w) or (B, 4H * taps, h * w), see :meth:`project`.
        - Weights: (B, 1, h, w), or (B, C, 1, 1) for a frame that is not projected.
        - State, memory and output: (B, H, h, w).

    Raises:
        ValueError: If ``kernel_size`` is even, or peepholes have no memory to see.

    Example:
        >>> cell = ConvLSTMCell(5, 3)
        >>> zeros = torch.zeros(2, 3, 7, 7)
        >>> frame, weights = torch.ones(2, 5, 7, 7), torch.ones(2, 1, 7, 7)
        >>> h, c = cell(cell.project(frame), weights, zeros, zeros)
        >>> h.shape
        torch.Size([2, 3, 7, 7])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        *,
        kernel_size: int = 3,
        hidden: bool = True,
        peepholes: bool = False,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f'kernel_size: expected an odd number, got {kernel_size}')
        if peepholes and not hidden:
            raise ValueError(
                "peepholes: expected False with state='attention_only', whose memory "
                'is zero, got True'
            )
        gates, padding = 4 * hidden_channels, kernel_size // 2
        self.hidden_channels = hidden_channels
        self.input_conv = nn.Conv2d(in_channels, gates, kernel_size, padding=padding)
        self.hidden_conv: nn.Conv2d | None = None
        if hidden:
            self.hidden_conv = nn.Conv2d(
                hidden_channels, gates, kernel_size, padding=padding, bias=False
            )
        self.peepholes: nn.Parameter | None = None
        if peepholes:  # of f, i and o
            self.peepholes = nn.Parameter(torch.zeros(3, hidden_channels, 1, 1))
        projected = gates * kernel_size**2
        self.projects = projected <= PROJECTED_RATIO * in_channels

    def project(self, frames: Tensor, *, shared_weights: bool = True) -> Tensor:
        """What the gates need of frames, whatever their weights and the state are.

        Args:
            frames: Maps of any number of frames, (N, C, h, w).
            shared_weights: Whether the weights will be the same for all channels.

        Returns:
            Products with all taps (N, 4H * taps, h * w), or the frames as they are.
        """
        if not (self.projects and shared_weights):
            return frames
        weight = self.input_conv.weight.flip(2, 3)  # (4H, C, k, k)
        taps = weight.permute(0, 2, 3, 1).flatten(0, 2)  # (4H * k * k, C)
        return torch.matmul(taps, frames.flatten(2))

    def forward(
        self, projected: Tensor, weights: Tensor, state: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """State and memory behind one frame."""
        gates = self.input_gates(projected, weights)
        if self.hidden_conv is not None:
            gates = gates + self.hidden_conv(state)
        if self.peepholes is None:
            return lstm_cell(gates, memory)
        return peephole_cell(gates, memory, self.peepholes)

    def input_gates(self, projected: Tensor, weights: Tensor) -> Tensor:
        """W_x * (A_t o X_t) + b, (B, 4H, h, w)."""
        if projected.dim() == 4:
            return self.input_conv(weights * projected)
        size = weights.shape[2:]
        weighted = weights.flatten(2).to(projected.dtype) * projected
        # Each pixel adds its product with tap d to the pixel that d points to.
        kernel, padding = self.input_conv.kernel_size, self.input_conv.padding
        gates = F.fold(weighted, size, kernel, padding=cast(tuple[int, int], padding))
        bias = cast(Tensor, self.input_conv.bias)
        return gates + bias[:, None, None]


def peephole_cell(
    gates: Tensor, memory: Tensor, peepholes: Tensor
) -> tuple[Tensor, Tensor]:
    """State and memory where the gates see the memory.

    Args:
        gates: Inputs of the gates f, i, o and g without the memory's share.
        memory: C_{t-1}; the output gate sees C_t.
        peepholes: Weights of the memory in f, i and o.

    Shape:
        - gates: (B, 4H, h, w).
        - memory: (B, H, h, w).
        - peepholes: (3, H, 1, 1).
        - Output: (B, H, h, w) and (B, H, h, w).

    Example:
        >>> zeros = torch.zeros(1, 4, 1, 1)
        >>> h, c = peephole_cell(zeros, torch.ones(1, 1, 1, 1), torch.zeros(3, 1, 1, 1))
        >>> c.item()
        0.5
    """
    f, i, o, g = gates.chunk(4, dim=1)
    w_f, w_i, w_o = peepholes
    f = torch.sigmoid(f + w_f * memory)
    i = torch.sigmoid(i + w_i * memory)
    c = f * memory + i * torch.tanh(g)
    return torch.sigmoid(o + w_o * c) * torch.tanh(c), c
