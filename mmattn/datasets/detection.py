"""Persons and their actions in single frames, in AVA's layout."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.datasets import AVADataset

from mmattn.evaluation.functional.frame_map import read_frames
from mmattn.registry import DATASETS
from mmattn.utils.files import replaced_atomically
from mmattn.utils.safe_pickle import load_pickle


@DATASETS.register_module()
class ActionDetectionDataset(AVADataset):
    """AVA, whose proposals are read without executing what a pickle asks for.

    Args:
        ann_file: Csv of the truth, see
            :func:`~mmattn.evaluation.functional.frame_map.frame_aps`.
        pipeline: Pipeline steps.
        proposal_file: Boxes of persons by ``'video,second'`` (four digits), each
            (n, 4) or with scores (n, 5), relative to the frame: ``.pkl``, ``.npz`` or
            ``.json``.
        **host_args: Arguments of MMAction2's ``AVADataset``.

    Raises:
        ValueError: If the proposals are malformed.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.ActionDetectionDataset', ann_file='ava_train_v2.2.csv',
        ...     proposal_file='ava_dense_proposals_train.FAIR.recall_93.9.pkl',
        ...     data_prefix=dict(img='data/ava/rawframes'), pipeline=[])
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[Any],
        *,
        proposal_file: str | None = None,
        **host_args: Any,
    ) -> None:
        super().__init__(ann_file, pipeline, **host_args)
        self.proposal_file = proposal_file
        if proposal_file is not None:
            self.proposals = load_proposals(proposal_file)

    def filter_data(self) -> list[dict]:
        """Leave out the frames of ``exclude_file``, which the host leaves open."""
        if self.exclude_file is None:
            return self.data_list
        excluded = read_frames(self.exclude_file)
        return [
            info
            for info in self.data_list
            if (info['video_id'], info['timestamp']) not in excluded
        ]


def load_proposals(path: str | Path) -> dict[str, np.ndarray]:
    """Read boxes of persons.

    Args:
        path: File as :class:`ActionDetectionDataset` describes it.

    Raises:
        ValueError: If the file is no such file, naming the first bad entry.
    """
    kind = Path(path).suffix
    if kind == '.npz':
        with np.load(path) as file:
            content: Any = dict(file)
    elif kind == '.json':
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    else:
        content = load_pickle(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected boxes by frame, got {type(content)}')
    proposals = {}
    for key, boxes in content.items():
        array = np.asarray(boxes, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] not in (4, 5):
            raise ValueError(
                f'{path}: expected an array (n, 4) or (n, 5) of {key!r}, got '
                f'{array.shape}'
            )
        proposals[key] = array
    return proposals


def save_proposals(proposals: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Write boxes of persons, to be read by :class:`ActionDetectionDataset`.

    Args:
        proposals: Boxes by ``'video,second'``, as :func:`load_proposals` returns them.
        path: File to write, ``.json`` or ``.npz``.

    Raises:
        ValueError: If the name ends otherwise.
    """
    path = Path(path)
    if path.suffix not in ('.json', '.npz'):
        raise ValueError(f'expected a file ending in .json or .npz, got {path}')
    arrays: dict[str, Any] = dict(proposals)
    with replaced_atomically(path) as part:
        if path.suffix == '.npz':
            with part.open('wb') as file:
                np.savez_compressed(file, **arrays)
            return
        lists = {
            key: np.round(boxes, 6).tolist() for key, boxes in sorted(arrays.items())
        }
        part.write_text(json.dumps(lists), encoding='utf-8')


def frame_key(video: str, second: int) -> str:
    """Return the key of a frame among proposals.

    Args:
        video: Name of the video.
        second: Second of the frame.

    Example:
        >>> frame_key('clip', 3)
        'clip,0003'
    """
    return f'{video},{second:04d}'
