"""Classification by recurrent temporal attention over the frames of a sequence.

Liu, Tian and Wang, Improving human action recognition by temporal attention.
"""

from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from mmattn.attention.capture import emit_attention
from mmattn.models.heads.sequence_head import SequenceHead
from mmattn.models.layers.temporal_lstm import TemporalAttentionLSTM
from mmattn.registry import MODELS
from mmattn.signatures import Positive


@MODELS.register_module()
class TemporalLSTMHead(SequenceHead):
    r"""Classify sequences of frames, once per iteration over their frames.

    Implements Eq. (3)-(8) of Improving human action recognition by temporal attention;
    the decay term of Eq. (8) is the optimizer's. The training loss of a sequence is
    :math:`-\sum_t \log \hat y_{t,label}` over all steps, and that of a batch the mean
    over its sequences. The test score is the mean of :math:`\hat y_t` over the last
    ``test_steps`` steps, and of a video the mean over its sequences (windows, crops).

    Args:
        num_classes: Number of action classes.
        in_channels: Width of the frame features.
        lstm: Options of :class:`TemporalAttentionLSTM`, such as
            ``dict(num_steps=30, query='concat')``; its ``num_steps`` are the iterations
            D over a sequence, by default ``num_segments``.
        test_steps: Last steps that make the test score, 1 to D.
        step_reduction: 'sum' of the steps' losses, as Eq. (8), or 'mean'.
        **options: The other arguments of
            :class:`~mmattn.models.heads.sequence_head.SequenceHead`.

    Shape:
        - Input: (S * T, C) or (S * T, C, h, w) for S sequences, the T frames of a
          sequence next to each other.
        - Output: (S, num_classes), see :meth:`forward`.

    Raises:
        ValueError: If an option is out of range, or frames or labels do not fit it.

    Example:
        >>> import torch
        >>> head = TemporalLSTMHead(
        ...     5,
        ...     7,
        ...     num_segments=3,
        ...     lstm=dict(num_steps=4, hidden_channels=2),
        ...     test_steps=2,
        ... )
        >>> head(torch.ones(2 * 3, 7)).shape
        torch.Size([2, 5])
    """

    layer_options: ClassVar[dict[str, type]] = {'lstm': TemporalAttentionLSTM}

    def __init__(
        self,
        num_classes: int,
        in_channels: Positive = 4096,
        *,
        lstm: dict | None = None,
        test_steps: int = 10,
        step_reduction: Literal['sum', 'mean'] = 'sum',
        **options: Any,
    ) -> None:
        lstm = dict(num_steps=30) | (lstm or {})
        if not 1 <= test_steps <= lstm['num_steps']:
            raise ValueError(
                f'test_steps: expected 1 to num_steps={lstm["num_steps"]}, got '
                f'{test_steps}'
            )
        super().__init__(
            num_classes, in_channels, step_reduction=step_reduction, **options
        )
        self.test_steps = test_steps
        self.lstm = TemporalAttentionLSTM(in_channels, **lstm)
        self.fc_cls = nn.Linear(self.lstm.hidden_channels, num_classes)

    def step_logits(self, x: Tensor) -> Tensor:
        """Logits of Eq. (7) of each sequence in each step, (S, D, num_classes)."""
        if x.dim() == 4:
            x = x.mean(dim=(2, 3))
        if x.dim() != 2 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'features: expected (frames, {self.in_channels}) or (frames, '
                f'{self.in_channels}, h, w), as in_channels says, got {tuple(x.shape)}'
            )
        frames = x.unflatten(0, (-1, self.num_segments))  # (S, T, C)
        hidden, alpha = self.lstm(frames)
        emit_attention(
            self,
            'frame_weights',
            alpha,
            axes=('row', 'step', 'frame'),
            last_steps=self.test_steps,
        )
        logits = self.fc_cls(hidden)
        return logits.to(self.fc_cls.weight.dtype)  # autocast may have narrowed them
