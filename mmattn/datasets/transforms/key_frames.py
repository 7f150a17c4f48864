"""Frames around a labeled one, in folders of frames of one rate."""

from mmaction.datasets.transforms import SampleAVAFrames as HostSampleAVAFrames

from mmattn.registry import TRANSFORMS
from mmattn.signatures import Positive

from ..base import BrokenVideoError


@TRANSFORMS.register_module()
class SampleAVAFrames(HostSampleAVAFrames):
    """Sample one clip around a labeled second of a folder of frames.

    Differs from the host's step of this name in: ``start_index`` is added once, so
    that with AVA's 30 frames per second from second 900, ``img_00001.jpg``, frame
    ``clip_len // 2`` of second 902 is ``img_00061.jpg``; and a second that lies outside
    of the frames is an error. Keys and other arguments are the host's.

    Args:
        clip_len: Frames of the clip; number ``clip_len // 2`` is the labeled one.
        frame_interval: Distance between frames.
        test_mode: Whether to leave out the random shift of each frame.

    Shape:
        frame_inds: (clip_len,).

    Raises:
        BrokenVideoError: If the second lies outside of the frames.

    Example:
        >>> sample = dict(
        ...     fps=30, timestamp=902, timestamp_start=900, start_index=1,
        ...     shot_info=(0, 27000))
        >>> step = SampleAVAFrames(clip_len=4, frame_interval=2, test_mode=True)
        >>> step(sample)['frame_inds'].tolist()
        [57, 59, 61, 63]
    """

    def __init__(
        self,
        clip_len: Positive,
        frame_interval: Positive = 2,
        *,
        test_mode: bool = False,
    ) -> None:
        super().__init__(clip_len, frame_interval, test_mode=test_mode)

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Args:
            results: The sample.
        """
        start_index = results.get('start_index', 0)
        count = results.get('total_frames') or results['shot_info'][1]
        seconds = results['timestamp'] - results['timestamp_start']
        if not 0 <= results['fps'] * seconds < count:
            raise BrokenVideoError(
                f'expected a second within its {count} frames at {results["fps"]} per '
                f'second from second {results["timestamp_start"]}, got '
                f'{results["timestamp"]}'
            )
        results = super().transform({**results, 'start_index': 0})
        results['frame_inds'] = results['frame_inds'] + start_index
        results['start_index'] = start_index
        return results
