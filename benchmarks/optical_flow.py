"""Frames per second of each method of optical flow, on one core.

python benchmarks/optical_flow.py [--video FILE] [--pairs 5] [--methods dis]
"""

import argparse
import statistics
import sys
import time
from itertools import pairwise

import cv2
import numpy as np

from mmattn.datasets.optical_flow import METHODS, flow_function
from mmattn.datasets.video_reader import open_video

SIZE = (340, 256)


def read_frames(video: str | None, count: int) -> list[np.ndarray]:
    """Return gray frames of a video, or of a smooth texture that moves."""
    if video is not None:
        with open_video(video) as reader:
            images = list(reader.frames(0, min(count, len(reader))))
        return [
            cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), SIZE)
            for image in images
        ]
    noise = np.random.default_rng(0).integers(0, 256, SIZE[::-1], np.uint8)
    texture = cv2.normalize(
        cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX
    )
    return [np.roll(texture, 3 * number, axis=1) for number in range(count)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--video', help='by default a texture that moves')
    parser.add_argument('--pairs', type=int, default=5, help='pairs of frames to time')
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=METHODS)
    args = parser.parse_args()
    cv2.setNumThreads(0)
    frames = read_frames(args.video, args.pairs + 1)
    for method in args.methods:
        compute, seconds = flow_function(method), []
        for first, second in pairwise(frames):
            start = time.perf_counter()
            compute(first, second)
            seconds.append(time.perf_counter() - start)
        rate = 1 / statistics.median(seconds)
        print(f'{method}: {rate:.2f} frames per second of {SIZE[0]} x {SIZE[1]}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
