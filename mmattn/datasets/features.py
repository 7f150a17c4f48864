"""Stored per-frame features instead of videos."""

import os.path as osp
from typing import Any

from mmattn.registry import DATASETS

from .base import CheckedActionDataset, ListLine, Steps
from .transforms.features import open_features


@DATASETS.register_module()
class FeatureDataset(CheckedActionDataset):
    """Per-frame features, of a list with lines ``<file> <label>``.

    Where a line has tabs, these separate its fields, so that names may hold spaces.
    A file is an ``.npy`` array (frames, C), or of maps (frames, C, h, w), of float16 or
    float32, one row for each frame or stack of flow fields; the list may leave ``.npy``
    out.  A sample has
    ``filename``, ``total_frames`` and ``video_id``, so that ``mmattn.SampleWindows``
    and ``mmattn.LoadFeatures`` stand where frames are sampled and decoded.

    Args:
        ann_file: Path of the list.
        pipeline: Pipeline steps.
        data_prefix: ``dict(feature=...)``, the folder of the files.
        **host_args: Arguments of :class:`~mmattn.datasets.base.CheckedActionDataset`
            and of MMAction2's ``BaseActionDataset``.

    Raises:
        ValueError: If the list is missing, empty or malformed.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.FeatureDataset', ann_file='trainlist01.txt',
        ...     data_prefix=dict(feature='features/rgb'), num_classes=101,
        ...     pipeline=[
        ...         dict(type='mmattn.SampleWindows'), dict(type='mmattn.LoadFeatures'),
        ...         dict(type='mmattn.PackClipInputs')])
    """

    layout = '<file> <label>'
    folder_key = 'feature'

    def __init__(
        self,
        ann_file: str,
        pipeline: Steps,
        *,
        data_prefix: dict | None = None,
        **host_args: Any,
    ) -> None:
        prefix = {'feature': ''} if data_prefix is None else data_prefix
        if host_args.get('multi_class'):
            self.layout = '<file> <label> ...'
        super().__init__(ann_file, pipeline, data_prefix=prefix, **host_args)

    def _parse_line(self, number: int, line: str) -> ListLine:
        self.delimiter = '\t' if '\t' in line else None
        return super()._parse_line(number, line)

    def video_id(self, path: str) -> str:
        """Return the path in the list without ``.npy``.

        Args:
            path: Path as it stands in the list.
        """
        return path.removesuffix('.npy')

    def make_infos(self, records: list[ListLine]) -> list[dict]:
        """Turn checked lines into samples.

        Args:
            records: The checked lines.
        """
        folder = self.data_prefix['feature']
        infos = []
        for path, _, labels, _ in records:
            label = labels if self.multi_class else (labels or [-1])[0]
            filename = osp.join(folder, self.video_id(path) + '.npy')
            infos.append({'filename': filename, 'label': label})
        return infos

    def open_sample(self, info: dict) -> dict:
        """Add ``total_frames``, the rows of the file.

        Args:
            info: The sample as the list describes it.

        Raises:
            BrokenVideoError: If the file is missing or holds no features.
        """
        return {**info, 'total_frames': len(open_features(info['filename']))}
