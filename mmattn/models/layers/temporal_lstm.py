"""Recurrent temporal attention over the frames of a sequence.

Liu, Tian and Wang, Improving human action recognition by temporal attention,
section 2.2.
"""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from mmattn.models.layers.temporal_lstm_projection import DeferredLinear
from mmattn.signatures import Positive, Share, checked


@checked
class TemporalAttentionLSTM(nn.Module):
    r"""Stacked LSTM that looks at all frames in every step and re-weights them.

    Implements Eq. (3)-(6) of Improving human action recognition by temporal attention:

    .. math::
        e_i^t = \tanh(w_a^\top h_{t-1} + u_a^\top v_i + b_a), \quad
        \alpha^t = \mathrm{softmax}(e^t), \quad
        x_t = \sum_i \alpha_i^t v_i

    and :math:`x_t` feeds the LSTM. Since :math:`W x_t = \sum_i \alpha_i^t W v_i`, all
    frames pass the first layer's :math:`W` once, not once per step.

    The parameters do not depend on the numbers of frames and steps.

    Args:
        in_channels: Width C of the frame features.
        hidden_channels: Memory cells H of each layer.
        num_steps: Iterations D; None for as many as there are frames.
        num_layers: Stacked LSTM layers.
        attention: False for the paper's baseline, whose input in every step is the
            mean of the features.
        query: Hidden state that :math:`h_{t-1}` of Eq. (5) stands for: 'top', 'bottom'
            or all layers concatenated ('concat').
        init_state: 'zeros', or 'mean_mlp' for one tanh layer on the mean feature for
            each initial hidden state and memory.
        dropout: Probability on the connections between layers.
        bound: Largest relevance b, in :math:`e = b \tanh(\cdot / b)`; 1 is Eq. (5), by
            which no weight of 30 frames exceeds 0.203. None leaves the tanh out.

    Shape:
        - Input: (B, T, C).
        - Output: top hidden states (B, D, H) and attention weights (B, D, T).

    Raises:
        ValueError: If an option is out of range.

    Example:
        >>> layer = TemporalAttentionLSTM(7, 5, num_steps=3)
        >>> hidden, alpha = layer(torch.ones(2, 4, 7))
        >>> hidden.shape, alpha.shape
        (torch.Size([2, 3, 5]), torch.Size([2, 3, 4]))
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 512,
        *,
        num_steps: Positive | None = None,
        num_layers: Positive = 2,
        attention: bool = True,
        query: Literal['top', 'bottom', 'concat'] = 'top',
        init_state: Literal['zeros', 'mean_mlp'] = 'zeros',
        dropout: Share = 0.0,
        bound: float | None = 1.0,
    ) -> None:
        super().__init__()
        H = hidden_channels
        self.hidden_channels = H
        self.num_steps = num_steps
        self.query = query
        widths = [in_channels] + [H] * (num_layers - 1)
        self.layers = nn.ModuleList(LSTMLayer(width, H) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.attention: FrameAttention | None = None
        if attention:
            query_channels = num_layers * H if query == 'concat' else H
            self.attention = FrameAttention(in_channels, query_channels, bound=bound)
        self.init_state: nn.Linear | None = None
        if init_state == 'mean_mlp':
            self.init_state = nn.Linear(in_channels, 2 * num_layers * H)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Iterate over the frames."""
        B, T, _ = frames.shape
        if T < 1:
            raise ValueError(
                'frames: expected (B, T, C) with T of 1 or more, got '
                f'{tuple(frames.shape)}'
            )
        hidden, memory = self._initial_state(frames)
        layers = cast(list[LSTMLayer], list(self.layers))
        if self.attention is None:
            inputs = layers[0].W(frames.mean(dim=1))  # (B, 4H)
            alpha = hidden[0].new_full((B, T), 1 / T)
        else:
            projected = layers[0].W(frames)  # (B, T, 4H)
            relevance = self.attention.frame_scores(frames)  # (B, T)
        products = [DeferredLinear(layers[0].U.weight)]
        products += [DeferredLinear(layer.stacked_weight()) for layer in layers[1:]]
        outputs, alphas = [], []
        for _ in range(self.num_steps or T):
            if self.attention is not None:
                alpha = self.attention(relevance, self._query(hidden))
                inputs = torch.bmm(alpha[:, None], projected)[:, 0]  # W x_t, Eq. (4)
            hidden, memory = self._step(inputs, hidden, memory, products)
            outputs.append(hidden[-1])
            alphas.append(alpha)
        return torch.stack(outputs, dim=1), torch.stack(alphas, dim=1)

    def _initial_state(self, frames: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        num_layers = len(self.layers)
        if self.init_state is None:
            # Full precision under autocast, whatever made the features.
            weight = next(self.layers.parameters())
            zeros = weight.new_zeros(len(frames), self.hidden_channels)
            return [zeros] * num_layers, [zeros] * num_layers
        states = torch.tanh(self.init_state(frames.mean(dim=1)))
        parts = list(states.chunk(2 * num_layers, dim=1))
        return parts[:num_layers], parts[num_layers:]

    def _query(self, hidden: list[Tensor]) -> Tensor:
        if self.query == 'concat':
            return torch.cat(hidden, dim=1)
        return hidden[-1] if self.query == 'top' else hidden[0]

    def _step(
        self,
        inputs: Tensor,
        hidden: list[Tensor],
        memory: list[Tensor],
        products: list[DeferredLinear],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Eq. (3) in every layer; the first one's input is already projected."""
        layers = cast(list[LSTMLayer], list(self.layers))
        h, c = lstm_cell(inputs + products[0](hidden[0]), memory[0])
        new_hidden, new_memory = [h], [c]
        for n in range(1, len(layers)):
            both = torch.cat([self.dropout(h), hidden[n]], dim=1)  # (B, 2H)
            h, c = lstm_cell(products[n](both) + layers[n].W.bias, memory[n])
            new_hidden.append(h)
            new_memory.append(c)
        return new_hidden, new_memory


class FrameAttention(nn.Module):
    """Relevance of each frame to what the LSTM has seen, Eq. (5)-(6).

    Args:
        frame_channels: Width of the frame features.
        query_channels: Width of the hidden state.
        bound: Largest relevance, see :class:`TemporalAttentionLSTM`.

    Shape:
        - Input: frame scores (B, T) and hidden state (B, query_channels).
        - Output: (B, T), non-negative, of sum 1.

    Raises:
        ValueError: If ``bound`` is not positive.
    """

    def __init__(
        self, frame_channels: int, query_channels: int, *, bound: float | None = 1.0
    ) -> None:
        super().__init__()
        if bound is not None and not bound > 0:
            raise ValueError(f'bound: expected a positive number or None, got {bound}')
        self.bound = bound
        self.u_a = nn.Linear(frame_channels, 1)  # its bias is b_a
        self.w_a = nn.Linear(query_channels, 1, bias=False)
        for linear in (self.u_a, self.w_a):  # near uniform at start: tanh saturates
            nn.init.normal_(linear.weight, std=0.01)
        nn.init.zeros_(self.u_a.bias)

    def frame_scores(self, frames: Tensor) -> Tensor:
        """Part of Eq. (5) that is the same in every step, (B, T)."""
        return self.u_a(frames)[:, :, 0]

    def forward(self, frame_scores: Tensor, hidden: Tensor) -> Tensor:
        """Weights of the frames."""
        relevance = self.w_a(hidden) + frame_scores
        if self.bound is not None:
            relevance = self.bound * torch.tanh(relevance / self.bound)  # Eq. (5)
        # Full precision under autocast, so that the weights sum to 1.
        return torch.softmax(relevance, dim=1, dtype=self.w_a.weight.dtype)  # Eq. (6)


class LSTMLayer(nn.Module):
    """Weights of one LSTM layer, with one bias per gate, as in Eq. (3).

    The rows of each matrix are the gates f, i, o and g in this order. The initial
    values are those of :class:`torch.nn.LSTM`, uniform within 1 / sqrt(H).

    Args:
        in_channels: Width of the input.
        hidden_channels: Number H of memory cells.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.W = nn.Linear(in_channels, 4 * hidden_channels)
        self.U = nn.Linear(hidden_channels, 4 * hidden_channels, bias=False)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_channels**-0.5), hidden_channels**-0.5)

    def stacked_weight(self) -> Tensor:
        """W and U side by side: one product gives W x + U h, (4H, C + H)."""
        return torch.cat([self.W.weight, self.U.weight], dim=1)


def lstm_cell(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden state and memory from the gates' inputs, end of Eq. (3).

    Args:
        gates: W x_t + U h_{t-1} + b of the gates f, i, o and g.
        memory: c_{t-1}.

    Shape:
        - Input: (B, 4H) and (B, H).
        - Output: (B, H) and (B, H).

    Example:
        >>> h, c = lstm_cell(torch.zeros(1, 4), torch.ones(1, 1))
        >>> c.item()
        0.5
    """
    H = memory.shape[1]
    f, i, o = torch.sigmoid(gates[:, : 3 * H]).chunk(3, dim=1)
    g = torch.tanh(gates[:, 3 * H :])
    c = f * memory + i * g
    return o * torch.tanh(c), c
