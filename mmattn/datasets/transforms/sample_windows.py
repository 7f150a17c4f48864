"""Windows of successive frames over a whole video."""

from typing import Literal

import numpy as np
from mmcv.transforms import BaseTransform

from mmattn.registry import TRANSFORMS
from mmattn.signatures import Positive

from ..base import BrokenVideoError


def window_starts(
    total_frames: int, window_frames: int, *, stride: int, tail: str = 'last'
) -> np.ndarray:
    """Return where the windows of a video start.

    Windows start at 0, s, 2s, ... as long as they fit.  A tail is left over if the last
    of them does not reach the end of the video and another would start before it.  A
    video shorter than a window has one window, whatever ``tail`` is.

    Args:
        total_frames: Frames N of the video, at least 1.
        window_frames: Frames W of a window.
        stride: Frames s from one start to the next.
        tail: What becomes of a tail: ``'last'`` adds a window over the last W frames,
            ``'pad'`` one that runs over the end, ``'drop'`` none.

    Shape:
        (windows,), ascending.

    Example:
        >>> window_starts(107, 30, stride=30)
        array([ 0, 30, 60, 77])
        >>> window_starts(107, 30, stride=30, tail='drop')
        array([ 0, 30, 60])
        >>> window_starts(107, 30, stride=30, tail='pad')
        array([ 0, 30, 60, 90])
        >>> window_starts(7, 30, stride=30)
        array([0])
    """
    last_fit = max(total_frames - window_frames, 0)
    starts = np.arange(0, last_fit + 1, stride)
    following = starts[-1] + stride
    has_tail = starts[-1] + window_frames < total_frames and following < total_frames
    if has_tail and tail == 'last':
        return np.append(starts, last_fit)
    if has_tail and tail == 'pad':
        return np.append(starts, following)
    return starts


def write_positions(results: dict, positions: np.ndarray, *, clip_len: int = 1) -> dict:
    """Write which frames of a video are read, for decoding, packing and pictures.

    Args:
        results: The sample, with ``total_frames`` and ``start_index``.
        positions: Frames or fields, counted from 0, of each window.
        clip_len: Successive fields at each position, clamped to the last one.

    Shape:
        positions: (windows, W).

    Example:
        >>> sample = {'total_frames': 5, 'start_index': 1}
        >>> sample = write_positions(sample, np.array([[0, 4]]), clip_len=2)
        >>> sample['frame_inds'].tolist()
        [1, 2, 5, 5]
    """
    frames = positions[..., None] + np.arange(clip_len)  # (windows, W, L)
    last = results['total_frames'] - 1
    frames = np.minimum(frames, last) + results['start_index']
    results['frame_inds'] = frames.reshape(-1).astype(np.int32)
    results['clip_len'] = clip_len
    results['frame_interval'] = 1
    results['num_clips'] = positions.size
    results['num_windows'] = len(positions)
    results['window_frames'] = positions.shape[1]
    results['frame_indices'] = positions
    return results


@TRANSFORMS.register_module()
class SampleWindows(BaseTransform):
    """Sample windows of successive frames, by default all windows of the video.

    Follows Sec. 3.2 of "Improving human action recognition by temporal attention":
    "each video in the datasets gets split into multiple 30-length video samples".  For
    N frames and windows of W: windows are consecutive and do not overlap; if N is not a
    multiple of W the tail is replaced by the last W frames; a video shorter than W
    repeats its last frame.  Positions count frames of an RGB video, or stored flow
    fields, of which there is one fewer.  At position p ``clip_len`` successive fields
    p, p + 1, ... are read, clamped to the last field: 5 fields make the 10 channels
    x0, y0, ..., x4, y4 of ``FormatShape('NCHW')``.

    Frames come in the order [window, position, field]; after a ten-crop they are
    [crop, window, position, field].

    Required keys: total_frames, start_index.  Added keys: frame_inds (with
    ``start_index``), clip_len, frame_interval, num_clips (number of positions),
    num_windows, window_frames, frame_indices (positions from 0, for pictures).
    :class:`PackClipInputs` keeps them in the metainfo.

    Args:
        window_frames: Frames W of a window.
        stride: Frames from the start of a window to the next; None is W.
        clip_len: Successive frames or fields at each position.
        mode: ``'all'`` for every window; ``'random'`` for one of them, drawn
            uniformly; ``'center'`` for the W frames in the middle of the video.
        tail: What becomes of the frames after the last full window: ``'last'`` adds a
            window over the last W frames, ``'pad'`` one that runs over the end and is
            filled like a short video, ``'drop'`` none.
        short: Frames beyond the end of the video: ``'repeat_last'`` or ``'loop'``.
        max_windows: Most windows kept of ``mode='all'``.  Of n windows k are chosen at
            floor((2i + 1) n / (2k)), i = 0 .. k - 1: the middles of k equal parts.

    Shape:
        frame_inds: (windows * W * clip_len,); frame_indices: (windows, W).

    Raises:
        ValueError: If an argument is out of its range.
        BrokenVideoError: If the video has no frames.

    Example:
        >>> sample = SampleWindows(3)({'total_frames': 7, 'start_index': 1})
        >>> sample['frame_indices'].tolist()
        [[0, 1, 2], [3, 4, 5], [4, 5, 6]]
        >>> sample['frame_inds'].tolist()
        [1, 2, 3, 4, 5, 6, 5, 6, 7]
    """

    def __init__(
        self,
        window_frames: Positive = 30,
        *,
        stride: Positive | None = None,
        clip_len: Positive = 1,
        mode: Literal['all', 'random', 'center'] = 'all',
        tail: Literal['last', 'drop', 'pad'] = 'last',
        short: Literal['repeat_last', 'loop'] = 'repeat_last',
        max_windows: Positive | None = None,
    ) -> None:
        self.window_frames = window_frames
        self.stride = window_frames if stride is None else stride
        self.clip_len = clip_len
        self.mode = mode
        self.tail = tail
        self.short = short
        self.max_windows = max_windows
        if max_windows is not None and mode != 'all':
            raise ValueError(f"expected mode='all' with `max_windows`, got {mode!r}")

    def choose_starts(self, total_frames: int) -> np.ndarray:
        """Return the starts of the windows that ``mode`` and ``max_windows`` keep.

        Args:
            total_frames: Frames of the video, at least 1.
        """
        if self.mode == 'center':
            return np.array([max(total_frames - self.window_frames, 0) // 2])
        starts = window_starts(
            total_frames, self.window_frames, stride=self.stride, tail=self.tail
        )
        if self.mode == 'random':
            return starts[[np.random.randint(len(starts))]]
        kept = self.max_windows
        if kept is not None and kept < len(starts):
            return starts[(2 * np.arange(kept) + 1) * len(starts) // (2 * kept)]
        return starts

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Args:
            results: The sample.
        """
        total_frames = results['total_frames']
        if total_frames < 1:
            raise BrokenVideoError('it holds no frames')
        starts = self.choose_starts(total_frames)
        positions = starts[:, None] + np.arange(self.window_frames)  # (windows, W)
        if self.short == 'loop':
            positions = positions % total_frames
        positions = np.minimum(positions, total_frames - 1)
        return write_positions(results, positions, clip_len=self.clip_len)

    def __repr__(self) -> str:
        names = ('window_frames', 'stride', 'clip_len', 'mode', 'tail', 'short')
        args = [f'{name}={getattr(self, name)!r}' for name in (*names, 'max_windows')]
        return f'{type(self).__name__}({", ".join(args)})'
