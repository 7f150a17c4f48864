"""Classification of a clip by SlowFast self-attention over all of its frames.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition.
"""

from torch import Tensor, nn

from mmattn.models.heads.sequence_head import SequenceHead
from mmattn.models.layers.slowfast_attn import SlowFastAttention
from mmattn.registry import MODELS


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
        loss_cls: Config of the loss.
        label_smooth_eps: Weight of the uniform distribution in the labels.
        topk: Accuracies to log; numbers above ``num_classes`` become ``num_classes``.
        average_clips: Average over clips of 'prob' (probabilities) or 'score' (logits).
        init_cfg: As in MMEngine; by default N(0, 0.01) in the classifier.

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
        in_channels: int = 512,
        *,
        num_segments: int = 16,
        attention: bool = True,
        slowfast: dict | None = None,
        dropout: float = 0.5,
        loss_cls: dict | None = None,
        label_smooth_eps: float = 0.0,
        topk: int | tuple[int, ...] = (1, 5),
        average_clips: str = 'prob',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            num_segments=num_segments,
            test_steps=1,
            step_reduction='mean',
            loss_cls=loss_cls,
            label_smooth_eps=label_smooth_eps,
            topk=topk,
            average_clips=average_clips,
            init_cfg=init_cfg,
        )
        self.attention: nn.Module = _ClipMean(in_channels)
        if attention:
            self.attention = SlowFastAttention(in_channels, **(slowfast or {}))
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(self.attention.out_channels, num_classes)

    def step_logits(self, x: Tensor) -> Tensor:
        """Logits of each clip, (S, 1, num_classes)."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'features: expected (frames, {self.in_channels}, h, w), as '
                f'in_channels says, got {tuple(x.shape)}'
            )
        clips = x.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
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
