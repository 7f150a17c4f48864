"""Actions and box of each person.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition, section 3: (action classes + 1) scores and bounding box regression.
"""

from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmaction.models.roi_heads.bbox_heads import BBoxHeadAVA
from mmcv.ops import batched_nms
from mmdet.models.task_modules.samplers import SamplingResult
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmattn.registry import MODELS, TASK_UTILS
from mmattn.signatures import Component, Positive, Share

BOX_CODER = dict(
    type='mmdet.DeltaXYWHBBoxCoder',
    target_means=(0.0, 0.0, 0.0, 0.0),
    target_stds=(0.1, 0.1, 0.2, 0.2),
)


@MODELS.register_module()
class ActionBBoxHead(BBoxHeadAVA):
    """Scores of background and actions, and four deltas of the box.

    A region of a person can have several actions: each score has a sigmoid of its own.
    Every sampled region trains the scores: one without a person has the target 1 in
    the background column 0 and 0 elsewhere, one with a person 0 in column 0. Only
    persons train the deltas, which are the same for all actions.

    Args:
        in_channels: Channels of the regions' features.
        num_classes: Columns of the scores, background included: AVA's 80 actions + 1,
            as in the data set.
        multilabel: Sigmoids; False for one softmax over all columns, whose target is
            spread evenly over a person's actions.
        ignore_background: The host's rule: column 0 is not trained, and neither are
            regions without a person.
        with_reg: Whether the head has deltas; boxes stay as proposed otherwise.
        hidden_channels: Widths of fully connected layers with ReLU before the scores
            and deltas.
        pool: 'avg' or 'max' over frames and pixels, if the features have any.
        dropout_ratio: Dropout of the pooled features.
        topk: Numbers k for which recall and precision are logged.
        bbox_coder: Config of the host's box coder.
        loss_bbox_weight: Weight of the smooth L1 loss of the deltas.
        init_std: Standard deviation of the deltas' initial weights.

    Shape:
        - Input: (R, in_channels, T, H, W), also with R = 0.
        - Output: scores (R, num_classes) and deltas (R, 4), or None without them.

    Raises:
        ValueError: If ``pool`` is unknown or ``num_classes`` is below 2.

    Example:
        >>> head = ActionBBoxHead(16, num_classes=5, topk=())
        >>> logits, deltas = head(torch.ones(3, 16, 1, 1, 1))
        >>> logits.shape, deltas.shape
        (torch.Size([3, 5]), torch.Size([3, 4]))
    """

    def __init__(
        self,
        in_channels: Positive,
        num_classes: int = 81,
        *,
        multilabel: bool = True,
        ignore_background: bool = False,
        with_reg: bool = True,
        hidden_channels: tuple[int, ...] = (),
        pool: Literal['avg', 'max'] = 'avg',
        dropout_ratio: Share = 0.0,
        topk: tuple[int, ...] = (3, 5),
        bbox_coder: Component = BOX_CODER,
        loss_bbox_weight: float = 1.0,
        init_std: float = 0.001,
    ) -> None:
        if num_classes < 2:
            raise ValueError(
                f'num_classes: expected background and at least 1, got {num_classes}'
            )
        if num_classes == 2 and ignore_background and not multilabel:
            raise ValueError(
                'multilabel: expected True for one class without background, whose '
                'softmax is always sure, got False'
            )
        widths = (in_channels, *hidden_channels)
        super().__init__(
            background_class=ignore_background,
            temporal_pool_type=pool,
            spatial_pool_type=pool,
            in_channels=widths[-1],
            num_classes=num_classes,
            dropout_ratio=dropout_ratio,
            dropout_before_pool=False,
            topk=topk,
            multilabel=multilabel,
        )
        self.hidden = nn.Sequential()
        for narrow, wide in pairwise(widths):
            self.hidden.extend([nn.Linear(narrow, wide), nn.ReLU(inplace=True)])
        self.bbox_coder: Any = TASK_UTILS.build(bbox_coder) if with_reg else None
        self.fc_reg = nn.Linear(widths[-1], 4) if with_reg else None
        self.loss_bbox_weight = loss_bbox_weight
        self.init_std = init_std

    def init_weights(self) -> None:
        """Initialize as the host does; boxes start nearly as proposed."""
        super().init_weights()
        if self.fc_reg is not None:
            nn.init.normal_(self.fc_reg.weight, std=self.init_std)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Score and correct each region."""
        x = self.spatial_pool(self.temporal_pool(x)) if len(x) else x[..., :1, :1, :1]
        x = x.flatten(1)  # (R, C)
        if self.dropout_ratio > 0:
            x = self.dropout(x)
        x = self.hidden(x)
        return self.fc_cls(x), None if self.fc_reg is None else self.fc_reg(x)

    def loss_and_target(
        self,
        cls_score: Tensor,
        rois: Tensor,
        sampling_results: list[SamplingResult],
        rcnn_train_cfg: ConfigDict,
        bbox_pred: Tensor | None = None,
    ) -> dict:
        """Compute the losses of the sampled regions of a batch.

        Args:
            cls_score: Logits.
            rois: Boxes with the index of their video.
            sampling_results: Persons and background of each video, in this order.
            rcnn_train_cfg: ``train_cfg`` of the RoI head.
            bbox_pred: Deltas.

        Returns:
            ``loss_bbox``: the losses and what is logged; ``bbox_targets``: the targets
            of the scores.
        """
        labels = torch.cat([self._targets(result) for result in sampling_results])
        is_person = labels[:, 0] == 0
        losses = dict(loss_action_cls=self._score_loss(cls_score, labels, is_person))
        losses.update(self._logged(cls_score.detach(), labels, is_person))
        if bbox_pred is not None:
            losses['loss_action_bbox'] = self._box_loss(
                bbox_pred, is_person, sampling_results
            )
        return dict(loss_bbox=losses, bbox_targets=labels)

    def _targets(self, result: SamplingResult) -> Tensor:
        """Targets of the regions of one video, persons first."""
        persons = len(result.pos_priors)
        labels = result.priors.new_zeros(len(result.priors), self.num_classes)
        if persons:  # the host's labels have another shape where there are none
            labels[:persons] = result.pos_gt_labels
        labels[:persons, 0] = 0
        labels[persons:, 0] = 1
        return labels

    def _score_loss(self, logits: Tensor, labels: Tensor, is_person: Tensor) -> Tensor:
        if self.background_class:
            with_label = is_person & (labels[:, 1:].sum(dim=1) > 0)
            logits, labels = logits[with_label, 1:], labels[with_label, 1:]
        if not len(logits):
            return logits.sum()
        if self.multilabel:
            return F.binary_cross_entropy_with_logits(logits, labels)
        # A person without any label has no target and adds nothing.
        targets = labels / labels.sum(dim=1, keepdim=True).clamp(min=1)
        return F.cross_entropy(logits, targets)

    def _box_loss(
        self,
        deltas: Tensor,
        is_person: Tensor,
        sampling_results: list[SamplingResult],
    ) -> Tensor:
        """Smooth L1 over persons, per sampled region as in Faster R-CNN."""
        priors = torch.cat([result.pos_priors for result in sampling_results])
        truths = torch.cat([result.pos_gt_bboxes for result in sampling_results])
        if not len(priors):
            return deltas.sum() * 0
        targets = self.bbox_coder.encode(priors, truths)
        loss = F.smooth_l1_loss(deltas[is_person], targets, reduction='sum')
        return self.loss_bbox_weight * loss / len(deltas)

    def _logged(self, logits: Tensor, labels: Tensor, is_person: Tensor) -> dict:
        """Recall and precision of the actions of persons, 0 if there are none."""
        keys = ['thr=0.5', *(f'top{k}' for k in self.topk)]
        logits, labels = logits[is_person, 1:], labels[is_person, 1:]
        seen = labels.sum(dim=1) > 0
        if not seen.any():
            zero = logits.new_zeros(())
            return {
                f'{name}@{key}': zero for key in keys for name in ('recall', 'prec')
            }
        recall, prec, recalls, precs = self.topk_accuracy(logits[seen], labels[seen])
        logged: dict[str, Tensor] = {}
        for key, r, p in zip(keys, [recall, *recalls], [prec, *precs], strict=True):
            logged |= {f'recall@{key}': r, f'prec@{key}': p}
        return logged

    def predict_by_feat(
        self,
        rois: tuple[Tensor, ...],
        cls_scores: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rcnn_test_cfg: ConfigDict | None = None,
        bbox_preds: tuple[Tensor, ...] | None = None,
    ) -> list[InstanceData]:
        """Turn logits and deltas into boxes with scores, video by video.

        Args:
            rois: Boxes of each video with its index, in pixels.
            cls_scores: Logits of each video.
            batch_img_metas: Meta information with ``img_shape``.
            rcnn_test_cfg: ``score_thr`` and ``nms``, the config of the host's
                non-maximum suppression of each class; both are optional. Scores that
                do not pass become 0.
            bbox_preds: Deltas of each video.

        Returns:
            Boxes relative to the frame, (R, 4), and scores (R, num_classes) with 0 in
            column 0.
        """
        results = []
        for k, img_meta in enumerate(batch_img_metas):
            deltas = None if bbox_preds is None else bbox_preds[k]
            boxes = self._decoded(rois[k][:, 1:], deltas, img_meta['img_shape'])
            # A copy: the host divides the boxes that it is given in place.
            roi = torch.cat([rois[k][:, :1], boxes], dim=1)
            one = self._predict_by_feat_single(
                roi, cls_scores[k], img_meta, rcnn_test_cfg
            )
            results.append(one)
        return results

    def _decoded(
        self, boxes: Tensor, deltas: Tensor | None, img_shape: tuple[int, int]
    ) -> Tensor:
        if deltas is not None:
            return self.bbox_coder.decode(boxes, deltas, max_shape=img_shape)
        height, width = img_shape
        return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height] * 2))

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Tensor,
        img_meta: dict,
        rcnn_test_cfg: ConfigDict | None = None,
    ) -> InstanceData:
        results = super()._predict_by_feat_single(roi, cls_score, img_meta)
        first = cls_score[:, :1]
        if self.background_class and not self.multilabel:  # column 0 was not trained
            results.scores = torch.cat([first, cls_score[:, 1:].softmax(dim=1)], dim=1)
        scores = torch.cat([torch.zeros_like(first), results.scores[:, 1:]], dim=1)
        results.scores = filter_scores(results.bboxes, scores, rcnn_test_cfg or {})
        return results


def filter_scores(boxes: Tensor, scores: Tensor, test_cfg: dict) -> Tensor:
    """Set the scores to 0 that are too low or belong to doubled boxes of their class.

    Args:
        boxes: Boxes, shared by all classes.
        scores: Scores from 0 to 1.
        test_cfg: ``score_thr``, 0 by default, exclusive; ``nms``, config of mmcv's
            non-maximum suppression, none by default.

    Shape:
        - Input: (R, 4) and (R, K).
        - Output: (R, K).

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 0.9]])
        >>> scores = torch.tensor([[0.5, 0.2], [0.3, 0.4]])
        >>> filter_scores(boxes, scores, dict(nms=dict(iou_threshold=0.5))).tolist()
        [[0.5, 0.0], [0.0, 0.4000000059604645]]
    """
    passed = scores > test_cfg.get('score_thr', 0.0)
    if test_cfg.get('nms'):
        box, column = passed.nonzero(as_tuple=True)
        values = scores[box, column].float()
        _, kept = batched_nms(boxes[box].float(), values, column, test_cfg['nms'])
        passed = torch.zeros_like(passed)
        passed[box[kept], column[kept]] = True
    return scores * passed
