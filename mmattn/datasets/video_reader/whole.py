"""Whether a file holds all the bytes that its container announces."""

import io
from typing import BinaryIO

from .decode import Source
from .index import MATROSKA, MOV

AVI = 'avi'
SEGMENT = 0x18538067  # Matroska's element that holds the video
TAIL = 4096  # bytes at the end of a file


def cut_short(source: Source, num_frames: int) -> str:
    """Say what is missing of a file that was copied or downloaded in part.

    Boxes of mp4 and mov, elements of mkv and webm and chunks of avi say how long they
    are.  Of other containers, and of files written as streams, nothing is known.

    Args:
        source: The video.
        num_frames: Its frames that are there.

    Returns:
        What is missing, empty if nothing is known to be.
    """
    announced = source.stream.frames
    measure = {MOV: _boxes_end, MATROSKA: _segment_end, AVI: _chunks_end}.get(
        source.container.format.name
    )
    if measure is None or 0 < announced <= num_frames:
        return ''
    path = source.path
    with io.BytesIO(path) if isinstance(path, bytes) else open(path, 'rb') as file:
        end = measure(file, source.size)
        file.seek(max(source.size - TAIL, 0))
        zeros = bool(announced) and not any(file.read())  # room for what did not come
    if end <= source.size and not zeros:
        return ''
    found = 'zeros at the end' if zeros else f'{source.size} of {end} bytes'
    frames = f', {num_frames} of {announced} frames' if announced else ''
    return f'expected a whole file, got {found}{frames}'


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Where the last box of an mp4 ends, of ISO/IEC 14496-12, 4.2."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], 'big')
        if length == 1:  # written in 64 bits behind the name
            length = int.from_bytes(head[8:16], 'big')
        if length < 8:  # to the end of the file, or no box
            return size
        at += length
    return at


def _segment_end(file: BinaryIO, size: int) -> int:
    """Where the segment of an mkv ends, of RFC 8794 and RFC 9559."""
    while head := file.read(4):
        length, known = _variable_int(file)
        if not known:
            return size
        if int.from_bytes(head, 'big') == SEGMENT:
            return file.tell() + length
        file.seek(length, io.SEEK_CUR)
    return size


def _variable_int(file: BinaryIO) -> tuple[int, bool]:
    """Read a size of EBML; say whether it is a known one."""
    first = file.read(1)
    if not first or not first[0]:
        return 0, False
    extra = 8 - first[0].bit_length()  # bytes behind the first
    bits = 7 * (extra + 1)
    value = int.from_bytes(first + file.read(extra), 'big') & ((1 << bits) - 1)
    return value, value != (1 << bits) - 1


def _chunks_end(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk of an avi ends."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        if head[:4] != b'RIFF':
            break
        at += 8 + int.from_bytes(head[4:], 'little')
    return at
