"""Videos, and folders of RGB or flow frames, for action recognition."""

import os.path as osp
from typing import Any

from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.datasets.transforms import RawFrameDecode

from mmattn.registry import DATASETS

from .base import BrokenVideoError, CheckedActionDataset, ListLine, Steps
from .frame_folders import file_template, require_listed_frames

FRAME_TEMPLATES = {'RGB': 'img_{:05}.jpg', 'Flow': 'flow_{}_{:05d}.jpg'}


@DATASETS.register_module()
class ActionVideoDataset(CheckedActionDataset, VideoDataset):
    """Videos of a list with lines ``<video> <label>``.

    MMAction2's ``VideoDataset`` with checked lists and handling of broken videos.

    Args:
        ann_file: Path of the list.
        pipeline: Pipeline steps.
        **host_args: Arguments of
            :class:`~mmattn.datasets.base.CheckedActionDataset` and of MMAction2's
            ``VideoDataset``.  ``num_classes`` switches on the check of the labels'
            range; ``delimiter`` (a space) may be a tab, comma or semicolon for names
            with spaces: quotes and a header are read then, too.

    Raises:
        ValueError: If the list is missing, empty or malformed.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.ActionVideoDataset', ann_file='trainlist01.txt',
        ...     data_prefix=dict(video='videos'), num_classes=101, pipeline=[])
    """

    def __init__(self, ann_file: str, pipeline: Steps, **host_args: Any) -> None:
        delimiter = host_args.get('delimiter', ' ')
        labels = '<label> ...' if host_args.get('multi_class') else '<label>'
        self.layout = f'<video>{delimiter}{labels}'
        super().__init__(ann_file, pipeline, **host_args)

    def make_infos(self, records: list[ListLine]) -> list[dict]:
        """Turn checked lines into samples.

        Args:
            records: The checked lines.
        """
        folder = self.data_prefix['video'] or ''
        return [
            {'filename': osp.join(folder, record.path), 'label': _label(record)}
            for record in records
        ]

    def video_id(self, path: str) -> str:
        """Return the path in the list without its extension.

        Args:
            path: Path as it stands in the list.
        """
        return osp.splitext(path)[0]


@DATASETS.register_module()
class ActionFrameDataset(CheckedActionDataset, RawframeDataset):
    """Folders of frames, of a list with lines ``<folder> <frames> <label>``.

    MMAction2's ``RawframeDataset`` with checked lists and handling of broken folders.
    With ``modality='Flow'`` a field is a pair of gray images, x and y; there is one
    field fewer than images, and the list counts fields.

    Args:
        ann_file: Path of the list.
        pipeline: Pipeline steps.
        modality: ``'RGB'`` or ``'Flow'``.
        filename_tmpl: Name of a frame file; by default ``'img_{:05}.jpg'`` for RGB and
            ``'flow_{}_{:05d}.jpg'`` (x or y, number) for flow. ``{folder}`` in it
            stands for the name of the sample's folder, as in Charades'
            ``'{folder}-{:06d}.jpg'`` and ``'{folder}-{1:06d}{0}.jpg'``.
        with_offset: Whether lines are ``<folder> <offset> <frames> <label>``.
        **host_args: Arguments of
            :class:`~mmattn.datasets.base.CheckedActionDataset` and of MMAction2's
            ``RawframeDataset``.

    Raises:
        ValueError: If the list is missing, empty or malformed, or modality or template
            is wrong.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.ActionFrameDataset', ann_file='flow_trainlist01.txt',
        ...     data_prefix=dict(img='flow'), modality='Flow', num_classes=101,
        ...     pipeline=[])
    """

    folder_key = 'img'

    def __init__(
        self,
        ann_file: str,
        pipeline: Steps,
        *,
        modality: str = 'RGB',
        filename_tmpl: str | None = None,
        with_offset: bool = False,
        **host_args: Any,
    ) -> None:
        if modality not in FRAME_TEMPLATES:
            raise ValueError(
                f"expected `modality` to be 'RGB' or 'Flow', got {modality!r}"
            )
        template = filename_tmpl or FRAME_TEMPLATES[modality]
        _check_template(template, modality)
        self.num_counts = 2 if with_offset else 1
        offset = '<offset> ' if with_offset else ''
        labels = '<label> ...' if host_args.get('multi_class') else '<label>'
        self.layout = f'<folder> {offset}<frames> {labels}'
        super().__init__(
            ann_file,
            pipeline,
            modality=modality,
            filename_tmpl=template,
            with_offset=with_offset,
            **host_args,
        )

    def make_infos(self, records: list[ListLine]) -> list[dict]:
        """Turn checked lines into samples.

        Args:
            records: The checked lines.
        """
        folder = self.data_prefix['img'] or ''
        keys = ('offset', 'total_frames')[-self.num_counts :]
        return [
            {
                'frame_dir': osp.join(folder, record.path),
                **dict(zip(keys, record.counts, strict=True)),
                'label': _label(record),
            }
            for record in records
        ]

    def open_sample(self, info: dict) -> dict:
        """Refuse a folder that lacks frames, and complete the names of its files.

        Args:
            info: The sample as the list describes it.
        """
        if info['total_frames'] < 1:
            raise BrokenVideoError('the list says that it holds no frames')
        folder = osp.basename(info['frame_dir'])
        info['filename_tmpl'] = file_template(info['filename_tmpl'], folder)
        for step in self.pipeline.transforms:
            backend = getattr(step, 'io_backend', None)
            if isinstance(step, RawFrameDecode) and backend in ('disk', 'zip'):
                require_listed_frames(info, packed=backend == 'zip')
        return info


def _label(record: ListLine) -> int:
    """The label of a video of one class, -1 if none is known."""
    return record.labels[0] if record.labels else -1


def _check_template(template: str, modality: str) -> None:
    fields = ('x', 1) if modality == 'Flow' else (1,)
    expected = FRAME_TEMPLATES[modality]
    template = template.replace('{folder}', '')
    try:
        names = {template.format(*fields), template.format(*fields[:-1], 2)}
    except (ValueError, IndexError, KeyError):
        names = set()
    if len(names) < 2:
        raise ValueError(
            f'expected `filename_tmpl` like {expected!r} for modality={modality!r}, '
            f'got {template!r}'
        )
