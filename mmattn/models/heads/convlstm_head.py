"""Classification of every frame by a ConvLSTM with soft attention.

Teja and Akunuri, Spatio-temporal attention for video action recognition.
"""

from typing import Any, ClassVar, Literal

from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from mmattn.attention.capture import emit_attention
from mmattn.models.heads.sequence_head import SequenceHead
from mmattn.models.layers.convlstm_attention import AttentionConvLSTM
from mmattn.registry import MODELS
from mmattn.signatures import Positive


@MODELS.register_module()
class ConvLSTMHead(SequenceHead):
    r"""Classify each frame of a sequence from the state of a ConvLSTM.

    Implements section 2 of Spatio-temporal attention for video action recognition:
    the attention :math:`A_t` of a frame comes from its features :math:`X_t` and the
    last state :math:`H_{t-1}`, the weighted features feed a ConvLSTM, and its state
    :math:`H_t` predicts the class of the frame. The training loss of a sequence is the
    mean over its frames. The score of a video is the mean over all its frames; those
    of the frames are left in the data sample as ``pred_frame_scores``.

    Args:
        num_classes: Number of action classes.
        in_channels: Channels of the feature maps.
        recurrence: Options of :class:`AttentionConvLSTM`, such as
            ``dict(hidden_channels=16, attention='gap_dense')``.
        readout: 'gap' classifies the mean pixel of the state, 'flatten' all pixels,
            as many as ``recurrence.feature_size`` says.
        **options: The other arguments of
            :class:`~mmattn.models.heads.sequence_head.SequenceHead`.

    Shape:
        - Input: (S * T, C, h, w) for S sequences, the T frames of a sequence next to
          each other.
        - Output: (S, num_classes), see :meth:`forward`.

    Raises:
        ValueError: If an option is out of range, or frames or labels do not fit it.

    Example:
        >>> import torch
        >>> layer = dict(hidden_channels=2)
        >>> head = ConvLSTMHead(5, 7, num_segments=3, recurrence=layer)
        >>> head(torch.ones(2 * 3, 7, 4, 4)).shape
        torch.Size([2, 5])
    """

    layer_options: ClassVar[dict[str, type]] = {'recurrence': AttentionConvLSTM}

    def __init__(
        self,
        num_classes: int,
        in_channels: Positive = 512,
        *,
        recurrence: dict | None = None,
        readout: Literal['gap', 'flatten'] = 'gap',
        **options: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **options)
        self.recurrence = AttentionConvLSTM(in_channels, **(recurrence or {}))
        self.readout = readout
        h, w = (1, 1) if readout == 'gap' else self.recurrence.state_size
        self.state_size = (h, w)
        self.fc_cls = nn.Linear(self.recurrence.hidden_channels * h * w, num_classes)

    def step_logits(self, x: Tensor) -> Tensor:
        """Logits of each frame of each sequence, (S, T, num_classes)."""
        states, weights = self.recurrence(self._map_sequences(x))
        self._emit(weights)
        if self.readout == 'gap':
            states = states.mean(dim=(3, 4), keepdim=True)
        if tuple(states.shape[3:]) != self.state_size:
            raise ValueError(
                f'recurrence.feature_size: expected maps of {self.state_size} with '
                f"readout='flatten', got {tuple(states.shape[3:])}"
            )
        logits = self.fc_cls(states.flatten(2))
        return logits.to(self.fc_cls.weight.dtype)  # autocast may have narrowed them

    def _emit(self, weights: Tensor) -> None:
        if not self.recurrence.attends:
            return
        if self.recurrence.shared_weights:
            maps = weights[:, :, 0]  # (S, T, h, w)
            emit_attention(self, 'pixel_weights', maps, axes=('row', 'frame', 'y', 'x'))
        else:
            maps = weights[..., 0, 0]  # (S, T, C)
            emit_attention(
                self, 'channel_weights', maps, axes=('row', 'frame', 'channel')
            )

    def _write_prediction(self, sample: ActionDataSample, logits: Tensor) -> None:
        """Write the scores of the video and of each of its frames."""
        super()._write_prediction(sample, logits)
        probabilities = logits.flatten(0, 1).softmax(dim=1)  # (frames, classes)
        sample.set_field(probabilities, 'pred_frame_scores')
