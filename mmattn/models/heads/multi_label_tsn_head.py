"""Classification of videos that show any number of classes."""

from typing import Any

from mmaction.models.heads import TSNHead
from torch import Tensor

from mmattn.registry import MODELS
from mmattn.utils.arguments import require_choice

AVERAGE_CLIPS = ('prob', 'score')


@MODELS.register_module()
class MultiLabelTSNHead(TSNHead):
    """MMAction2's ``TSNHead`` with a sigmoid for each class.

    The host's heads always take the softmax over the classes, which lets only one class
    be sure. Labels are 0 or 1 per class, as data sets with ``multi_class=True`` give.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the features.
        loss_cls: Config of the loss on logits and labels.
        average_clips: A video's score over its crops and clips: the mean of the
            sigmoids ('prob') or the sigmoid of the mean logit ('score').
        **host_args: Arguments of MMAction2's ``TSNHead``, which rejects unknown ones.

    Shape:
        - Input: (N * num_segs, C, H, W).
        - Output: logits (N, num_classes).

    Raises:
        ValueError: If ``average_clips`` is neither.

    Example:
        >>> import torch
        >>> head = MultiLabelTSNHead(157, 5)
        >>> head.average_clip(torch.zeros(6, 157), num_segs=3).shape
        torch.Size([2, 157])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        loss_cls: dict | None = None,
        average_clips: str = 'prob',
        **host_args: Any,
    ) -> None:
        require_choice('average_clips', average_clips, AVERAGE_CLIPS)
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls or {'type': 'mmaction.BCELossWithLogits'},
            average_clips=average_clips,
            multi_class=True,
            **host_args,
        )

    def forward(self, x: Tensor, num_segs: int, **kwargs: Any) -> Tensor:
        """Logits, in full precision under autocast.

        Args:
            x: Features.
            num_segs: Frames of a video.
            **kwargs: Unused; the host's recognizers pass ``loss_aux`` and others.
        """
        return super().forward(x, num_segs, **kwargs).to(self.fc_cls.weight.dtype)

    def average_clip(self, cls_scores: Tensor, num_segs: int = 1) -> Tensor:
        """Scores of videos, each from 0 to 1.

        Args:
            cls_scores: Logits, (N * num_segs, classes).
            num_segs: Crops and clips of a video.
        """
        logits = cls_scores.unflatten(0, (-1, num_segs))
        if self.average_clips == 'prob':
            return logits.sigmoid().mean(dim=1)
        return logits.mean(dim=1).sigmoid()
