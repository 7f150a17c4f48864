"""Processor time and memory of reading videos, beside decord and MMAction2's steps.

python benchmarks/video_reading.py [--pairs 15] [--video FILE]

Pairs run in turn.  The videos are textures that move, written first; ``--video`` takes
a plain H.264 mp4 of yours for the comparison with decord instead.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import timing
from memory import in_new_process, resident_peak, return_freed_memory
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from timing import report

from mmattn.datasets.base import run_steps
from mmattn.datasets.video_reader import open_video, probe

# Seconds of the processor: decoding waits for nothing, but a busy machine does.
interleaved = partial(timing.interleaved, clock=time.process_time)
FPS = 25
SMALL, LARGE = (340, 256), (1920, 1080)
HOST = ('DecordInit', 'DecordDecode')
OURS = ('mmattn.VideoInit', 'mmattn.VideoDecode')
SPACED = dict(clip_len=1, num_clips=25, test_mode=True)
SUCCESSIVE = dict(clip_len=30, num_clips=1, test_mode=True)
LONG = dict(clip_len=64, num_clips=1, test_mode=True)
FEW = dict(clip_len=1, num_clips=3, test_mode=True)
WRONG = (  # that decord reads wrongly: container, encoder, more options
    ('avi', 'libx264', {}),
    ('avi', 'mpeg4', {'b': '2000000'}),
    ('mpg', 'mpeg2video', {'b': '2000000'}),
    ('wmv', 'wmv2', {'b': '2000000'}),
    ('ts', 'libx264', {}),
    ('mkv', 'libx264', {'x264-params': 'open-gop=1:keyint=25'}),
)


def texture() -> np.ndarray:
    """A smooth image, larger than those that are cut out of it."""
    noise = np.random.default_rng(0).integers(0, 256, (1400, 2600, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


def write(
    path: Path,
    size: tuple[int, int],
    frames: int,
    *,
    encoder: str = 'libx264',
    gop: int = 250,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a texture that moves."""
    image, (width, height) = texture(), size
    names = {'mpg': 'vob', 'ts': 'mpegts', 'wmv': 'asf', 'mkv': 'matroska'}
    ending = path.suffix[1:]
    with av.open(str(path), 'w', format=names.get(ending, ending)) as output:
        stream = output.add_stream(encoder, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.codec_context.gop_size = gop
        if encoder in ('mpeg4', 'mpeg2video'):
            stream.codec_context.max_b_frames = 2
        stream.options = options or {}
        for number in range(frames):
            x = round(300 + 250 * np.sin(number / 20))
            y = round(150 + 120 * np.cos(number / 31))
            part = np.ascontiguousarray(image[y : y + height, x : x + width])
            output.mux(stream.encode(av.VideoFrame.from_ndarray(part, 'rgb24')))
        output.mux(stream.encode())
    return path


def sample(steps: tuple[str, str], sampling: dict, path: Path, *then: dict) -> Any:
    """Read a sample of a video by two pipeline steps, and those that follow."""
    init_default_scope('mmaction')
    first, last = (dict(type=step, num_threads=1) for step in steps)
    last.pop('num_threads')
    pipeline = Compose([first, dict(type='SampleFrames', **sampling), last, *then])
    results = dict(filename=str(path), start_index=0, modality='RGB')
    if steps == HOST:
        return pipeline(results)
    return run_steps(pipeline.transforms, results)


def reading(
    steps: tuple[str, str], sampling: dict, path: Path, *then: dict
) -> Callable:
    return partial(sample, steps, sampling, path, *then)


def decode_in_order(path: Path) -> None:
    with open_video(path) as reader:
        for _ in reader.frames():
            pass


def peak(steps: tuple[str, str], sampling: dict, path: Path, *then: dict) -> int:
    """Bytes that a sample adds to the peak of a process, after a small one."""
    return_freed_memory()
    sample(steps, dict(FEW, num_clips=1), path, *then)
    before = resident_peak()
    sample(steps, sampling, path, *then)
    return resident_peak() - before


def compare_with_decord(path: Path, pairs: int) -> bool:
    print(f'{path.name}: {probe(path).reason}')
    good = True
    for name, sampling in (('25 spaced', SPACED), ('30 successive', SUCCESSIVE)):
        result = interleaved(
            reading(OURS, sampling, path), reading(HOST, sampling, path), pairs=pairs
        )
        title = f'{name} frames, ours / decord'
        good = report(title, result, at_most=1.10) and good
    return good


def compare_large(path: Path, pairs: int) -> bool:
    resize = dict(type='Resize', scale=(-1, 256))
    result = interleaved(
        reading(HOST, LONG, path, resize),
        reading(OURS, LONG, path, resize),
        pairs=pairs,
        warmup=1,
    )
    good = report('64 successive of 1080p, host / ours', result, at_least=1.3)
    result = interleaved(
        reading(OURS, FEW, path, resize), reading(HOST, FEW, path, resize), pairs=pairs
    )
    good = report('3 spaced of 1080p, ours / host', result, at_most=1.0) and good
    host, ours = (in_new_process(peak, s, LONG, path, resize) for s in (HOST, OURS))
    fits = ours <= host / 4
    print(
        f'peak memory of 64 successive: {ours / 2**20:.0f} MB, host '
        f'{host / 2**20:.0f} MB, ratio {ours / host:.2f}, bound <= 0.25: '
        f'{"ok" if fits else "MISSED"}'
    )
    return good and fits


def compare_wrong_kinds(folder: Path, pairs: int) -> None:
    for ending, encoder, options in WRONG:
        path = folder / f'{encoder}.{ending}'
        write(path, SMALL, 300, encoder=encoder, gop=50, options=options)
        result = interleaved(
            reading(OURS, SPACED, path), partial(decode_in_order, path), pairs=pairs
        )
        report(f'{encoder} in {ending}, 25 spaced / all in order', result)


def compare_short_gop(folder: Path, pairs: int) -> None:
    """What a copy with a key frame every half second gains over an XviD avi."""
    xvid = folder / 'xvid.avi'
    copy = folder / 'copy.mp4'
    write(xvid, (320, 240), 300, encoder='mpeg4', options={'b': '700000'})
    write(copy, (320, 240), 300, gop=12)
    for name, sampling in (('3 spaced', FEW), ('30 successive', SUCCESSIVE)):
        result = interleaved(
            reading(OURS, sampling, xvid), reading(OURS, sampling, copy), pairs=pairs
        )
        report(f'{name} frames, XviD avi / H.264 copy with short groups', result)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pairs', type=int, default=15)
    parser.add_argument('--video', type=Path, help='a plain H.264 mp4')
    args = parser.parse_args()
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plain = args.video or write(folder / 'plain.mp4', SMALL, 300)
        good = compare_with_decord(plain, args.pairs)
        large = write(folder / 'large.mp4', LARGE, 150)
        good = compare_large(large, max(3, args.pairs // 3)) and good
        compare_wrong_kinds(folder, max(3, args.pairs // 3))
        compare_short_gop(folder, args.pairs)
    return int(not good)


if __name__ == '__main__':
    sys.exit(main())
