"""RoI head that corrects the boxes of persons, which MMAction2's does not."""

from typing import Any

from mmaction.models.roi_heads import AVARoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmattn.registry import MODELS
from mmattn.signatures import Component


@MODELS.register_module()
class ActionRoIHead(AVARoIHead):
    """RoI head with box regression, for ``mmattn.ActionBBoxHead``.

    Differs from the host's ``AVARoIHead`` in: boxes are corrected; batches may be of
    any size at test; proposals are left as they are. Arguments are the host's, with
    ``test_cfg`` as in
    :meth:`~mmattn.models.roi_heads.action_bbox_head.ActionBBoxHead.predict_by_feat`.
    """

    def __init__(
        self,
        bbox_roi_extractor: Component,
        bbox_head: Component,
        **host_args: Any,
    ) -> None:
        super().__init__(bbox_roi_extractor, bbox_head, **host_args)

    def loss(
        self,
        x: Tensor | tuple[Tensor, ...],
        rpn_results_list: list[InstanceData],
        data_samples: list,
    ) -> dict:
        """Sample regions of the proposals and compute their losses.

        Args:
            x: Features (N, C, T, H, W).
            rpn_results_list: Proposals of each video, in pixels.
            data_samples: Videos with the truth.
        """
        # The host renames the boxes inside of the proposals that it is given.
        proposals = [proposal.new() for proposal in rpn_results_list]
        return super().loss(x, proposals, data_samples)

    def bbox_loss(
        self,
        x: Tensor | tuple[Tensor, ...],
        sampling_results: list[SamplingResult],
        batch_img_metas: list[dict],
    ) -> dict:
        """Compute the losses of sampled regions.

        Args:
            x: Features (N, C, T, H, W).
            sampling_results: Regions of each video.
            batch_img_metas: Meta information of each video.
        """
        rois = bbox2roi([result.priors for result in sampling_results])
        results = self._bbox_forward(x, rois, batch_img_metas)
        losses = self.bbox_head.loss_and_target(
            results['cls_score'],
            rois,
            sampling_results,
            self.train_cfg,
            bbox_pred=results['bbox_pred'],
        )
        return dict(results, loss_bbox=losses['loss_bbox'])

    def predict(
        self,
        x: Tensor | tuple[Tensor, ...],
        rpn_results_list: list[InstanceData],
        data_samples: list,
        rescale: bool = True,
    ) -> list[InstanceData]:
        """Predict the actions of each proposal, for any number of videos.

        Args:
            x: Features (N, C, T, H, W).
            rpn_results_list: Proposals of each video, in pixels.
            data_samples: Videos.
            rescale: Not looked at: boxes are relative to the frame, as in AVA.

        Returns:
            What :class:`ActionBBoxHead` predicts for each video.
        """
        metas = [sample.metainfo for sample in data_samples]
        return self.predict_bbox(x, metas, rpn_results_list, self.test_cfg)

    def predict_bbox(
        self,
        x: Tensor | tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: ConfigDict | None,
    ) -> list[InstanceData]:
        """See :meth:`predict`.

        Args:
            x: Features (N, C, T, H, W).
            batch_img_metas: Meta information of each video.
            rpn_results_list: Proposals of each video.
            rcnn_test_cfg: ``test_cfg`` of the head.
        """
        boxes = [proposal.bboxes for proposal in rpn_results_list]
        rois = bbox2roi(boxes)
        results = self._bbox_forward(x, rois, batch_img_metas)
        counts = [len(one) for one in boxes]
        deltas = results['bbox_pred']
        return self.bbox_head.predict_by_feat(
            rois.split(counts),
            results['cls_score'].split(counts),
            batch_img_metas,
            rcnn_test_cfg,
            bbox_preds=None if deltas is None else deltas.split(counts),
        )

    def _bbox_forward(
        self,
        x: Tensor | tuple[Tensor, ...],
        rois: Tensor,
        batch_img_metas: list[dict],
    ) -> dict[str, Tensor]:
        results = super()._bbox_forward(x, rois, batch_img_metas)
        cls_score, bbox_pred = results['cls_score']  # the head returns both
        return dict(results, cls_score=cls_score, bbox_pred=bbox_pred)
