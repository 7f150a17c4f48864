"""Frames around a second of a video of any frame rate."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmattn.registry import TRANSFORMS
from mmattn.signatures import Positive

from ..base import BrokenVideoError
from ..video_reader import frames_at


@TRANSFORMS.register_module()
class SampleAroundSecond(BaseTransform):
    """Sample the frames shown around a labeled second of a video file.

    The host's ``SampleAVAFrames`` counts in frames and takes one frame rate for all
    videos, to which AVA's are brought first.  Here the clip lasts equally long in
    videos of different rates.  Where it reaches beyond the video, the first or last
    frame is repeated.

    Required keys: total_frames, avg_fps, timestamp, start_index; timestamp_start is
    the second at which the video starts, 0 by default.  Times of frames are those of
    video_reader; without them, as of decord's readers, the rate is taken as steady.
    Added keys: frame_inds,
    clip_len, frame_interval, num_clips, crop_quadruple.

    Args:
        clip_len: Frames of the clip; number ``clip_len // 2`` is the labeled one.
        clip_seconds: How long the clip lasts; AVA's 32 frames, every second one, are
            32 / 15 seconds.
        test_mode: Whether to leave out the random shift of each frame by up to half a
            distance between frames.

    Shape:
        frame_inds: (clip_len,).

    Raises:
        ValueError: If an argument is out of its range.
        BrokenVideoError: If the second lies outside of the video.

    Example:
        >>> sample = dict(total_frames=50, avg_fps=10.0, timestamp=3, start_index=0)
        >>> step = SampleAroundSecond(4, clip_seconds=0.8, test_mode=True)
        >>> step(sample)['frame_inds'].tolist()
        [26, 28, 30, 32]
    """

    def __init__(
        self,
        clip_len: Positive = 32,
        clip_seconds: float = 32 / 15,
        *,
        test_mode: bool = False,
    ) -> None:
        if not clip_seconds > 0:
            raise ValueError(f'clip_seconds: expected above 0, got {clip_seconds!r}')
        self.clip_len = clip_len
        self.clip_seconds = clip_seconds
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Args:
            results: The sample.
        """
        fps, count = results['avg_fps'], results['total_frames']
        second = results['timestamp'] - results.get('timestamp_start', 0)
        reader = results.get('video_reader')
        seconds = getattr(reader, 'seconds', np.arange(count) / fps)
        end = getattr(reader, 'duration', count / fps)
        if not 0 <= second < end:
            raise BrokenVideoError(
                f'expected a second within its {count} frames, which last {end:.3f} '
                f'seconds, got {second}'
            )
        distance = self.clip_seconds / self.clip_len
        offsets = (np.arange(self.clip_len) - self.clip_len // 2) * distance
        if not self.test_mode:
            offsets = offsets + distance * (np.random.rand(self.clip_len) - 0.5)
        positions = frames_at(seconds, second + offsets, fps)
        results['frame_inds'] = positions + results['start_index']
        results['clip_len'] = self.clip_len
        results['frame_interval'] = distance * fps
        results['num_clips'] = 1
        results['crop_quadruple'] = np.array([0, 0, 1, 1], dtype=np.float32)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len!r}, '
            f'clip_seconds={self.clip_seconds!r}, test_mode={self.test_mode!r})'
        )
