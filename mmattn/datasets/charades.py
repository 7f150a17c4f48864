"""The official annotation files of Charades."""

import re
from pathlib import Path
from typing import NamedTuple

from mmattn.utils.text import read_records

COLUMNS = ('id', 'actions', 'length')
ACTION = re.compile(r'c(\d{3}) (\d+(?:\.\d+)?) (\d+(?:\.\d+)?)')


class CharadesVideo(NamedTuple):
    """What Charades says of a video.

    Args:
        name: Its id, such as ``'YSKX3'``.
        labels: Classes that occur in it, from 0, ascending; often several, or none.
        length_seconds: Duration.
    """

    name: str
    labels: tuple[int, ...]
    length_seconds: float


def read_charades(path: str | Path, *, num_classes: int = 157) -> list[CharadesVideo]:
    """Read ``Charades_v1_train.csv`` or ``Charades_v1_test.csv``.

    Args:
        path: The file.
        num_classes: Number of classes.

    Raises:
        ValueError: If a column is missing, a line is malformed, a class is out of
            range or a video occurs twice; the message names file and line.
    """
    videos: dict[str, CharadesVideo] = {}
    for number, row in read_records(path, COLUMNS):
        where = f'{path}:{number}'
        video = _parse_row(where, row, num_classes)
        if video.name in videos:
            raise ValueError(
                f'{where}: expected each video once, got {video.name} again'
            )
        videos[video.name] = video
    return list(videos.values())


def _parse_row(where: str, row: dict, num_classes: int) -> CharadesVideo:
    name, actions, length = (row[column] for column in COLUMNS)
    if not name or actions is None or not _is_number(length):
        raise ValueError(f'{where}: expected id, actions and length, got {row}')
    labels = set()
    for action in filter(None, actions.split(';')):
        match = ACTION.fullmatch(action)
        if not match or int(match[1]) >= num_classes:
            raise ValueError(
                f"{where}: expected actions like 'c077 12.10 18.00' of classes c000 to "
                f'c{num_classes - 1:03d}, got {action!r}'
            )
        labels.add(int(match[1]))
    return CharadesVideo(name, tuple(sorted(labels)), float(length))


def _is_number(text: str | None) -> bool:
    return bool(re.fullmatch(r'\d+(\.\d+)?', text or ''))
