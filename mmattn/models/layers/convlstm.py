"""LSTM whose gates are convolutions, on inputs that an attention map weighs.

Teja and Akunuri, Spatio-temporal attention for video action recognition, section 2.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmattn.models.layers.temporal_lstm import lstm_cell

# From this width on, a CPU convolves four kernels faster than one for all gates, which
# outgrows its cache (measured on maps of 7 x 7 of 512 channels: equally fast at 128).
SPLIT_CHANNELS = 256

GateKernel = tuple[Tensor, Tensor, Tensor | None]  # of input, bias, of state


class ConvLSTMCell(nn.Module):
    r"""One step of a convolutional LSTM on a map that is weighted pixel by pixel.

    Follows section 2 of Spatio-temporal attention for video action recognition, with
    the gates of VideoLSTM:

    .. math::
        f, i, o &= \sigma(W_x * (A_t \circ X_t) + W_h * H_{t-1} + b), \quad
        g = \tanh(W_x * (A_t \circ X_t) + W_h * H_{t-1} + b) \\
        C_t &= f \circ C_{t-1} + i \circ g, \quad H_t = o \circ \tanh C_t

    Args:
        in_channels: Channels C of the input.
        hidden_channels: Channels H of state and memory.
        kernel_size: Odd side of the kernels, in pixels; zeros are padded.
        hidden: False leaves the convolution of the state out, for a cell that starts
            each step from zeros.
        peepholes: Let the gates see the memory, one weight per gate and channel.

    Shape:
        - Frame: (B, C, h, w).
        - Weights: (B, 1, h, w) or (B, C, 1, 1).
        - State, memory and output: (B, H, h, w).

    Raises:
        ValueError: If ``kernel_size`` is even, or peepholes have no memory to see.

    Example:
        >>> cell = ConvLSTMCell(5, 3)
        >>> zeros = torch.zeros(2, 3, 7, 7)
        >>> frame, weights = torch.ones(2, 5, 7, 7), torch.ones(2, 1, 7, 7)
        >>> h, c = cell(frame, weights, zeros, zeros)
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

    def forward(
        self,
        frame: Tensor,
        weights: Tensor,
        state: Tensor,
        memory: Tensor,
        kernels: list[GateKernel] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """State and memory behind one frame.

        Args:
            frame: Frame.
            weights: Weights of its pixels or channels.
            state: State behind the last frame.
            memory: Memory behind the last frame.
            kernels: What :meth:`split_kernels` returned before the first frame.
        """
        attended = weights * frame
        if kernels is None:
            gates = self.input_conv(attended)
            if self.hidden_conv is not None:
                gates = gates + self.hidden_conv(state)
        else:
            gates = torch.cat(
                [self._gate(attended, state, kernel) for kernel in kernels], dim=1
            )
        if self.peepholes is None:
            return lstm_cell(gates, memory)
        return peephole_cell(gates, memory, self.peepholes)

    def split_kernels(self) -> list[GateKernel] | None:
        """Kernel of the input, bias and kernel of the state, gate by gate.

        Returns:
            None where one convolution for all gates is faster.
        """
        conv, wide = self.input_conv, self.hidden_channels >= SPLIT_CHANNELS
        if not wide or conv.kernel_size == (1, 1) or conv.weight.device.type != 'cpu':
            return None
        of_state: Sequence[Tensor | None] = [None] * 4
        if self.hidden_conv is not None:
            of_state = self.hidden_conv.weight.chunk(4)
        biases = cast(Tensor, conv.bias).chunk(4)
        return list(zip(conv.weight.chunk(4), biases, of_state, strict=True))

    def _gate(self, attended: Tensor, state: Tensor, kernel: GateKernel) -> Tensor:
        of_input, bias, of_state = kernel
        padding = self.input_conv.padding
        gate = F.conv2d(attended, of_input, bias, padding=padding)
        if of_state is None:
            return gate
        return gate + F.conv2d(state, of_state, padding=padding)


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
