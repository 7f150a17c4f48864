"""A model as one function of pixels: what is exported, and whose operations count."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmattn.inference.steps import cropped
from mmattn.models.layers.roi_align import make_regions_traceable

Metainfos = Sequence[dict[str, Any]]


class ClipScorer(nn.Module):
    """Scores of clips, from the pixels that a pipeline packs to the head's output.

    Normalization, backbone, neck, head and the average over views are inside; decoding,
    resizing and cropping are not. The model is copied.

    Args:
        model: A recognizer, or a detector with a RoI head.
        metainfos: What the pipeline says of each clip, such as ``num_clips``.

    Shape:
        - Input: clips (B, M, C, H, W) or (B, M, C, T, H, W); for a detector one clip
          and its boxes (R, 4) in pixels.
        - Output: (B, classes); of a detector (R, classes) and boxes (R, 4), relative
          to the frame.

    Raises:
        ValueError: If a detector gets no boxes; its own proposals are not part of this.
    """

    def __init__(self, model: nn.Module, metainfos: Metainfos) -> None:
        super().__init__()
        self.model: Any = copy.deepcopy(model).eval()
        self.metainfos = [dict(metainfo) for metainfo in metainfos]
        make_regions_traceable(self.model)

    @property
    def reads_boxes(self) -> bool:
        """Whether the model scores boxes rather than clips."""
        return hasattr(self.model, 'roi_head')

    def forward(self, clips: Tensor, boxes: Tensor | None = None) -> Any:
        """Score clips, or the boxes of one clip."""
        samples = [ActionDataSample(metainfo=info) for info in self.metainfos]
        inputs = normalized(self.model.data_preprocessor, clips)
        if not self.reads_boxes:
            predicted = self.model(inputs, samples, mode='predict')
            return torch.stack([sample.pred_score for sample in predicted])
        if boxes is None:
            raise ValueError(
                'boxes: expected the boxes of the clip as second input of a detector, '
                'got none; the data of this config holds no proposals'
            )
        feats = self.features(inputs)
        proposals = [InstanceData(bboxes=boxes)]
        (result,) = self.model.roi_head.predict(feats, proposals, samples)
        return result.scores, result.bboxes

    def features(self, inputs: Tensor) -> Any:
        """Features from which a detector cuts the boxes.

        Args:
            inputs: Normalized clips.
        """
        return self.model.extract_feat(inputs)


def normalized(preprocessor: Any, clips: Tensor) -> Tensor:
    """Normalize as the host's preprocessor, without its padding, which no tracer reads.

    Args:
        preprocessor: An ``ActionDataPreprocessor``.
        clips: Clips of one size, as the pipeline packs them.

    Returns:
        The clips in float32.
    """
    if preprocessor.to_rgb:
        channels = -3 if preprocessor.format_shape == 'NCHW' else -4
        clips = clips.flip(channels)
    if preprocessor._enable_normalize:
        return (clips - preprocessor.mean) / preprocessor.std
    return clips.float()


def first_clip(
    cfg: Config, *, split: str = 'test', **changes: Any
) -> tuple[tuple[Tensor, ...], Metainfos]:
    """Return the first clip of a config's list, in its center crop.

    Args:
        cfg: Config with data sets of ours.
        split: 'train', 'val' or 'test'.
        **changes: Arguments of the data set to replace.

    Returns:
        Arguments of a :class:`ClipScorer`, and what its pipeline says of the clip.
    """
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    dataset_cfg = copy.deepcopy(cfg[f'{split}_dataloader'].dataset)
    dataset_cfg.update(changes)
    dataset_cfg.pipeline = cropped(dataset_cfg.pipeline, 'center')
    return packed_clip(DATASETS.build(dataset_cfg)[0])


def packed_clip(item: dict[str, Any]) -> tuple[tuple[Tensor, ...], Metainfos]:
    """Return what a pipeline packs as arguments of a :class:`ClipScorer`.

    Args:
        item: ``inputs`` and ``data_samples``.
    """
    batch = pseudo_collate([item])
    sample = batch['data_samples'][0]
    arguments: tuple[Tensor, ...] = (torch.stack(batch['inputs']),)
    if 'proposals' in sample:
        arguments += (sample.proposals.bboxes.float(),)
    return arguments, [dict(sample.metainfo_items())]
