"""What a video file is, and whether decord reads it right."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .decode import Source, display_matrix, turned
from .index import MOV

DECORD_FORMATS = ('yuv420p', 'yuvj420p')


@dataclass(frozen=True)
class Probe:
    """What is known of a video without decoding more than its first frame.

    decord, and so MMAction2, returns other frames than those asked for, without a
    word, in many files; in those where it is right, every frame has its own packet in
    an index at the front or the end, none is hidden, and decoding can start afresh at
    each key frame.

    Args:
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the codec.
        pixel_format: FFmpeg's name of the format of pixels.
        width: Width in pixels, rotated as shown.
        height: Height in pixels, rotated as shown.
        b_frames: Whether frames may be stored in another order than they are shown.
        key_frames: Number of frames at which decoding can start.
        edit_list: Whether frames are stored that are not shown.
        variable_rate: Whether frames are shown for different times.
        rotation: Degrees by which frames are turned counterclockwise when shown.
        decord_is_right: Whether decord gives the right frames by number.
        reason: Why it does, or may not.
    """

    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    b_frames: bool
    key_frames: int
    edit_list: bool
    variable_rate: bool
    rotation: int
    decord_is_right: bool
    reason: str


def probe(path: str | Path | bytes) -> Probe:
    """Find out what a video file is, and whether decord reads it right.

    Args:
        path: File, or its content.

    Raises:
        VideoError: If it is no readable video.
    """
    source = Source(path)
    try:
        right, reason = decord_is_right(source)
        source.rewind()
        packets = source.packets()
        source.rewind()
        frame, _ = next(source.decoded(), (None, True))
        if frame is None:
            raise source.error('no frame that can be decoded')
        stored = np.empty((frame.height, frame.width))
        height, width = turned(stored, display_matrix(frame)).shape
        shown = [packet for packet in packets if packet.is_shown]
        ticks = sorted(packet.pts for packet in shown if packet.pts is not None)
        gaps = np.diff(ticks) * float(source.stream.time_base)
        return Probe(
            container=source.container.format.name,
            codec=source.codec,
            pixel_format=frame.format.name,
            width=width,
            height=height,
            b_frames=source.has_b_frames,
            key_frames=sum(packet.is_key for packet in packets),
            edit_list=len(shown) < len(packets),
            variable_rate=bool(len(gaps) and np.ptp(gaps) > 0.002),
            rotation=round(frame.rotation) % 360,
            decord_is_right=right,
            reason=reason,
        )
    finally:
        source.close()


def decord_is_right(source: Source) -> tuple[bool, str]:
    """Decide whether decord gives the right frames by number, and say why.

    Args:
        source: The video, at its start.
    """
    container, pixels = source.container.format.name, source.stream.codec_context
    entries = list(source.stream.index_entries)
    end = max((entry.pos + entry.size for entry in entries), default=0)
    if container != MOV:
        reason = f'decord may miscount frames in the container {container}'
    elif source.codec != 'h264':
        reason = f'decord may return other frames of {source.codec}'
    elif pixels.pix_fmt not in DECORD_FORMATS:
        reason = f'decord may return other frames of {pixels.pix_fmt}'
    elif any(entry.is_discard for entry in entries):
        reason = 'decord counts frames that the edit list hides'
    elif not entries or source.size < end:
        reason = 'the file is shorter than its index says'
    elif not all(map(_is_closed, source.key_packets())):
        reason = 'decord may seek wrongly where groups of pictures are open'
    else:
        return True, 'H.264 in mp4 or mov, all frames shown, closed groups of pictures'
    return False, reason


def _is_closed(packet: bytes) -> bool:
    """Say whether a key frame of H.264 keeps later frames from looking before it."""
    place = 0
    while place + 5 <= len(packet):  # units, each after its length in four bytes
        if packet[place + 4] & 31 == 5:  # an IDR slice
            return True
        place += 4 + int.from_bytes(packet[place : place + 4], 'big')
    return False
