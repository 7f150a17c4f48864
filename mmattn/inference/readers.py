"""Frames that are no file, and parts of videos, read like a video."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from mmattn.datasets.video_reader import frames_at


class Reader(Protocol):
    """What pipelines ask of a video: some of ``VideoReader``."""

    def __len__(self) -> int: ...

    @property
    def seconds(self) -> np.ndarray:
        """When each frame is shown, after the first one, (N,)."""

    @property
    def fps(self) -> float:
        """Average frames per second."""

    def read(self, numbers: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return frames, RGB, uint8, in the order asked for."""


class ArrayReader:
    """Frames in memory, read like a video.

    Args:
        frames: RGB pictures (H, W, 3) of one size, uint8.
        fps: Frames per second.

    Raises:
        TypeError: If a frame is no uint8 array.
        ValueError: If there are none, or one has another shape.

    Example:
        >>> reader = ArrayReader(np.zeros((5, 24, 32, 3), np.uint8), fps=10)
        >>> len(reader), reader.duration, reader.read([4])[0].shape
        (5, 0.5, (24, 32, 3))
    """

    def __init__(self, frames: Sequence[np.ndarray] | np.ndarray, fps: float) -> None:
        if not len(frames):
            raise ValueError('frames: expected one or more, got none')
        for number, frame in enumerate(frames):
            require_frame(frame, number, frames[0])
        self.frames = frames
        self.fps = fps

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def seconds(self) -> np.ndarray:
        """When each frame is shown, (N,)."""
        return np.arange(len(self)) / self.fps

    @property
    def duration(self) -> float:
        """Seconds until the end of the last frame."""
        return len(self) / self.fps

    def frame_at(self, seconds: float) -> int:
        """Return the number of the frame shown at a time.

        Args:
            seconds: Time after the first frame.
        """
        return int(frames_at(self.seconds, np.array(seconds), self.fps))

    def read(self, numbers: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return copies of frames in the order asked for.

        Args:
            numbers: Their numbers.
        """
        return [np.array(self.frames[k]) for k in np.asarray(numbers).reshape(-1)]


class PartReader:
    """Successive frames of a video, read as if they were all of it.

    Args:
        reader: The video.
        start: Number of the first frame.
        stop: Number after the last one.
    """

    def __init__(self, reader: Reader, start: int, stop: int) -> None:
        self.reader = reader
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def fps(self) -> float:
        """Average frames per second of the whole video."""
        return self.reader.fps

    @property
    def seconds(self) -> np.ndarray:
        """When each frame is shown, after the first one of the part, (N,)."""
        seconds = self.reader.seconds[self.start : self.stop]
        return seconds - seconds[0]

    def read(self, numbers: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return frames by their numbers in the part.

        Args:
            numbers: Their numbers, counted from its first frame.
        """
        return self.reader.read(np.asarray(numbers) + self.start)


class Window(NamedTuple):
    """A part of a video that is predicted by itself.

    Args:
        start: Second at which it starts.
        end: Second at which it ends.
        first_frame: Number of its first frame.
        reader: Its frames.
    """

    start: float
    end: float
    first_frame: int
    reader: Reader


def windows_of(reader: Any, *, every: float, window: float) -> Iterator[Window]:
    """Yield windows over a video; the last one ends with it.

    Args:
        reader: Video whose length is known.
        every: Seconds from the start of a window to the next one's.
        window: Seconds of a window.

    Example:
        >>> video = ArrayReader(np.zeros((25, 2, 2, 3), np.uint8), fps=10)
        >>> found = windows_of(video, every=1.0, window=1.0)
        >>> [(round(w.start, 2), round(w.end, 2), len(w.reader)) for w in found]
        [(0.0, 1.0, 10), (1.0, 2.0, 10), (1.5, 2.5, 10)]
    """
    seconds, duration, slack = reader.seconds, reader.duration, _slack(reader.fps)
    index, covered = 0, 0.0
    while index * every + window <= duration + slack:
        start, covered = index * every, index * every + window
        yield _window(reader, start, covered)
        index += 1
    if not index or seconds[-1] >= covered - slack:  # frames are left
        yield _window(reader, max(duration - window, 0.0), duration)


def _window(reader: Any, start: float, end: float) -> Window:
    first = int(frames_at(reader.seconds, np.array(start), reader.fps))
    stop = int(np.searchsorted(reader.seconds, end - _slack(reader.fps)))
    part = PartReader(reader, first, max(stop, first + 1))
    return Window(start, end, first, part)


def windows_of_stream(
    frames: Iterable[np.ndarray], *, fps: float, every: float, window: float
) -> Iterator[Window]:
    """Yield windows over frames that come one by one, in the memory of one window.

    They are those of :func:`windows_of` for a video of the same frames.

    Args:
        frames: RGB pictures, without end or with one.
        fps: Frames per second.
        every: Seconds from the start of a window to the next one's.
        window: Seconds of a window.

    Raises:
        TypeError: If a frame is no uint8 array.
        ValueError: If there are none, or one has another shape.

    Example:
        >>> frames = (np.zeros((2, 2, 3), np.uint8) for _ in range(25))
        >>> found = windows_of_stream(frames, fps=10, every=1.0, window=1.0)
        >>> [(round(w.start, 2), round(w.end, 2), len(w.reader)) for w in found]
        [(0.0, 1.0, 10), (1.0, 2.0, 10), (1.5, 2.5, 10)]
    """
    # One more than in a window from the start, as others start between two frames.
    kept: deque[np.ndarray] = deque(maxlen=_frames_before(window, fps) + 1)

    def latest(start: float, end: float) -> Window:
        first = _frame_number(start, fps)
        part = list(kept)[-(seen - first) :]
        return Window(start, end, first, ArrayReader(part, fps))

    seen, index, covered = 0, 0, 0
    for frame in frames:
        require_frame(frame, seen, kept[0] if kept else frame)
        kept.append(np.array(frame))
        seen += 1
        while seen >= _frames_before(index * every + window, fps):
            yield latest(index * every, index * every + window)
            index, covered = index + 1, seen
    if not seen:
        raise ValueError('frames: expected one or more, got none')
    if covered < seen:
        yield latest(max(seen / fps - window, 0.0), seen / fps)


def require_frame(frame: Any, number: int, first: np.ndarray) -> None:
    """Refuse what is no picture like the first one.

    Args:
        frame: What should be an RGB picture (H, W, 3), uint8.
        number: Its number.
        first: The first frame.

    Raises:
        TypeError: If it is no uint8 array.
        ValueError: If it has another shape.
    """
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = getattr(frame, 'dtype', type(frame).__name__)
        raise TypeError(
            f'frame {number}: expected an RGB picture (H, W, 3) of uint8, got {kind}'
        )
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.shape != first.shape:
        raise ValueError(
            f'frame {number}: expected an RGB picture (H, W, 3) like the first one, '
            f'got {frame.shape} after {first.shape}'
        )


def _slack(fps: float) -> float:
    return min(0.0005, 0.25 / fps)  # as frames_at


def _frame_number(seconds: float, fps: float) -> int:
    """The frame shown at a time."""
    return int(np.floor((seconds + _slack(fps)) * fps))


def _frames_before(seconds: float, fps: float) -> int:
    """How many frames start before a time, at least one."""
    return max(1, int(np.ceil((seconds - _slack(fps)) * fps)))
