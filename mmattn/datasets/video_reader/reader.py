"""Frames of a video by number."""

import io
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .decode import Source, VideoError
from .index import Index, frames_at, make_index
from .whole import cut_short

BACKENDS = ('av', 'decord')
HANGS_DECORD = ('mpegts',)


class CutShortWarning(UserWarning):
    """A video of which only a part was copied or downloaded; it is read so far."""


class VideoReader:
    """Frames of a video by number, decoded by PyAV; see :func:`open_video`.

    Args:
        source: The video.
        short_side: Pixels to which the shorter side of larger frames is reduced.
        reason: Why this backend reads it.
    """

    backend = 'av'

    def __init__(self, source: Source, short_side: int | None, reason: str) -> None:
        self.source = source
        self.short_side = short_side
        self.reason = reason
        self._frames: Iterator[tuple[int, Any, bool]] = iter(())
        self._at: tuple[int, Any] | None = None  # the frame decoded last

    def __enter__(self) -> 'VideoReader':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.source.close()

    def __len__(self) -> int:
        return len(self.seconds)

    @cached_property
    def _index(self) -> Index:
        return make_index(self.source)

    @property
    def seconds(self) -> np.ndarray:
        """When each frame is shown, after the first one, (N,), float64."""
        return self._index.seconds

    @property
    def duration(self) -> float:
        """Seconds until the end of the last frame, shown as long as that before it."""
        seconds = self.seconds
        last = seconds[-1] - seconds[-2] if len(self) > 1 else 1 / self.fps
        return round(float(seconds[-1] + last), 6)

    @property
    def fps(self) -> float:
        """Average frames per second."""
        rate, last = self.source.rate, float(self.seconds[-1])
        if last <= 0:
            return rate
        measured = (len(self) - 1) / last
        # Of a steady rate the header knows more digits.
        return rate if abs(measured - rate) < 0.01 * rate else measured

    @property
    def width(self) -> int:
        """Pixels of a row of a frame."""
        return self._shape[1]

    @property
    def height(self) -> int:
        """Pixels of a column of a frame."""
        return self._shape[0]

    @cached_property
    def _shape(self) -> tuple[int, ...]:
        return self.read([0])[0].shape

    def frame_at(self, seconds: float) -> int:
        """Return the number of the frame shown at a time.

        Before the first frame it is the first, after the last one the last.

        Args:
            seconds: Time after the first frame.
        """
        return int(frames_at(self.seconds, np.array(seconds), self.fps))

    def read(self, numbers: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return frames in the order asked for.

        Args:
            numbers: Their numbers, which may repeat.

        Returns:
            RGB images (H, W, 3), uint8; none shares memory with another.

        Raises:
            ValueError: If there is no such frame.
            VideoError: If one cannot be decoded.
        """
        wanted = np.asarray(numbers).reshape(-1).tolist()
        self._check(wanted)
        images = {number: self._image(number) for number in sorted(set(wanted))}
        left = dict.fromkeys(images, 0)
        found = []
        for number in wanted:
            image = images[number]
            found.append(image.copy() if left[number] else image)
            left[number] += 1
        return found

    def frames(
        self, start: int = 0, stop: int | None = None, step: int = 1
    ) -> Iterator[np.ndarray]:
        """Yield frames one after the other, in the memory of one.

        Args:
            start: Number of the first.
            stop: Number after the last; None stands for the end.
            step: Distance of the numbers.

        Raises:
            ValueError: If there is no such frame.
            VideoError: If one cannot be decoded.
        """
        wanted = range(start, len(self) if stop is None else stop, step)
        self._check(wanted)
        for number in wanted:
            yield self._image(number)

    def _check(self, wanted: Sequence[int]) -> None:
        if not len(wanted):
            return
        low, high = min(wanted), max(wanted)
        if low < 0 or high >= len(self):
            raise ValueError(
                f'{self.source.name}: expected frames from 0 to {len(self) - 1}, got '
                f'{low if low < 0 else high}'
            )

    def _image(self, number: int) -> np.ndarray:
        return self._reduced(self.source.image(self._frame(number)))

    def _reduced(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        if self.short_side is None or min(height, width) <= self.short_side:
            return image
        scale = self.short_side / min(height, width)
        size = (int(width * scale + 0.5), int(height * scale + 0.5))
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)

    def _frame(self, number: int) -> Any:
        """Decode up to a frame, from as near before it as is certain to be right."""
        if self._at is not None and self._at[0] == number:
            return self._at[1]
        index = self._index
        if number in index.broken:
            raise self._broken(number)
        key = 0
        if index.ticks is not None:
            key = bisect_right(index.keys, index.ticks[number]) - 1
        if self._at is not None and self._at[0] < number:
            near = index.ticks is None or (
                key >= 0 and index.keys[key] <= index.ticks[self._at[0] + 1]
            )
            if near and (frame := self._advance(number)) is not None:
                return frame
        back = 1
        while index.ticks is not None and key >= 0:
            if self._start_at(key) and (frame := self._advance(number)) is not None:
                return frame
            key, back = key - back, 2 * back  # not all key frames are what they say
        self.source.rewind()
        self._frames = _numbered(self.source, index.ticks, None)
        frame = self._advance(number)
        if frame is None:
            raise self._broken(number)
        return frame

    def _broken(self, number: int) -> VideoError:
        return self.source.error(f'frame {number} that cannot be decoded')

    def _start_at(self, key: int) -> bool:
        """Seek to a key frame; say whether the file goes on there or before."""
        assert self._index.ticks is not None
        first = self.source.seek(self._index.keys[key])
        if first is None or first > self._index.keys[key]:
            return False
        self._frames = _numbered(self.source, self._index.ticks, first)
        return True

    def _advance(self, number: int) -> Any:
        """Decode up to a frame; None if it does not come, or comes damaged."""
        for found, frame, damaged in self._frames:
            if found >= number:
                good = found == number and not damaged
                self._at = (found, frame)
                if good:
                    return frame
                break
        self._at = None
        return None


def _numbered(
    source: Source, ticks: list[int] | None, first: int | None
) -> Iterator[tuple[int, Any, bool]]:
    """Decode and number frames, and say which are damaged.

    Args:
        source: The video.
        ticks: See :class:`Index`.
        first: Timestamp of the key frame where the file stands; frames shown before it
            depend on others that are not decoded.  None stands for the start.
    """
    for count, (frame, damaged) in enumerate(source.decoded()):
        if ticks is None:
            yield count, frame, damaged
        elif frame.pts is not None and (first is None or frame.pts >= first):
            number = bisect_left(ticks, frame.pts)
            if number < len(ticks) and ticks[number] == frame.pts:
                yield number, frame, damaged


class _DecordReader(VideoReader):
    """Frames of a video as decord, and so MMAction2, gives them by number."""

    backend = 'decord'

    def __init__(self, source: Source, short_side: int | None, reason: str) -> None:
        super().__init__(source, short_side, reason)
        if source.container.format.name in HANGS_DECORD:
            raise source.error('a transport stream, on which decord hangs')
        import decord

        self._errors = (decord.DECORDError, RuntimeError)
        content = source.path
        file = io.BytesIO(content) if isinstance(content, bytes) else str(content)
        try:
            self._decord = decord.VideoReader(file, num_threads=source.num_threads)
        except self._errors as error:
            raise source.error('a file that decord cannot open') from error

    @cached_property
    def _index(self) -> Index:
        stamps = self._decord.get_frame_timestamp(np.arange(len(self._decord)))
        stamps = stamps.astype(np.float64).reshape(-1, 2)  # start and end
        return Index(
            seconds=stamps[:, 0] - stamps[:1, 0],
            ticks=None,
            keys=[],
        )

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return float(self._decord.get_avg_fps())

    def read(self, numbers: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return frames as MMAction2's ``DecordDecode`` does, all in one call.

        Args:
            numbers: Their numbers.

        Raises:
            ValueError: If there is no such frame.
            VideoError: If one cannot be decoded.
        """
        wanted = np.asarray(numbers).reshape(-1).tolist()
        self._check(wanted)
        if not wanted:
            return []
        try:
            images = self._decord.get_batch(wanted).asnumpy()
        except self._errors as error:
            raise self.source.error(f'frames {wanted} that decord refuses') from error
        return [self._reduced(image) for image in images]

    def _image(self, number: int) -> np.ndarray:
        return self.read([number])[0]


def open_video(
    path: str | Path | bytes,
    *,
    short_side: int | None = None,
    backend: str | None = None,
    num_threads: int = 1,
    whole: bool = False,
) -> VideoReader:
    """Open a video.

    Args:
        path: File, or its content.
        short_side: Pixels to which the shorter side of larger frames is reduced, just
            as the host's ``Resize(scale=(-1, short_side))`` does it; None keeps them.
        backend: ``'av'`` or ``'decord'``; None takes PyAV, which is right for every
            file and as fast. decord is for comparing with MMAction2, see
            :func:`probe`.
        num_threads: Threads that decode.
        whole: Whether to refuse a file of which only a part was copied or downloaded;
            else there is a warning, and the part is read.

    Returns:
        The reader, which is a context manager too.

    Raises:
        VideoError: If it is no readable video.
        ValueError: If an argument is out of its range.

    Example:
        >>> import tempfile
        >>> from mmattn.synthetic.writer import write_video
        >>> path = Path(tempfile.mkdtemp(), 'gray.mp4')
        >>> write_video(path, np.full((3, 64, 96, 3), 90, np.uint8), fps=10)
        >>> with open_video(path, short_side=32) as reader:
        ...     [image.shape for image in reader.read([2, 0])]
        [(32, 48, 3), (32, 48, 3)]
    """
    if backend is not None and backend not in BACKENDS:
        raise ValueError(f'backend: expected one of {BACKENDS}, got {backend!r}')
    if backend == 'decord' and not find_spec('decord'):
        raise ValueError("backend: expected 'av' without decord, got 'decord'")
    if short_side is not None and short_side < 1:
        raise ValueError(f'short_side: expected at least 1, got {short_side}')
    reason = f'{backend} was asked for' if backend else 'PyAV reads every file right'
    source = Source(path, num_threads)
    try:
        kind = _DecordReader if backend == 'decord' else VideoReader
        reader = kind(source, short_side, reason)
        if not len(reader):
            raise source.error('no frame')
        missing = cut_short(source, len(reader))
        if missing and whole:
            raise VideoError(f'{source.name}: {missing}')
        if missing:
            # From here, so that each file is named once.
            warnings.warn(f'{source.name}: {missing}', CutShortWarning, stacklevel=1)
    except BaseException:
        source.close()
        raise
    return reader
