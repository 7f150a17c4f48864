"""Persons and their actions in single frames, in AVA's layout."""

import logging
import math
import os.path as osp
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from mmaction.datasets import AVADataset
from mmaction.datasets.transforms import SampleAVAFrames as HostSampleAVAFrames
from mmengine.fileio import isfile
from mmengine.logging import print_log

from mmattn.datasets.ava import (
    Annotation,
    Frame,
    check_names,
    read_annotations,
    read_frames,
    read_label_map,
)
from mmattn.datasets.base import (
    AnnotationFileNotFoundError,
    Steps,
    require_kept,
    without_collector,
)
from mmattn.datasets.proposals import frame_key, load_proposals, match_proposals
from mmattn.registry import DATASETS
from mmattn.signatures import Keys, Share

WHOLE_FRAME = np.array([[0.0, 0.0, 1.0, 1.0]])


@DATASETS.register_module()
class ActionDetectionDataset(AVADataset):
    """AVA, of which every line and every box is checked before training starts.

    Differs from the host's ``AVADataset`` in: files are read by
    :mod:`mmattn.datasets.ava`; pickles execute nothing; names of videos among the
    proposals may have an ending more or less, and a file that fits no frame is
    refused; a frame with an empty array of proposals has nobody in it; a frame without
    actions is tested, and left out of training.  A frame without an entry among the
    proposals is a person as a whole, as there, and reported.

    Args:
        ann_file: Csv of the truth, see
            :func:`~mmattn.evaluation.functional.frame_map.frame_aps`.
        pipeline: Pipeline steps.
        proposal_file: Boxes of persons, see
            :func:`~mmattn.datasets.proposals.load_proposals`.
        custom_classes: Numbers of the classes that columns 1, 2, .. of the labels stand
            for; needs ``label_file``. None: column k is class k.
        person_det_score_thr: Proposals below this score are left out, but the best one
            stays.
        data_prefix: Folder of the videos or frames, ``dict(img=...)``.
        **host_args: Other arguments of MMAction2's ``AVADataset``.

    Raises:
        ValueError: If a file is malformed, with file and line or key; a class or second
            is out of range; or proposals fit no frame.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.ActionDetectionDataset', ann_file='ava_train_v2.2.csv',
        ...     proposal_file='ava_dense_proposals_train.FAIR.recall_93.9.pkl',
        ...     data_prefix=dict(img='data/ava/rawframes'), pipeline=[])
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Steps,
        *,
        proposal_file: str | None = None,
        custom_classes: Sequence[int] | None = None,
        person_det_score_thr: Share = 0.9,
        data_prefix: Annotated[dict, Keys('img')] | None = None,
        **host_args: Any,
    ) -> None:
        require_kept(host_args.get('indices'))
        num_classes = host_args.get('num_classes', 81)
        self.columns = _columns(custom_classes, num_classes, host_args)
        self.custom = custom_classes is not None
        self._proposals = proposal_file
        super().__init__(
            ann_file,
            pipeline,
            proposal_file=None,  # not the host's to read, and neither are the classes
            person_det_score_thr=person_det_score_thr,
            data_prefix=data_prefix or dict(img=''),
            **host_args,
        )
        self.proposal_file = proposal_file
        if custom_classes is not None:
            self.custom_classes = [0, *custom_classes]
        self._warn_of_late_frames()

    def full_init(self) -> None:
        """Read the files, and keep them in one array that all workers share."""
        with without_collector():
            super().full_init()

    def load_data_list(self) -> list[dict]:
        """Read truth and proposals."""
        if not isfile(self.ann_file):
            raise AnnotationFileNotFoundError(
                f'expected `ann_file` to name a csv, got {self.ann_file!r}, which is '
                'not a file'
            )
        by_frame: dict[Frame, list[Annotation]] = {}
        for line in read_annotations(self.ann_file):
            self._check(line)
            lines = by_frame.setdefault(line.frame, [])
            if line.label in self.columns:
                lines.append(line)
        boxes: dict[str, np.ndarray] = {}
        if self._proposals is not None:
            boxes = match_proposals(
                load_proposals(self._proposals),
                by_frame,
                path=self._proposals,
                ann_file=self.ann_file,
            )
        kept = {f: lines for f, lines in by_frame.items() if lines or self.test_mode}
        if not kept:
            raise ValueError(
                f'{self.ann_file}: expected an action of a class, got none'
            )
        if len(kept) < len(by_frame):
            print_log(
                f'{self.ann_file}: {len(by_frame) - len(kept)} of {len(by_frame)} '
                'frames have no action of a class and are left out of training',
                'current',
            )
        infos = [self._info(frame, lines) for frame, lines in kept.items()]
        if self._proposals is not None:
            for info in infos:
                info['proposals'] = boxes.get(info['img_key'], WHOLE_FRAME)
        return infos

    def _check(self, line: Annotation) -> None:
        where, (_, second) = f'{self.ann_file}:{line.line}', line.frame
        if not self.custom and line.label >= self.num_classes:
            raise ValueError(
                f'{where}: expected a class in 1..{self.num_classes - 1} '
                f'(num_classes={self.num_classes} with background), got {line.label}'
            )
        end = self.timestamp_end if self.use_frames else math.inf
        if not self.timestamp_start <= second < end:
            raise ValueError(
                f'{where}: expected a second from timestamp_start='
                f'{self.timestamp_start} to below timestamp_end={end}, got {second}'
            )

    def _info(self, frame: Frame, lines: list[Annotation]) -> dict:
        """A sample; lines with the same box are one person."""
        persons: dict[tuple[float, ...], list[Annotation]] = {}
        for line in lines:
            persons.setdefault(line.box or (), []).append(line)
        labels = np.zeros((len(persons), self.num_classes), dtype=np.float32)
        for row, same in zip(labels, persons.values(), strict=True):
            row[[self.columns[line.label] for line in same]] = 1.0
        video, second = frame
        path = osp.join(self.data_prefix['img'] or '', video)
        shot = (0, (self.timestamp_end - self.timestamp_start) * self._FPS)
        return {
            'frame_dir' if self.use_frames else 'filename': path,
            'video_id': video,
            'timestamp': second,
            'img_key': frame_key(video, second),
            'shot_info': shot if self.use_frames else None,
            'fps': self._FPS,
            'gt_bboxes': np.array(list(persons)).reshape(-1, 4),
            'gt_labels': labels if self.multilabel else self._single(persons),
            'entity_ids': np.array([same[0].person for same in persons.values()]),
        }

    def _single(self, persons: dict[tuple[float, ...], list[Annotation]]) -> np.ndarray:
        columns = []
        for same in persons.values():
            found = sorted({self.columns[line.label] for line in same})
            if len(found) != 1:
                raise ValueError(
                    f'{self.ann_file}:{same[1].line}: expected one class per person '
                    f'with multilabel=False, got {len(found)}'
                )
            columns.append(found)
        return np.array(columns, dtype=np.int64).reshape(-1, 1)

    def filter_data(self) -> list[dict]:
        """Leave out the frames of ``exclude_file``, which the host leaves open."""
        if self.exclude_file is None:
            return self.data_list
        excluded = read_frames(self.exclude_file)
        check_names(
            {video for video, _ in excluded},
            {info['video_id'] for info in self.data_list},
            self.exclude_file,
            self.ann_file,
        )
        return [
            info
            for info in self.data_list
            if (info['video_id'], info['timestamp']) not in excluded
        ]

    def get_data_info(self, idx: int) -> dict:
        """Get a sample with its proposals.

        Args:
            idx: Index of the sample.
        """
        info = super(AVADataset, self).get_data_info(int(idx))
        info['filename_tmpl'] = self.filename_tmpl
        info['timestamp_start'] = self.timestamp_start
        info['timestamp_end'] = self.timestamp_end
        boxes = info.get('proposals')
        if boxes is not None:
            if boxes.shape[1] == 5 and len(boxes):
                threshold = min(self.person_det_score_thr, boxes[:, 4].max())
                boxes = boxes[boxes[:, 4] >= threshold]
            boxes = boxes[: self.num_max_proposals]
            info['proposals'] = boxes[:, :4]
            if boxes.shape[1] == 5:
                info['scores'] = boxes[:, 4]
        return info

    def _warn_of_late_frames(self) -> None:
        for step in getattr(self.pipeline, 'transforms', ()):
            if type(step) is HostSampleAVAFrames and self.start_index:
                print_log(
                    "SampleAVAFrames: expected mmattn.SampleAVAFrames; the host's "
                    'adds start_index twice, and reads other frames',
                    'current',
                    logging.WARNING,
                )


def _columns(
    custom_classes: Sequence[int] | None, num_classes: int, options: dict
) -> dict[int, int]:
    """The column of the labels of each class."""
    if custom_classes is None:
        return {label: label for label in range(1, num_classes)}
    if len(custom_classes) != num_classes - 1:
        raise ValueError(
            f'custom_classes: expected num_classes - 1 = {num_classes - 1} numbers, '
            f'got {len(custom_classes)}'
        )
    if not options.get('label_file'):
        raise ValueError('label_file: expected the classes of custom_classes, got none')
    names = read_label_map(options['label_file'])
    unknown = [label for label in custom_classes if label not in names]
    if unknown:
        raise ValueError(
            f'custom_classes: expected numbers of {options["label_file"]}, got '
            f'{unknown}'
        )
    return {label: column for column, label in enumerate(custom_classes, 1)}
