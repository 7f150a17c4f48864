"""Classification of videos that show any number of classes."""

from typing import Any, Literal

import torch
from mmaction.models.heads import TSNHead
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmattn.registry import MODELS
from mmattn.signatures import Component, Positive, Share


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
        consensus: Config of what makes one of all frames, their mean by default.
        dropout_ratio: Share of the features that training drops.
        topk: Ranks up to which training reports the accuracy.
        **host_args: Arguments of MMAction2's ``TSNHead``, which rejects unknown ones.

    Shape:
        - Input: (N * num_segs, C, H, W).
        - Output: logits (N, num_classes).

    Raises:
        ValueError: If ``average_clips`` is neither, or ``multi_class`` is not True.

    Example:
        >>> import torch
        >>> head = MultiLabelTSNHead(157, 5)
        >>> head.average_clip(torch.zeros(6, 157), num_segs=3).shape
        torch.Size([2, 157])
    """

    def __init__(
        self,
        num_classes: Positive,
        in_channels: Positive,
        *,
        loss_cls: Component | None = None,
        average_clips: Literal['prob', 'score'] = 'prob',
        consensus: Component | None = None,
        dropout_ratio: Share = 0.4,
        topk: int | tuple[int, ...] = (1, 5),
        **host_args: Any,
    ) -> None:
        if host_args.pop('multi_class', True) is not True:
            raise ValueError('multi_class: expected True, got another value')
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls or {'type': 'mmaction.BCELossWithLogits'},
            average_clips=average_clips,
            consensus=consensus or {'type': 'AvgConsensus', 'dim': 1},
            dropout_ratio=dropout_ratio,
            topk=topk,
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
        if not len(x) or num_segs < 1:
            raise ValueError(
                f'features: expected those of one or more frames, got {tuple(x.shape)}'
            )
        return super().forward(x, num_segs, **kwargs).to(self.fc_cls.weight.dtype)

    def loss_by_feat(
        self, cls_scores: Tensor, data_samples: list[ActionDataSample]
    ) -> dict[str, Tensor]:
        """Loss of the logits of a batch.

        Args:
            cls_scores: Logits, (N, classes).
            data_samples: The videos, with a label of 0 or 1 for each class.

        Raises:
            ValueError: If labels are other than these.
        """
        labels = torch.stack([sample.gt_label for sample in data_samples])
        if labels.shape != cls_scores.shape or not labels.is_floating_point():
            raise ValueError(
                f'gt_label: expected 0. or 1. for each of {self.num_classes} classes, '
                f'as data sets with multi_class=True give, got {labels.dtype} of shape '
                f'{tuple(labels.shape[1:])}'
            )
        labels = labels.to(cls_scores)
        if self.label_smooth_eps:
            uniform = self.label_smooth_eps / self.num_classes
            labels = (1 - self.label_smooth_eps) * labels + uniform
        loss = self.loss_cls(cls_scores, labels)
        return loss if isinstance(loss, dict) else {'loss_cls': loss}

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
