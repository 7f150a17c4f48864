"""Frames at equal distances over a whole video."""

from typing import Literal

import numpy as np
from mmcv.transforms import BaseTransform

from mmattn.registry import TRANSFORMS
from mmattn.signatures import Positive

from ..base import BrokenVideoError
from .sample_windows import write_positions


@TRANSFORMS.register_module()
class SampleSpacedFrames(BaseTransform):
    """Sample a fixed number of equally spaced frames of the whole video.

    Follows section 2 of "Spatio-temporal attention for video action recognition": "any
    video is partitioned into 30 equally spaced frames".  A video of fewer frames
    repeats some of them, in order.

    Required keys: total_frames, start_index.  Added keys: those of
    :class:`SampleWindows`, with one window.

    Args:
        num_frames: Frames K to sample.
        place: ``'middle'`` takes the middles of K equal parts of the video,
            floor((2i + 1) n / (2K)) of n frames; ``'ends'`` spaces them from the first
            frame to the last, rounded.

    Shape:
        frame_inds: (K,); frame_indices: (1, K).

    Raises:
        ValueError: If an argument is out of its range.
        BrokenVideoError: If the video has no frames.

    Example:
        >>> sample = {'total_frames': 10, 'start_index': 0}
        >>> SampleSpacedFrames(4)(dict(sample))['frame_inds'].tolist()
        [1, 3, 6, 8]
        >>> SampleSpacedFrames(4, place='ends')(dict(sample))['frame_inds'].tolist()
        [0, 3, 6, 9]
    """

    def __init__(
        self, num_frames: Positive = 30, *, place: Literal['middle', 'ends'] = 'middle'
    ) -> None:
        self.num_frames = num_frames
        self.place = place

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Args:
            results: The sample.
        """
        n, K = results['total_frames'], self.num_frames
        if n < 1:
            raise BrokenVideoError('it holds no frames')
        if self.place == 'middle':
            positions = (2 * np.arange(K) + 1) * n // (2 * K)
        else:
            positions = np.rint(np.linspace(0, n - 1, K)).astype(np.int64)
        return write_positions(results, positions[None])

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_frames={self.num_frames!r}, '
            f'place={self.place!r})'
        )
