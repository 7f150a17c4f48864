"""Two data sets of the same videos, read side by side."""

from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from mmattn.registry import DATASETS
from mmattn.signatures import Component
from mmattn.utils.alignment import align_videos

from .base import CheckedActionDataset
from .samplers import SeededIndex


class _Listed(NamedTuple):
    name: str
    video_ids: list[str]
    labels: list[Any]


@DATASETS.register_module()
class TwoStreamDataset(Dataset):
    """RGB and flow of the same videos, aligned by their names.

    The lists may be in any order; that of the RGB list counts. A video that one of the
    streams cannot read ends the run, since no other may take its place in one stream
    only. The streams draw their augmentation independently of each other.

    Args:
        rgb: Config of one of our data sets.
        flow: Config of one of our data sets.

    Raises:
        ValueError: If a config is for another kind of data set, or videos or labels of
            the lists differ.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.TwoStreamDataset',
        ...     rgb=dict(type='mmattn.ActionVideoDataset', ann_file='rgb.txt'),
        ...     flow=dict(type='mmattn.ActionFrameDataset', ann_file='flow.txt'))
    """

    def __init__(self, rgb: Component, flow: Component) -> None:
        self.rgb, self.flow = _build('rgb', rgb), _build('flow', flow)
        # An array, which workers share; a list they would copy by counting references.
        self.order = np.array(align_videos(_listed(self.flow), _listed(self.rgb)))

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the RGB data set."""
        return self.rgb.metainfo

    def __len__(self) -> int:
        return len(self.rgb)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return what the RGB list says of a video.

        Args:
            idx: Position in the RGB list.
        """
        return self.rgb.get_data_info(int(idx))

    def __getitem__(self, idx: int) -> dict[str, Any]:
        position = int(self.order[int(idx)])
        if isinstance(idx, SeededIndex):
            position = SeededIndex(position, idx.seed)
        return dict(rgb=self.rgb[idx], flow=self.flow[position])


def _build(name: str, cfg: dict) -> CheckedActionDataset:
    dataset = DATASETS.build(cfg)
    if not isinstance(dataset, CheckedActionDataset):
        raise ValueError(
            f'{name}: expected one of the data sets of mmattn, got {cfg["type"]}'
        )
    dataset.on_broken = 'raise'
    return dataset


def _listed(dataset: CheckedActionDataset) -> _Listed:
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    return _Listed(
        name=dataset.ann_file,
        video_ids=[sample['video_id'] for sample in samples],
        labels=[sample['label'] for sample in samples],
    )
