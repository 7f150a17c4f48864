"""What people give a model to look at, taken apart into videos."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmattn.datasets.video_reader import open_camera
from mmattn.inference.inputs import find_videos

Frames = Iterable[np.ndarray]


class Source(NamedTuple):
    """One video.

    Args:
        name: What to call it.
        path: File, or folder of frames; None for frames that are given.
        frames: Frames that are given, in an array or one by one.
        fps: Frames per second of those; None where nobody has said.
    """

    name: str
    path: Path | None = None
    frames: Frames | np.ndarray | None = None
    fps: float | None = None

    @property
    def endless(self) -> bool:
        """Whether the number of frames is not known before they have come."""
        return self.frames is not None and not hasattr(self.frames, '__len__')


def find_sources(
    given: Any, network: Any, *, fps: float | None = None
) -> tuple[list[Source], bool]:
    """Take apart what is given into videos.

    Args:
        given: Path or pattern of files, folder, number of a camera, array
            (T, H, W, 3) of RGB frames in uint8, iterator of frames, or a list of any of
            these. A list of single frames is one video.
        network: Model that is to look at them; some read folders of frames.
        fps: Frames per second of frames that are given.

    Returns:
        The videos, and whether they are one thing rather than a list or folder.

    Raises:
        TypeError: If it is nothing of these.
        ValueError: If a file does not exist, or an array has another shape.
    """
    if isinstance(given, (str, Path)):
        return _at_path(given, network)
    if isinstance(given, bool) or given is None:
        raise TypeError(f'input: expected a video, got {given!r}')
    if isinstance(given, int):
        frames, rate = open_camera(given)
        return [Source(f'camera {given}', frames=frames, fps=fps or rate)], True
    if isinstance(given, np.ndarray):
        return [Source('array', frames=_checked(given), fps=fps)], True
    if hasattr(given, 'detach'):
        raise TypeError(
            'input: expected frames as a NumPy array (T, H, W, 3) of uint8, got a '
            'tensor: call .numpy()'
        )
    if isinstance(given, (list, tuple)):
        if given and all(isinstance(x, np.ndarray) and x.ndim == 3 for x in given):
            return [Source('frames', frames=list(given), fps=fps)], True
        return _of_list(given, network, fps), False
    if isinstance(given, Iterable):
        return [Source('frames', frames=iter(given), fps=fps)], True
    raise TypeError(
        'input: expected a path, a list of paths, an array or an iterator of frames, '
        f'got {type(given).__name__}'
    )


def _at_path(given: str | Path, network: Any) -> tuple[list[Source], bool]:
    path, pattern = Path(given), str(given)
    if not path.exists() and glob.has_magic(pattern):
        found = sorted(glob.glob(pattern, recursive=True))
        if not found:
            raise ValueError(f'input: expected files that match {pattern}, got none')
        return _videos(found, network), False
    videos = _videos([path], network)
    return videos, not path.is_dir() or videos[0].path == path


def _videos(paths: Sequence[str | Path], network: Any) -> list[Source]:
    return [Source(path.name, path) for path in find_videos(paths, [network])]


def _of_list(given: Sequence[Any], network: Any, fps: float | None) -> list[Source]:
    found = []
    for one in given:
        found += find_sources(one, network, fps=fps)[0]
    if not found:
        raise ValueError('input: expected one or more videos, got none')
    return [
        source._replace(name=f'{source.name} {k}') if source.path is None else source
        for k, source in enumerate(found)
    ]


def _checked(frames: np.ndarray) -> np.ndarray:
    good = frames.ndim == 4 and frames.shape[-1] == 3 and len(frames)
    if not good or frames.dtype != np.uint8:
        raise ValueError(
            'input: expected RGB frames (T, H, W, 3) of uint8, got '
            f'{frames.shape} of {frames.dtype}'
        )
    return frames
