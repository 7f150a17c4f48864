"""Convolutional LSTM that looks at the pixels which its last state points to.

Teja and Akunuri, Spatio-temporal attention for video action recognition, section 2.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmattn.models.layers.convlstm import ConvLSTMCell, GateKernel
from mmattn.models.layers.convlstm_state_attention import (
    ChannelAttention,
    ConvAttention,
    DenseAttention,
    PixelMeanAttention,
    UniformAttention,
)
from mmattn.signatures import OddNumber, checked
from mmattn.utils.autograd import recomputing_possible

Reading = Literal['videolstm', 'gap_dense', 'pixel_mean', 'channel', 'none']


@checked
class AttentionConvLSTM(nn.Module):
    r"""Weigh each frame's map by the last state, and feed it to a ConvLSTM.

    Implements section 2 of Spatio-temporal attention for video action recognition:

    .. math::
        A_t = a(X_t, H_{t-1}), \quad
        H_t, C_t = \mathrm{ConvLSTM}(A_t \circ X_t, H_{t-1}, C_{t-1})

    from :math:`H_0 = C_0 = 0`. What does not depend on the state is computed for all
    frames at once. The parameters do not depend on the number of frames.

    Uniform attention divides the frames by their number of pixels, and a mean pixel
    hides what a few of them remember: with PyTorch's weights next to nothing reaches
    the state, and nothing is learned. The input weights therefore start larger by that
    number, as if the frames were not weighted, and the forget gate with a bias of 1.

    Args:
        in_channels: Channels C of the frames.
        hidden_channels: Channels H of the state.
        attention: Reading of the attention: 'gap_dense', the letter of the report,
            'videolstm', the method that it names, 'pixel_mean', 'channel', or 'none'
            for a twin without, whose pixels weigh the same; see
            :mod:`mmattn.models.layers.convlstm_state_attention`.
        attention_channels: Channels inside the tanh of 'videolstm'; None takes
            ``hidden_channels``.
        attention_kernel: Odd side of the kernels of 'videolstm', in pixels.
        state: 'carried', or 'attention_only' for a cell that starts every frame from
            zeros, so that the last state steers the attention alone.
        cell: 'convlstm', or 'lstm' for an LSTM on the sum of the weighted pixels,
            whose state is a map of one pixel.
        kernel_size: Odd side of the ConvLSTM's kernels, in pixels.
        peepholes: Let the gates see the memory.
        feature_size: Height and width of the map, which 'gap_dense' needs to know, and
            which sets the size of the first input weights.
        with_cp: Recompute each step in the backward pass to save memory.

    Shape:
        - Input: (S, T, C, h, w).
        - Output: states (S, T, H, h, w), with an LSTM (S, T, H, 1, 1), and attention
          (S, T, 1, h, w), with 'channel' (S, T, C, 1, 1).

    Raises:
        ValueError: If an option is out of range or does not go with another.

    Example:
        >>> layer = AttentionConvLSTM(5, 3)
        >>> states, weights = layer(torch.ones(2, 4, 5, 7, 7))
        >>> states.shape, weights.shape
        (torch.Size([2, 4, 3, 7, 7]), torch.Size([2, 4, 1, 7, 7]))
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 16,
        *,
        attention: Reading = 'videolstm',
        attention_channels: int | None = None,
        attention_kernel: OddNumber = 1,
        state: Literal['carried', 'attention_only'] = 'carried',
        cell: Literal['convlstm', 'lstm'] = 'convlstm',
        kernel_size: OddNumber = 3,
        peepholes: bool = False,
        feature_size: tuple[int, int] = (7, 7),
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        if cell == 'lstm' and attention == 'pixel_mean':
            raise ValueError(
                "attention: expected another than 'pixel_mean' with cell='lstm', whose "
                "state tells no pixels apart, got 'pixel_mean'"
            )
        self.hidden_channels = hidden_channels
        self.carried = state == 'carried'
        self.pooled = cell == 'lstm'
        self.with_cp = with_cp
        self.state_size = (1, 1) if self.pooled else tuple(feature_size)
        C, H = in_channels, hidden_channels
        self.attention: (
            ConvAttention
            | DenseAttention
            | PixelMeanAttention
            | ChannelAttention
            | UniformAttention
        )
        if attention == 'videolstm':
            self.attention = ConvAttention(
                C,
                H,
                channels=H if attention_channels is None else attention_channels,
                kernel_size=attention_kernel,
                hidden_kernel_size=1 if self.pooled else None,
            )
        elif attention == 'gap_dense':
            self.attention = DenseAttention(C, H, feature_size=feature_size)
        elif attention == 'pixel_mean':
            self.attention = PixelMeanAttention(C, H)
        elif attention == 'none':
            self.attention = UniformAttention()
        else:
            self.attention = ChannelAttention(C, H)
        self.attends = attention != 'none'
        self.shared_weights = attention != 'channel'
        self.cell = ConvLSTMCell(
            C,
            H,
            kernel_size=1 if self.pooled else kernel_size,
            hidden=self.carried,
            peepholes=peepholes,
        )
        self._init_cell(feature_size)

    def _init_cell(self, feature_size: tuple[int, int]) -> None:
        """Undo what uniform attention does to the frames, and start by remembering."""
        weight, bias = self.cell.input_conv.weight, self.cell.input_conv.bias
        pixels = math.prod(feature_size)
        scale = pixels if self.shared_weights else weight.shape[1]
        with torch.no_grad():
            weight.mul_(scale / pixels if self.pooled else scale)
            cast(Tensor, bias)[: self.hidden_channels].fill_(1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Go through the frames."""
        S = len(frames)
        if frames.dim() != 5 or 0 in frames.shape:
            raise ValueError(
                'frames: expected (S, T, C, h, w), each of 1 or more, got '
                f'{tuple(frames.shape)}'
            )
        parts = self.attention.frame_part(frames.flatten(0, 1))
        zeros = self._zeros(frames)
        state, memory = zeros, zeros
        states, maps = [], []
        parts = parts.unflatten(0, (S, -1))
        kernels = self.cell.split_kernels()
        attend: Callable = self._attend
        if self.with_cp and recomputing_possible():
            attend = partial(
                checkpoint,
                self._attend,
                use_reentrant=False,
                preserve_rng_state=False,  # nothing here is random
            )
        for part, frame in zip(parts.unbind(1), frames.unbind(1), strict=True):
            state, memory, weights = attend(part, frame, state, memory, kernels)
            states.append(state)
            maps.append(weights)
        return torch.stack(states, dim=1), torch.stack(maps, dim=1)

    def _attend(
        self,
        part: Tensor,
        frame: Tensor,
        state: Tensor,
        memory: Tensor,
        kernels: list[GateKernel] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """State, memory and attention of one frame."""
        weights = self.attention(part, state)  # A_t
        if not self.carried:
            state = memory = torch.zeros_like(memory)
        if self.pooled:
            frame = (weights * frame).sum(dim=(2, 3), keepdim=True)  # (S, C, 1, 1)
            state, memory = self.cell(frame, weights.new_ones(1), state, memory)
        else:
            state, memory = self.cell(frame, weights, state, memory, kernels)
        return state, memory, weights

    def _zeros(self, frames: Tensor) -> Tensor:
        size = (1, 1) if self.pooled else frames.shape[3:]
        # Full precision under autocast, whatever made the frames.
        weight = self.cell.input_conv.weight
        return weight.new_zeros(len(frames), self.hidden_channels, *size)
