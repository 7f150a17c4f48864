"""Boxes of persons that are proposed to a model, by frame."""

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmattn.datasets.ava import Frame, match_names
from mmattn.utils.arrays import read_npz
from mmattn.utils.files import replaced_atomically
from mmattn.utils.safe_pickle import load_pickle
from mmattn.utils.text import read_json

Proposals = dict[str, np.ndarray]


def load_proposals(path: str | Path) -> Proposals:
    """Read boxes of persons.

    Args:
        path: ``.pkl``, ``.npz`` or ``.json``: boxes by ``'video,second'``, each (n, 4)
            or with scores (n, 5), as parts of width and height. No boxes mean that
            nobody is there.

    Returns:
        Boxes by key, whose second has four digits.

    Raises:
        ValueError: If the file is no such file, naming the first bad entry.
    """
    proposals: Proposals = {}
    for key, boxes in _content(path).items():
        frame = _parsed_key(path, key)
        written = frame_key(*frame)
        if written in proposals:
            raise ValueError(
                f'{path}: expected each frame once, got {written!r} again as {key!r}'
            )
        proposals[written] = _checked(path, key, boxes)
    return proposals


def match_proposals(
    proposals: Mapping[str, np.ndarray],
    frames: Collection[Frame],
    *,
    path: str | Path,
    ann_file: str | Path,
) -> Proposals:
    """Find the boxes of frames, and report how many have an entry.

    Names of videos may differ in their ending or folder, see
    :func:`~mmattn.datasets.ava.match_names`.

    Args:
        proposals: What :func:`load_proposals` returns.
        frames: Frames of the truth.
        path: File of the proposals, for messages.
        ann_file: File of the truth, for messages.

    Returns:
        Boxes by the key of the truth, see :func:`frame_key`.

    Raises:
        ValueError: If no frame has an entry.
    """
    videos = {key.rpartition(',')[0] for key in proposals}
    spelled = match_names((video for video, _ in frames), videos)
    matched, missing = {}, []
    for video, second in sorted(set(frames)):
        key = frame_key(spelled.get(video, video), second)
        if key in proposals:
            matched[frame_key(video, second)] = proposals[key]
        else:
            missing.append(frame_key(video, second))
    if missing and not matched:
        theirs = f'{min(proposals)!r}' if proposals else 'no frame at all'
        raise ValueError(
            f'{path}: expected boxes of the frames of {ann_file}, such as '
            f'{missing[0]!r}, got none of them, but {theirs}'
        )
    report = f'{path}: boxes for {len(matched)} of {len(matched) + len(missing)} frames'
    if missing:
        report += (
            f'; {len(missing)} have no entry, such as {missing[0]!r}, and are taken as '
            'one person as a whole'
        )
    print_log(report, 'current', logging.WARNING if missing else logging.INFO)
    return matched


def save_proposals(proposals: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Write boxes of persons, to be read by :func:`load_proposals`.

    Args:
        proposals: Boxes by ``'video,second'``.
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


def _content(path: str | Path) -> dict:
    content: Any
    kind = Path(path).suffix.lower()
    if kind == '.json':
        content = read_json(path)
    elif kind == '.npz':
        content = read_npz(path)
    else:
        content = load_pickle(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected boxes by frame, got {type(content)}')
    return content


def _parsed_key(path: str | Path, key: Any) -> Frame:
    video, _, second = str(key).rpartition(',')
    number = second.strip().partition('.')
    if (
        not isinstance(key, str)
        or not video.strip()
        or not number[0].isdecimal()
        or number[2].strip('0')
    ):
        raise ValueError(f"{path}: expected keys 'video,second', got {key!r}")
    return video.strip(), int(number[0])


def _checked(path: str | Path, key: str, boxes: Any) -> np.ndarray:
    try:
        array = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: expected rows of 4 or 5 numbers of {key!r}, got: {error}'
        ) from error
    if not array.size:
        return np.zeros((0, 5))
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise ValueError(
            f'{path}: expected an array (n, 4) or (n, 5) of {key!r}, got {array.shape}'
        )
    corners = array[:, :4]
    if not np.isfinite(array).all():
        raise ValueError(f'{path}: expected finite numbers of {key!r}, got nan or inf')
    for row in array[((corners < 0) | (corners > 1)).any(1)]:
        raise ValueError(
            f'{path}: expected boxes of {key!r} in parts of the frame, 0 to 1, got '
            f'{row[:4].tolist()}: divide pixels by width and height'
        )
    for row in array[(corners[:, :2] > corners[:, 2:]).any(1)]:
        raise ValueError(
            f'{path}: expected x1,y1,x2,y2 with x1 <= x2 and y1 <= y2 of {key!r}, got '
            f'{row[:4].tolist()}'
        )
    if (
        array.shape[1] == 5
        and not ((array[:, 4] >= 0) & (array[:, 4] <= 1 + 1e-6)).all()
    ):
        raise ValueError(
            f'{path}: expected scores from 0 to 1 of {key!r}, got '
            f'{array[:, 4].tolist()}'
        )
    return array
