"""Persons and their actions from one network, trained end to end.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition, section 3 and Fig. 1: region proposals on the features of a video.
"""

import torch
from mmaction.structures import ActionDataSample
from mmdet.models.detectors import FasterRCNN
from mmengine.structures import InstanceData
from torch import Tensor

from mmattn.registry import MODELS


@MODELS.register_module()
class ActionFasterRCNN(FasterRCNN):
    """Faster R-CNN on clips: proposals from the key frame, actions from all frames.

    The region proposal network sees the middle frame of the features, on which AVA's
    boxes are drawn, and learns persons whatever they do. Its proposals go to the RoI
    head, which cuts them out of all frames. Proposals in the data are not looked at.

    Args:
        As mmdet's ``FasterRCNN``; ``roi_head`` is a ``mmattn.ActionRoIHead``, and
        ``train_cfg`` and ``test_cfg`` have the keys ``rpn`` and ``rcnn``, the former
        also ``rpn_proposal``, as there.

    Shape:
        - Input: (N, 3, T, H, W). The backbone yields (N, C, T', H', W'), or a tuple of
          such features with equal H', W', whose channels are put side by side.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.ActionFasterRCNN', _scope_='mmdet',
        ...     rpn_head=dict(type='RPNHead', in_channels=2048),
        ...     roi_head=dict(type='mmattn.ActionRoIHead'))
    """

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[ActionDataSample]
    ) -> dict:
        """Compute the losses of proposals and of actions.

        Args:
            batch_inputs: Clips.
            batch_data_samples: Boxes and actions of each clip.

        Returns:
            ``loss_rpn_cls``, ``loss_rpn_bbox`` and what the RoI head returns.
        """
        x = self.extract_feat(batch_inputs)
        persons = [_persons(sample, batch_inputs) for sample in batch_data_samples]
        losses, proposals = self.rpn_head.loss_and_predict(
            key_frames(x), persons, proposal_cfg=self.train_cfg.rpn_proposal
        )
        return losses | self.roi_head.loss(x, proposals, batch_data_samples)

    def predict(
        self,
        batch_inputs: Tensor,
        batch_data_samples: list[ActionDataSample],
        rescale: bool = True,
    ) -> list[ActionDataSample]:
        """Find persons and score their actions, for any number of clips.

        Args:
            batch_inputs: Clips.
            batch_data_samples: Clips' meta information.
            rescale: Not looked at: boxes are relative to the frame, as in AVA.

        Returns:
            The samples with ``pred_instances``.
        """
        x = self.extract_feat(batch_inputs)
        proposals = self.rpn_head.predict(key_frames(x), batch_data_samples)
        results = self.roi_head.predict(x, proposals, batch_data_samples)
        return self.add_pred_to_datasample(batch_data_samples, results)


def key_frames(features: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
    """Return the middle frame of the features as one level of an image.

    Args:
        features: Features of clips.

    Shape:
        - Input: (N, C, T, H, W), or several of them with their own C and T.
        - Output: one (N, C, H, W), the channels of all inputs side by side.

    Example:
        >>> x = torch.arange(5.0).reshape(1, 1, 5, 1, 1)
        >>> key_frames(x)[0].item()
        2.0
    """
    paths = (features,) if isinstance(features, Tensor) else features
    return (torch.cat([x[:, :, x.shape[2] // 2] for x in paths], dim=1),)


def _persons(sample: ActionDataSample, inputs: Tensor) -> ActionDataSample:
    """The truth of a clip as the proposal network learns it: one class, number 0."""
    boxes = sample.gt_instances.bboxes
    person = ActionDataSample(metainfo=sample.metainfo)
    person.set_metainfo(dict(pad_shape=tuple(inputs.shape[-2:])))
    labels = boxes.new_zeros(len(boxes), dtype=torch.long)
    person.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return person
