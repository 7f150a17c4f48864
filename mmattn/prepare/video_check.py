"""Finding, checking and counting videos and folders of frames."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

import cv2

from mmattn.datasets.video_reader import VIDEO_SUFFIXES, VideoError, open_video
from mmattn.utils.journal import file_state, remembered

CHECKS = ('none', 'quick', 'full')
FRAME_NAMES = {
    'rawframes': ('img_{:05d}.jpg',),
    'flow': ('flow_x_{:05d}.jpg', 'flow_y_{:05d}.jpg'),
}
UNFINISHED = 'flow.json.part'  # in a folder whose flow is being written
ERRORS = (OSError, RuntimeError, BadZipFile, cv2.error, VideoError)


class Checked(NamedTuple):
    """What is known of a video or a folder of frames.

    Args:
        path: Its path in the data set.
        frames: Number of its frames or flow fields; 0 if nobody counted.
        error: Why it cannot be read, else empty.
    """

    path: str
    frames: int
    error: str


class Tree:
    """Files and folders by class and name, each folder listed once.

    Args:
        root: Folder of ``<class>/<video>``, or of the videos themselves.
        videos: Whether to find files of videos; else folders and zip files of frames.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / 'run').mkdir()
        >>> (root / 'run' / 'a.avi').touch()
        >>> Tree(root, videos=True).find('run', ['b', 'a'])
        'run/a.avi'
    """

    def __init__(self, root: str | Path, *, videos: bool) -> None:
        self.root = Path(root)
        self.videos = videos
        self._names: dict[str, dict[str, str]] = {}

    def find(self, folder: str, stems: Sequence[str]) -> str | None:
        """Return the path in the root of the first name that is there.

        Args:
            folder: Folder of the class; the root is searched after it.
            stems: Names without extension.
        """
        for place in (folder, ''):
            names = self._list(place)
            for stem in stems:
                if stem in names:
                    return f'{place}/{names[stem]}' if place else names[stem]
        return None

    def _list(self, folder: str) -> dict[str, str]:
        if folder not in self._names:
            path = self.root / folder
            entries = sorted(path.iterdir(), reverse=True) if path.is_dir() else []
            if self.videos:
                entries = [e for e in entries if e.suffix.lower() in VIDEO_SUFFIXES]
                names = {entry.stem: entry.name for entry in entries}
            else:
                bare = [entry.name.removesuffix('.zip') for entry in entries]
                names = {name: name for name in bare}
            self._names[folder] = names
        return self._names[folder]


def check_video(path: str | Path, *, check: str = 'quick') -> int:
    """Return the number of a video's frames after reading some of them.

    Args:
        path: The video.
        check: ``'quick'`` decodes the first, the middle and the last frame, ``'full'``
            every one, ``'none'`` nothing, and returns 0.

    Raises:
        VideoError: If it cannot be read, or only a part of it is there.
    """
    if check == 'none':
        return 0
    with open_video(path, whole=True) as reader:
        count = len(reader)
        few = sorted({0, count // 2, count - 1})
        for number in few if check == 'quick' else range(count):
            reader.read([number])
    return count


def count_frames(folder: str | Path, template: str) -> int:
    """Return the number of frames in a folder, which count from 1 without gaps.

    Args:
        folder: The folder; where there is none, a file ``<folder>.zip``.
        template: Name of a frame with one number, such as ``'img_{:05d}.jpg'``.

    Raises:
        FileNotFoundError: If the first frame or one between others is missing.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for number in (1, 2):
        ...     (folder / f'img_{number:05d}.jpg').touch()
        >>> count_frames(folder, 'img_{:05d}.jpg')
        2
    """
    folder = Path(folder)
    before, after = re.split(r'{[^}]*}', template)
    found = {
        name
        for name in _names_in(folder)
        if name.startswith(before)
        and name.endswith(after)
        and name[len(before) : len(name) - len(after)].isdecimal()
    }
    for number in range(1, max(len(found), 1) + 1):
        if template.format(number) not in found:
            raise FileNotFoundError(
                f'expected {folder / template.format(number)}, got no file'
            )
    return len(found)


def _names_in(folder: Path) -> list[str]:
    if folder.is_dir():
        return [entry.name for entry in folder.iterdir()]
    packed = folder.with_name(f'{folder.name}.zip')
    if not packed.is_file():
        return []
    with ZipFile(packed) as file:
        return file.namelist()


def check_sources(
    root: str | Path,
    paths: Sequence[str],
    *,
    kind: str,
    journal: str | Path,
    check: str = 'quick',
    workers: int = 2,
) -> Iterator[Checked]:
    """Check videos or folders of frames in parallel, and remember the results.

    What the journal says of an unchanged file is not checked again, so that an
    interrupted run goes on.

    Args:
        root: Folder of the data set.
        paths: Videos or folders in it.
        kind: ``'videos'``, ``'rawframes'`` or ``'flow'``.
        journal: File of results, a JSON object a line.
        check: How much of a video is decoded, see :func:`check_video`.
        workers: Processes.

    Returns:
        The results, in no order.
    """
    keys = [[path, check, *_state(Path(root, path))] for path in paths]
    function = partial(_check, root, kind)
    for key, result in remembered(function, keys, journal, workers=workers):
        yield Checked(key[0], *result)


def _check(root: str | Path, kind: str, key: list) -> list:
    path, check = key[:2]
    try:
        frames = _count(Path(root, path), kind, check)
    except ERRORS as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        return [0, reason[-300:]]
    return [frames, '']


def _count(path: Path, kind: str, check: str) -> int:
    if kind == 'videos':
        return check_video(path, check=check)
    if kind == 'flow' and (path / UNFINISHED).exists():
        raise OSError(f'expected finished flow, got {UNFINISHED}: extract it again')
    counts = {name: count_frames(path, name) for name in FRAME_NAMES[kind]}
    if len(set(counts.values())) > 1:
        raise OSError(f'expected as many x as y fields, got {counts}')
    return min(counts.values())


def _state(path: Path) -> tuple[int, int]:
    """State of a folder of frames, or of the zip file in its place."""
    return file_state(path if path.exists() else path.with_name(f'{path.name}.zip'))
