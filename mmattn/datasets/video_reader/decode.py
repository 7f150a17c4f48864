"""The packets and the frames of a video file, in the order of the file."""

import io
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

Matrix = tuple[int, int, int, int] | None
CUT_SHORT = (av.error.InvalidDataError, av.error.EOFError)
_OF_PARENTS: list[Any] = []  # freeing these would wait for threads of another process


class VideoError(ValueError):
    """A video, or a frame of it, that cannot be read."""


class Packet(NamedTuple):
    """What a packet says without being decoded.

    Args:
        pts: Time at which its frame is shown, in units of the stream.
        dts: Time at which it is decoded.
        size: Its bytes.
        is_key: Whether decoding can start here.
        is_shown: Whether the edit list shows its frame.
        is_corrupt: Whether it is known to be damaged.
    """

    pts: int | None
    dts: int | None
    size: int
    is_key: bool
    is_shown: bool
    is_corrupt: bool


class Source:
    """The video stream of an open file.

    Args:
        path: File, or its content.
        num_threads: Threads that decode.

    Raises:
        VideoError: If it is no readable video.
    """

    def __init__(self, path: str | Path | bytes, num_threads: int = 1) -> None:
        self.path = path
        self.num_threads = num_threads
        if isinstance(path, bytes):
            self.name, self.size = 'the content', len(path)
        else:
            self.name = str(path)
            if not Path(path).is_file():
                raise self.error('no file')
            self.size = Path(path).stat().st_size
        if not self.size:
            raise self.error('an empty file')
        self._process = os.getpid()
        self._to_rgb = VideoReformatter()
        self._first: Any = None  # a packet that was read to see where the file stands
        self._open()
        context = self.stream.codec_context
        self.codec = context.codec.canonical_name
        self.has_b_frames = bool(context.has_b_frames)
        self.rate = float(self.stream.average_rate or self.stream.guessed_rate or 25)
        self._shape = context.width, context.height
        self._matrix: tuple[float, Matrix] | None = None  # and the rotation it gives

    def __del__(self) -> None:
        if getattr(self, '_process', None) not in (None, os.getpid()):
            _OF_PARENTS.append((self.container, self.stream))

    def error(self, found: str) -> VideoError:
        """Return an error that names the file.

        Args:
            found: What is there in place of a readable video.
        """
        return VideoError(f'{self.name}: expected a readable video, got {found}')

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def rewind(self) -> None:
        """Go back to the start, also in files in which seeking is not reliable."""
        self.close()
        self._open()

    def packets(self) -> list[Packet]:
        """Return what the packets of the file say, from where it stands to its end."""
        return [
            Packet(
                packet.pts,
                packet.dts,
                packet.size,
                packet.is_keyframe,
                not packet.is_discard,
                packet.is_corrupt,
            )
            for packet in self._packets()
            if packet.size
        ]

    def key_packets(self) -> Iterator[bytes]:
        """Yield the content of each key frame, from where the file stands."""
        for packet in self._packets():
            if packet.is_keyframe:
                yield bytes(packet)

    def decoded(self) -> Iterator[tuple[Any, bool]]:
        """Decode frames in the order shown, from where the file stands.

        A packet that is cut off at the very end is left out.

        Returns:
            Frames, and whether each is damaged: FFmpeg says so, a packet between it
            and the key frame before is broken, or it may have to be shown after the
            one that is left out.
        """
        damaged, held, cut = False, None, None
        for packet in chain(self._packets(), [None]):
            at_end = packet is None or not packet.size
            if held is not None and at_end and held.is_corrupt:
                cut = held
            elif held is not None:
                damaged = damaged or held.is_corrupt
                try:
                    frames = held.decode()
                except av.FFmpegError:
                    damaged, frames = True, []
                for frame in frames:
                    damaged = (damaged and not frame.key_frame) or held.is_corrupt
                    late = cut is not None and self._is_late(frame, cut)
                    yield frame, damaged or frame.is_corrupt or late
            held = packet

    def seek(self, ticks: int) -> int | None:
        """Go to a key frame.

        Args:
            ticks: Time, in units of the stream, at or before which it lies.

        Returns:
            The timestamp of the packet that comes next; None if it has none, or the
            file cannot seek.
        """
        try:
            self.container.seek(ticks, stream=self.stream)
            first = next(self.container.demux(self.stream))
        except (*CUT_SHORT, av.error.PermissionError):
            return None
        self._first = first
        return first.pts

    def image(self, frame: Any) -> np.ndarray:
        """Return a decoded frame as RGB, turned as it is to be shown.

        Args:
            frame: Frame of :meth:`decoded`.

        Shape:
            (H, W, 3), uint8.
        """
        width, height = self._shape  # of the first frame; later ones may differ
        # Kept, for its tables take longer to make than a small frame to convert;
        # threads of its own would be missing in a process forked later.
        rgb = self._to_rgb.reformat(frame, width, height, 'rgb24', threads=1)
        image = rgb.to_ndarray()
        # A look at side data keeps a frame until the next garbage collection.
        if self._matrix is None or self._matrix[0] != frame.rotation:
            self._matrix = frame.rotation, display_matrix(frame)
        image = turned(image, self._matrix[1])
        # An RGB frame would lend out its memory, to which later frames refer.
        stored = frame.format.name == 'rgb24'
        return image.copy() if stored else np.ascontiguousarray(image)

    def _open(self) -> None:
        file: Any
        if isinstance(self.path, bytes):
            file = io.BytesIO(self.path)
        else:  # without the prefix what stands before a colon would be a protocol
            file = f'file:{self.path}'
        try:
            self.container: Any = av.open(file, metadata_errors='replace')
        except (av.FFmpegError, OSError) as error:
            raise self.error(f'{type(error).__name__}: {error.strerror}') from error
        self.stream: Any = self.container.streams.best('video')
        problem = None
        if self.stream is None or self.stream.disposition & Disposition.attached_pic:
            problem = 'no video stream'
        elif self.stream.codec_context is None:
            problem = 'a codec that is not known'
        if problem:
            self.close()
            raise self.error(problem)
        self.stream.codec_context.thread_count = self.num_threads
        self._first = None

    def _is_late(self, frame: Any, cut: Any) -> bool:
        """Say whether a frame may have to be shown after that of a packet."""
        if frame.pts is not None and cut.pts is not None:
            return frame.pts > cut.pts
        return self.has_b_frames

    def _packets(self) -> Iterator[Any]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        try:
            yield from self.container.demux(self.stream)
        except CUT_SHORT:
            return  # what came before is all that there is
        except (av.FFmpegError, OSError) as error:
            raise self.error(f'{type(error).__name__}: {error.strerror}') from error


def display_matrix(frame: Any) -> Matrix:
    """Return the matrix (a, b; c, d) that takes (x, y) to (ax + cy, bx + dy).

    Args:
        frame: Decoded frame.

    Returns:
        The matrix, row by row; None if frames are shown as they are stored.
    """
    stored = frame.side_data.get(SideData.DISPLAYMATRIX)
    if stored is None:
        return None
    a, b, _, c, d = np.frombuffer(bytes(stored), np.int32)[:5].tolist()
    return a, b, c, d


def turned(image: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Turn and mirror an image as the file says.

    Args:
        image: The image as it is stored.
        matrix: See :func:`display_matrix`.

    Shape:
        (H, W, ...) becomes (H, W, ...) or (W, H, ...).
    """
    if matrix is None:
        return image
    a, b, c, d = matrix
    if abs(b) > abs(a):
        image = image.swapaxes(0, 1)
        mirror_x, mirror_y = c < 0, b < 0
    else:
        mirror_x, mirror_y = a < 0, d < 0
    return image[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]
