"""Classification of a clip by SlowFast self-attention over all of its frames.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition.
"""

from typing import Any

from torch import Tensor, nn

from mmattn.models.heads.sequence_head import SequenceHead
from mmattn.models.layers.slowfast_attn import SlowFastAttention
from mmattn.registry import MODELS
from mmattn.signatures import Positive, Share


@MODELS.register_module()
class SlowFastClipHead(SequenceHead):
    """Attend over the maps of a clip's frames, pool them, and classify.

    Uses section 3.3 of Spatio-temporal SlowFast self-attention network for action
    recognition where no persons are marked: the whole frame stands for the region.

    Differs from the paper in: there the regions of persons in features of a 3D network
    are attended to, here the maps of frames.

    Args:
        num_classes: Number of action classes.
        in_channels: Channels of the maps.
        num_segments: Frames T of a clip.
        attention: False for the baseline, the mean of the clip.
        slowfast: Options of :class:`~mmattn.models.layers.SlowFastAttention`, such as
            ``dict(channels=64)``.
        dropout: Probability before the classifier.
        **options: The other arguments of
            :class:`~mmattn.models.heads.sequence_head.SequenceHead`.

    Shape:
        - Input: (S * T, C, h, w) for S clips, the T frames of a clip next to each
          other.
        - Output: (S, num_classes).

    Raises:
        ValueError: If an option is out of range, or frames or labels do not fit it.

    Example:
        >>> import torch
        >>> head = SlowFastClipHead(5, 7, num_segments=3, slowfast=dict(channels=4))
        >>> head(torch.ones(2 * 3, 7, 4, 4)).shape
        torch.Size([2, 5])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: Positive = 512,
        *,
        num_segments: Positive = 16,
        attention: bool = True,
        slowfast: dict | None = None,
        dropout: Share = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, num_segments=num_segments, **options)
        self.test_steps = 1
        self.attention: nn.Module = _ClipMean(in_channels)
        if attention:
            self.attention = SlowFastAttention(in_channels, **(slowfast or {}))
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(self.attention.out_channels, num_classes)

    def step_logits(self, x: Tensor) -> Tensor:
        """Logits of each clip, (S, 1, num_classes)."""
        clips = self._map_sequences(x).transpose(1, 2)
        pooled = self.attention(clips).flatten(1)  # (S, out_channels)
        logits = self.fc_cls(self.dropout(pooled))
        return logits[:, None].to(self.fc_cls.weight.dtype)


class _ClipMean(nn.Module):
    """The mean over frames and pixels."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3, 4), keepdim=True)
