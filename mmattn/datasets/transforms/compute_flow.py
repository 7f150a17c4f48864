"""Optical flow computed from videos while they are read."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmattn.registry import TRANSFORMS

from ..base import BrokenVideoError
from ..optical_flow import flow_fields, flow_function
from ..video_reader import VideoError
from .decode import VideoInit


@TRANSFORMS.register_module()
class FlowInit(VideoInit):
    """Open a video whose flow is wanted: it has one field fewer than frames.

    Stands for :class:`VideoInit` before a step that samples, or behind a step that has
    opened the video; after the step that samples comes :class:`ComputeFlow`.  The rest
    of the pipeline is that of stored flow.

    Args:
        **host_args: Arguments of :class:`VideoInit`.

    Raises:
        BrokenVideoError: If the video has fewer than two frames.

    Example:
        >>> pipeline = [
        ...     dict(type='mmattn.FlowInit'),
        ...     dict(type='SampleFrames', clip_len=5, num_clips=3),
        ...     dict(type='mmattn.ComputeFlow', method='dis'),
        ...     dict(type='mmattn.FlowFlip', flip_ratio=0.5)]
    """

    def __init__(self, **host_args: Any) -> None:
        super().__init__(**host_args)

    def transform(self, results: dict) -> dict:
        """Open the video.

        Args:
            results: The sample.
        """
        if results.get('video_reader') is None:
            results = super().transform(results)
        if results['total_frames'] < 2:
            raise BrokenVideoError(
                f'expected two frames or more for flow, got {results["total_frames"]}'
            )
        results['total_frames'] -= 1
        results['modality'] = 'Flow'
        return results


@TRANSFORMS.register_module()
class ComputeFlow(BaseTransform):
    """Compute the sampled flow fields of a video, as they would have been stored.

    Field n is the flow from frame n to frame n + 1.  Each field is computed once,
    even if it is sampled several times.

    Args:
        method: ``'tvl1'``, ``'farneback'`` or ``'dis'``, see
            :func:`~mmattn.datasets.optical_flow.flow_function`.
        bound: Motion in pixels that becomes level 255.
        size: Width and height to which frames are resized before; None keeps theirs.

    Shape:
        Fields (H, W, 2), uint8, x and y.

    Raises:
        ImportError: If OpenCV lacks TV-L1.
        ValueError: If the method is unknown, ``bound`` is not positive or ``size`` is
            no pair.
        BrokenVideoError: If a frame cannot be decoded.
    """

    reads_files = True

    def __init__(
        self,
        method: str = 'dis',
        *,
        bound: float = 20.0,
        size: tuple[int, int] | None = None,
    ) -> None:
        check_flow_options(bound, size)
        flow_function(method)
        self.method = method
        self.bound = bound
        self.size = None if size is None else (size[0], size[1])

    def transform(self, results: dict) -> dict:
        """Compute the fields.

        Args:
            results: The sample.
        """
        numbers = np.asarray(results['frame_inds']).reshape(-1)
        positions = (numbers - results.get('start_index', 0)).tolist()
        fields, compute = {}, flow_function(self.method)
        reader = results['video_reader']
        results['video_reader'] = None
        for number in sorted(set(positions)):
            try:
                pair = reader.read([number, number + 1])
            except VideoError as error:
                raise BrokenVideoError(str(error)) from error
            (fields[number],) = flow_fields(
                pair, compute, bound=self.bound, size=self.size
            )
        results['imgs'] = [fields[number].copy() for number in positions]
        results['original_shape'] = results['imgs'][0].shape[:2]
        results['img_shape'] = results['original_shape']
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(method={self.method!r}, bound={self.bound}, '
            f'size={self.size})'
        )


def check_flow_options(bound: float, size: tuple[int, int] | None) -> None:
    """Refuse a bound and a size that make no sense.

    Args:
        bound: Largest stored motion in pixels.
        size: Width and height, or None.

    Raises:
        ValueError: If ``bound`` is not positive or ``size`` is no positive pair.
    """
    if bound <= 0:
        raise ValueError(f'bound: expected a positive number, got {bound}')
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f'size: expected a width and a height, got {size}')
