"""When the frames of a video are shown, and where decoding can start."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .decode import Packet, Source

MOV, MATROSKA = 'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm'
HIDES_FRAMES = ('vp8',)  # packets without a frame, not marked
MPEG4 = ('mpeg4', 'msmpeg4')
SMALLEST_PACKET = 8  # bytes; a smaller one of MPEG-4 may show no frame


class Index(NamedTuple):
    """The frames of a video.

    Args:
        seconds: When each is shown, after the first one, (N,).
        ticks: Their timestamps; None where they can only be counted from the start.
        keys: Timestamps of the key frames, ascending; empty with ``ticks=None``.
        broken: Numbers of frames that are known to be damaged.
    """

    seconds: np.ndarray
    ticks: list[int] | None
    keys: list[int]
    broken: frozenset[int] = frozenset()


def frames_at(seconds: np.ndarray, times: np.ndarray, fps: float) -> np.ndarray:
    """Return the numbers of the frames shown at some times.

    Before the first frame it is the first, after the last one the last.

    Args:
        seconds: When each frame is shown, ascending, (N,).
        times: The times, of any shape.
        fps: Average frames per second.

    Shape:
        That of ``times``.

    Example:
        >>> frames_at(np.array([0, 0.5, 2]), np.array([-1, 0.4, 1, 2]), 1.5)
        array([0, 0, 1, 2])
    """
    # Containers round the times of frames, some to milliseconds.
    slack = min(0.0005, 0.25 / fps)
    found = np.searchsorted(seconds, np.asarray(times) + slack, side='right') - 1
    return found.clip(0, len(seconds) - 1)


def make_index(source: Source) -> Index:
    """Find the frames of a video from its packets, else by decoding all of it.

    Args:
        source: The video.

    Raises:
        VideoError: If it has no frame.
    """
    packets = source.packets()
    if has_timestamps(source, packets):
        return _from_packets(source, packets)
    return _from_frames(source, packets)


def has_timestamps(source: Source, packets: Sequence[Packet]) -> bool:
    """Say whether each packet stands for one frame, at its own time.

    So it is in mp4, mov, mkv and webm, unless the file starts with frames that depend
    on others before them, is damaged, or its timestamps come from a container that has
    none for the order in which frames are shown.

    Args:
        source: The video.
        packets: Its packets.
    """
    if source.container.format.name not in (MOV, MATROSKA):
        return False
    stamps = [packet.pts for packet in packets if packet.pts is not None]
    ticks = [p.pts for p in packets if p.is_shown and p.pts is not None]
    if not ticks or len(stamps) < len(packets) or len(set(ticks)) < len(ticks):
        return False
    if not packets[0].is_key or min(ticks) < stamps[0]:
        return False
    if source.codec in HIDES_FRAMES or any(packet.is_corrupt for packet in packets):
        return False
    smallest = min(packet.size for packet in packets)
    if source.codec.startswith(MPEG4) and smallest <= SMALLEST_PACKET:
        return False
    # Reordered frames without reordered timestamps: those of decoding.
    return not source.has_b_frames or ticks != sorted(ticks)


def _from_packets(source: Source, packets: Sequence[Packet]) -> Index:
    ticks = sorted(p.pts for p in packets if p.is_shown and p.pts is not None)
    return Index(
        seconds=(np.array(ticks) - ticks[0]) * float(source.stream.time_base),
        ticks=ticks,
        keys=sorted(p.pts for p in packets if p.is_key and p.pts is not None),
    )


def _from_frames(source: Source, packets: Sequence[Packet]) -> Index:
    source.rewind()
    stamps, broken = [], set()
    for number, (frame, damaged) in enumerate(source.decoded()):
        stamps.append(frame.pts)
        if damaged:
            broken.add(number)
    while stamps and len(stamps) - 1 in broken:  # the file is cut short
        broken.remove(len(stamps) - 1)
        stamps.pop()
    if not stamps:
        raise source.error('no frame that can be decoded')
    return Index(
        seconds=_seconds(source, packets, stamps),
        ticks=None,
        keys=[],
        broken=frozenset(broken),
    )


def _seconds(
    source: Source, packets: Sequence[Packet], stamps: Sequence[int | None]
) -> np.ndarray:
    """Times of frames by their timestamps, else those of decoding, else by the rate."""
    decoding = sorted(p.dts for p in packets if p.dts is not None)
    for candidate in (stamps, decoding):
        ticks = [tick for tick in candidate if tick is not None]
        if len(ticks) == len(stamps) and (np.diff(ticks) > 0).all():
            return (np.array(ticks) - ticks[0]) * float(source.stream.time_base)
    return np.arange(len(stamps)) / source.rate
