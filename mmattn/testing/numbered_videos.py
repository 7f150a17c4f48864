"""Videos whose frames show their own numbers, of many codecs and containers.

Frame n shows the number n in large black and white cells, which every lossy codec
keeps, so that the pixels say which frame a reader has handed on.
:func:`numbers_in_order` is the truth that readers are compared with: it decodes every
frame in order and never seeks.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.stream import Disposition

from mmattn.utils.files import replaced_atomically

BITS_PER_ROW, ROWS = 6, 2  # numbers up to 4095
BLACK, GRAY, WHITE = 16, 90, 235
FPS = 25
SIZE = (96, 64)  # width, height
TRIMMED_AT = 17  # frame from which a stream copy is to be shown
KEY_FRAMES = {'h264': 12, 'hevc': 12, 'mpeg4': 10}  # before it, where a copy must start
OFFSET = 50  # frames by which timestamps of a film with an offset are late
ENCODERS = {
    'h264': 'libx264',
    'hevc': 'libx265',
    'mpeg4': 'mpeg4',
    'mpeg2': 'mpeg2video',
    'wmv2': 'wmv2',
    'vp8': 'libvpx',
    'vp9': 'libvpx-vp9',
    'av1': 'libsvtav1',
    'mjpeg': 'mjpeg',
}
CONTAINERS = {
    'h264': ('mp4', 'mov', 'avi', 'mkv', 'mpg', 'ts', 'wmv', 'flv'),
    'hevc': ('mp4', 'mov', 'mkv', 'mpg', 'ts', 'flv'),
    'mpeg4': ('mp4', 'mov', 'avi', 'mkv', 'mpg', 'ts', 'wmv', '3gp'),
    'mpeg2': ('mp4', 'mov', 'avi', 'mkv', 'mpg', 'ts'),
    'wmv2': ('wmv', 'avi'),
    'vp8': ('webm', 'mkv', 'avi', 'ogv'),
    'vp9': ('webm', 'mkv', 'mp4'),
    'av1': ('mp4', 'webm', 'mkv'),
    'mjpeg': ('avi', 'mov', 'mkv'),
}
USUAL_CODECS = {'mpg': ('mpeg2',), 'ts': ('h264',), 'flv': ('h264',)}
EDIT_LISTS = ('mp4', 'mov', '3gp')  # containers that hide the start of a trimmed copy
GOPS = {'short': 12, 'long': 1000, 'open': 12}  # frames between key frames
EXTRAS = {  # containers to try each with
    'trimmed': ('mp4', 'mov', 'avi', 'mkv', 'ts'),
    'offset': ('mp4', 'mov', 'mkv', 'mpg', 'ts'),
    'variable': ('mp4', 'mov', 'mkv'),
    'rotated': ('mp4', 'mov'),
    'one': ('mp4', 'mov', 'avi', 'mkv', 'mpg', 'ts', 'flv'),
    'truncated': ('mp4', 'avi', 'mkv', 'mpg', 'ts', 'flv'),
    'fragmented': ('mp4', 'mov'),
    'cover': ('mp4', 'mov'),
    'second': ('mp4', 'mov', 'mkv', 'ts'),
    'audio': ('mp4', 'mov', 'avi', 'mkv', 'mpg', 'ts'),
    'odd': ('mp4', 'mov', 'avi', 'mkv', 'mpg', 'ts'),
    'interlaced': ('mp4', 'avi', 'mkv', 'mpg', 'ts'),
    'joined': ('mp4', 'mkv', 'ts'),
}


class Film(NamedTuple):
    """How to write one video of numbered frames.

    Args:
        codec: Key of ``ENCODERS``.
        container: Ending of the file, without the dot.
        gop: ``'short'``, ``'long'`` (one key frame) or ``'open'`` group of pictures.
        b_frames: Whether frames are stored in another order than shown, or hidden.
        extra: Key of ``EXTRAS``, or empty.
        frames: Frames to encode.
        size: Width and height.
    """

    codec: str
    container: str
    gop: str = 'short'
    b_frames: bool = True
    extra: str = ''
    frames: int = 60
    size: tuple[int, int] = SIZE

    @property
    def name(self) -> str:
        """File name."""
        parts = [self.codec, self.gop, 'b' if self.b_frames else 'p', self.extra]
        return f'{"-".join(filter(None, parts))}.{self.container}'

    @property
    def numbers(self) -> list[int]:
        """Numbers that the frames show, in order; of a truncated film at most these."""
        if self.extra == 'one':
            return [0]
        if self.extra == 'joined':
            return [*range(self.frames), *range(self.frames)]
        if self.extra != 'trimmed':
            return list(range(self.frames))
        if self.container in EDIT_LISTS:
            return list(range(TRIMMED_AT, self.frames))
        return list(range(KEY_FRAMES[self.codec], self.frames))

    @property
    def seconds(self) -> list[float]:
        """Second at which each frame is shown, of the film's own clock."""
        return [pts / FPS for pts in _times(self)]


def films() -> Iterator[Film]:
    """Every codec in every container, with each group of pictures and each extra."""
    for codec, containers in CONTAINERS.items():
        for container, (gop, b_frames) in product(containers, _groups(codec)):
            yield Film(codec, container, gop, b_frames)
    for extra, containers in EXTRAS.items():
        for container in containers:
            for codec in USUAL_CODECS.get(container, ('h264', 'mpeg4')):
                yield Film(codec, container, extra=extra)
    yield Film('mpeg4', 'avi', extra='joined')
    for container, codec in product(('mp4', 'mov', 'mkv'), ('h264', 'hevc')):
        yield Film(codec, container, 'open', extra='trimmed')


def _groups(codec: str) -> list[tuple[str, bool]]:
    """The groups of pictures that a codec has, without and with B-frames."""
    if codec == 'mjpeg':
        return [('short', False)]
    every = product(GOPS, (False,) if codec == 'wmv2' else (False, True))
    # Without frames that lead it, an open group is a closed one.
    return [group for group in every if group != ('open', False)]


def paint(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return an RGB image that shows a number in binary.

    Args:
        number: 0 to 4095.
        size: Width and height.

    Shape:
        - Output: :math:`(H, W, 3)`, uint8.

    Example:
        >>> number_of(paint(1234))
        1234
    """
    width, height = size
    image = np.full((height, width, 3), GRAY, np.uint8)
    image[..., 0] = 60 + number * 7 % 120  # motion for the codec
    for bit in range(BITS_PER_ROW * ROWS):
        row, column = divmod(bit, BITS_PER_ROW)
        ys = slice(*_inner(row, height / ROWS, 0.125))
        xs = slice(*_inner(column, width / BITS_PER_ROW, 0.125))
        image[ys, xs] = WHITE if number >> bit & 1 else BLACK
    return image


def number_of(image: np.ndarray) -> int:
    """Return the number that an image shows, whatever its size.

    Args:
        image: From :func:`paint`, perhaps through a codec and resized.

    Shape:
        - Input: :math:`(H, W, 3)`.
    """
    height, width = image.shape[:2]
    gray = image.mean(axis=2)
    number = 0
    for bit in range(BITS_PER_ROW * ROWS):
        row, column = divmod(bit, BITS_PER_ROW)
        ys = slice(*_inner(row, height / ROWS, 0.3))
        xs = slice(*_inner(column, width / BITS_PER_ROW, 0.3))
        number |= int(gray[ys, xs].mean() > (BLACK + WHITE) / 2) << bit
    return number


def numbers_in_order(path: str | Path, quarter_turns: int = 0) -> list[int]:
    """Return the number that each frame shows, decoding all of them in order.

    Args:
        path: Video of numbered frames.
        quarter_turns: Turns to the left that make the stored frames upright.
    """
    with av.open(str(path)) as container:
        stream = container.streams.best('video')
        return [
            number_of(np.rot90(frame.to_ndarray(format='rgb24'), quarter_turns))
            for packet in container.demux(stream)
            for frame in _decoded(packet)
        ]


def write_film(folder: str | Path, film: Film) -> Path:
    """Write a film, unless it is there, and return its path.

    Args:
        folder: Where to.
        film: What to write.
    """
    path = Path(folder) / film.name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_atomically(path) as part:
        if film.extra in ('trimmed', 'joined'):
            whole = path.with_name(f'{path.name}.whole')
            _encode(whole, film._replace(container='mp4', extra=''))
            (_trim if film.extra == 'trimmed' else _join)(whole, part, film)
            whole.unlink()
        else:
            _encode(part, film)
        if film.extra == 'rotated':
            _turn(part)
        if film.extra == 'truncated':
            data = part.read_bytes()
            part.write_bytes(data[: len(data) * 2 // 3])
    return path


def _decoded(packet: av.Packet) -> list[av.VideoFrame]:
    try:
        return packet.decode()
    except av.InvalidDataError:
        return []  # as FFmpeg, which goes on behind a broken packet


def _inner(index: int, length: float, margin: float) -> tuple[int, int]:
    return round((index + margin) * length), round((index + 1 - margin) * length)


def _times(film: Film) -> list[int]:
    if film.extra == 'variable':  # slow, then fast, with a pause
        return [4 * n if n < 20 else 100 + n for n in range(film.frames)]
    shift = OFFSET if film.extra == 'offset' else 0
    return [shift + n for n in range(1 if film.extra == 'one' else film.frames)]


def _format(film: Film) -> str:
    names = {
        'mkv': 'matroska',
        'mpg': 'vob',
        'ts': 'mpegts',
        'wmv': 'asf',
        'ogv': 'ogg',
    }
    return names.get(film.container, film.container)


@contextmanager
def _scheduling_kept() -> Iterator[None]:
    """Undo what SVT-AV1 does to the superuser's thread: it goes before all others."""
    if not hasattr(os, 'sched_getscheduler'):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


@_scheduling_kept()
def _encode(path: Path, film: Film) -> None:
    flags = {
        ('mp4', 'truncated'): 'faststart',
        ('mp4', 'fragmented'): 'frag_keyframe+empty_moov',
        ('mov', 'fragmented'): 'frag_keyframe+empty_moov',
    }.get((film.container, film.extra))
    options = {'movflags': flags} if flags else {}
    size = (70, 50) if film.extra == 'odd' else film.size
    with av.open(str(path), 'w', format=_format(film), options=options) as output:
        stream = _add_stream(
            output, film, size[::-1] if film.extra == 'rotated' else size
        )
        small = _add_stream(output, film, (48, 32)) if film.extra == 'second' else None
        audio = output.add_stream('mp2', rate=48000) if film.extra == 'audio' else None
        if film.extra == 'cover':
            cover = output.add_stream('mjpeg', rate=1)
            cover.width, cover.height, cover.pix_fmt = 320, 240, 'yuvj420p'
            cover.disposition = Disposition.attached_pic
        output.start_encoding()
        if film.extra == 'cover':
            picture = _frame(np.full((240, 320, 3), 200, np.uint8), 0)
            output.mux(cover.encode(picture) + cover.encode())
        for number, time in enumerate(_times(film)):
            image = paint(number, size)
            if film.extra == 'rotated':
                image = np.ascontiguousarray(np.rot90(image))
            if small:
                output.mux(small.encode(_frame(paint(4095 - number, (48, 32)), time)))
            output.mux(stream.encode(_frame(image, time)))
            if audio and time * 48000 // FPS % 1152 < 1920:
                output.mux(audio.encode(_silence(time)))
        for each in filter(None, (small, stream, audio)):
            output.mux(each.encode())


def _frame(image: np.ndarray, time: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(image, format='rgb24')
    frame.pts, frame.time_base = time, Fraction(1, FPS)
    return frame


def _silence(time: int) -> av.AudioFrame:
    samples = 48000 // FPS
    frame = av.AudioFrame.from_ndarray(
        np.zeros((1, samples), np.int16), format='s16', layout='mono'
    )
    frame.pts, frame.sample_rate = time * samples, 48000
    return frame


def _add_stream(output: Any, film: Film, size: tuple[int, int]) -> Any:
    stream = output.add_stream(ENCODERS[film.codec], rate=FPS)
    stream.width, stream.height = size
    stream.pix_fmt = 'yuvj420p' if film.codec == 'mjpeg' else 'yuv420p'
    stream.codec_context.time_base = Fraction(1, FPS)
    stream.codec_context.thread_count = 1
    stream.options = _options(film)
    if film.codec in ('mpeg4', 'mpeg2', 'wmv2', 'vp8', 'vp9'):
        stream.codec_context.gop_size = min(GOPS[film.gop], 600)
    if film.codec in ('mpeg4', 'mpeg2'):
        stream.codec_context.max_b_frames = 2 * film.b_frames
    return stream


def _options(film: Film) -> dict[str, str]:
    """Options of the encoder for groups of pictures, B-frames and hidden frames."""
    gop, b = GOPS[film.gop], film.b_frames
    if film.codec in ('h264', 'hevc'):
        kind = film.codec.replace('h264', 'x264').replace('hevc', 'x265')
        params = (
            f'keyint={gop}:min-keyint={gop}:scenecut=0:bframes={2 * b}:b-adapt=0:'
            f'open-gop={int(film.gop == "open")}'
        )
        if film.extra == 'interlaced':
            params += ':tff=1'
        if kind == 'x265':
            params += ':log-level=none:pools=none:frame-threads=1'
        return {f'{kind}-params': params, 'preset': 'ultrafast' if not b else 'fast'}
    if film.codec in ('vp8', 'vp9'):
        ahead = {'auto-alt-ref': '1', 'lag-in-frames': '16'}
        return {'cpu-used': '5', **(ahead if b else {'lag-in-frames': '0'})}
    if film.codec == 'av1':
        refresh = 1 if film.gop == 'open' else 2
        params = f'keyint={gop}:irefresh-type={refresh}:pred-struct={1 + b}:lp=1'
        return {'preset': '10', 'svtav1-params': params}
    if film.codec == 'mjpeg':
        return {}
    flags = '-cgop' if film.gop == 'open' else '+cgop'
    if film.extra == 'interlaced':
        flags += '+ildct+ilme'
    return {'flags': flags, 'sc_threshold': '1000000000', 'b': '4000000'}


def _copy(source: Path, output: Any, stream: Any, first: int, shift: int) -> Any:
    """Copy packets from a key frame on, later by some frames; the output's stream."""
    with av.open(str(source)) as container:
        (template,) = container.streams.video
        stream = stream or output.add_stream_from_template(template)
        ticks = round(1 / (FPS * (template.time_base or 1)))  # of a frame
        started = False
        for packet in container.demux(template):
            if packet.dts is None or packet.pts is None:
                continue
            started = started or packet.pts == first * ticks
            if started:
                packet.pts, packet.dts = (
                    time + shift * ticks for time in (packet.pts, packet.dts)
                )
                packet.stream = stream
                output.mux(packet)
    return stream


def _trim(source: Path, target: Path, film: Film) -> None:
    """Cut as ``ffmpeg -ss 0.68 -i source -c copy`` does: from the key frame before."""
    with av.open(str(target), 'w', format=_format(film)) as output:
        _copy(source, output, None, KEY_FRAMES[film.codec], -TRIMMED_AT)


def _join(source: Path, target: Path, film: Film) -> None:
    with av.open(str(target), 'w', format=_format(film)) as output:
        stream = _copy(source, output, None, 0, 0)
        _copy(source, output, stream, 0, film.frames)


def _turn(path: Path) -> None:
    """Write a display matrix of 90 degrees to the right into a QuickTime file."""
    data = bytearray(path.read_bytes())
    start = data.index(b'tkhd') + 44  # after the fields of version 0
    one = 1 << 16
    matrix = [0, one, 0, -one & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30]
    data[start : start + 36] = b''.join(n.to_bytes(4, 'big') for n in matrix)
    path.write_bytes(data)
