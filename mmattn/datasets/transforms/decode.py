"""Pipeline steps that open and decode videos, each frame the one that is named."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.datasets.transforms import CenterCrop, Resize
from mmcv.transforms import BaseTransform
from mmengine.fileio import get

from mmattn.registry import TRANSFORMS
from mmattn.signatures import NotNegative

from ..base import BrokenVideoError
from ..video_reader import VideoError, VideoReader, open_video

FRAME_BY_FRAME = (Resize, CenterCrop)


@TRANSFORMS.register_module()
class VideoInit(BaseTransform):
    """Open a video, in place of MMAction2's ``DecordInit``.

    Frame n is the n-th frame as FFmpeg shows the file; see "Frames and seconds" in the
    documentation of the data.

    Required keys: filename.  Added keys: video_reader, total_frames, avg_fps.

    Args:
        io_backend: Where files lie, as MMEngine names it.
        num_threads: Threads that decode; 0 leaves the number to FFmpeg.
        **backend_args: Arguments of the ``io_backend``.

    Raises:
        BrokenVideoError: If the video cannot be read.

    Example:
        >>> pipeline = [
        ...     dict(type='mmattn.VideoInit'),
        ...     dict(type='SampleFrames', clip_len=16, frame_interval=2, num_clips=1),
        ...     dict(type='mmattn.VideoDecode'),
        ...     dict(type='Resize', scale=(-1, 256))]
    """

    reads_files = True

    def __init__(
        self,
        io_backend: str = 'disk',
        *,
        num_threads: NotNegative = 1,
        **backend_args: Any,
    ) -> None:
        self.io_backend = io_backend
        self.num_threads = num_threads
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Open the video.

        Args:
            results: The sample.
        """
        name = str(results['filename'])
        if '.' not in name.replace('\\', '/').rpartition('/')[2].lstrip('.'):
            name += '.mp4'  # the host's rule for names without an ending
        content: str | bytes = name
        if self.io_backend not in ('disk', 'local'):
            args = dict(backend=self.io_backend, **self.backend_args)
            content = get(name, backend_args=args)
        try:
            reader = open_video(content, num_threads=self.num_threads)
        except VideoError as error:
            raise BrokenVideoError(str(error)) from error
        results['video_reader'] = reader
        results['total_frames'] = len(reader)
        results['avg_fps'] = reader.fps
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(io_backend={self.io_backend!r}, '
            f'num_threads={self.num_threads})'
        )


@TRANSFORMS.register_module()
class VideoDecode(BaseTransform):
    """Decode the sampled frames, in place of MMAction2's ``DecordDecode``.

    Where our data sets and tools find a ``Resize`` or ``CenterCrop`` after this step,
    each frame passes it before the next one is decoded, so that memory follows the
    network's size and not the file's; the frames are the same bit for bit.

    Required keys: video_reader, frame_inds; start_index, 0 by default.  Added keys:
    imgs, original_shape, img_shape; boxes in gt_bboxes and proposals become pixels.

    Args:
        then: Steps that each frame passes before the next one is decoded.

    Raises:
        BrokenVideoError: If a frame cannot be decoded.
        ValueError: If there is no such frame.
    """

    reads_files = True

    def __init__(self, then: Sequence[Any] = ()) -> None:
        self.then = tuple(then)

    def joined_with(self, step: Any) -> 'VideoDecode | None':
        """Return one step that does this one's work and the next one's.

        Args:
            step: The next step.

        Returns:
            The step; None if the next one has to wait for all frames.
        """
        joins = type(step) in FRAME_BY_FRAME and not step.lazy
        return type(self)((*self.then, step)) if joins else None

    def transform(self, results: dict) -> dict:
        """Decode the frames.

        Args:
            results: The sample.
        """
        numbers = np.asarray(results['frame_inds']).reshape(-1)
        results['frame_inds'] = numbers
        positions = (numbers - results.get('start_index', 0)).tolist()
        reader = results['video_reader']
        results['video_reader'] = None
        try:
            self._decode(results, reader, positions)
        except VideoError as error:
            raise BrokenVideoError(str(error)) from error
        return results

    def _decode(self, results: dict, reader: VideoReader, positions: list[int]) -> None:
        chosen = sorted(set(positions))
        images: Any = []
        for place, position in enumerate(chosen):
            (image,) = reader.read([position])
            if not place:
                self._describe(results, image)
            if not self.then:
                images.append(image)
                continue
            image = self._passed(image)
            # What is kept of each would take the place of freed large frames, be it
            # small images or only their headers: one array, looked into at the end.
            if not place:
                images = np.empty((len(chosen), *image.shape), image.dtype)
            images[place] = image
        places = {position: place for place, position in enumerate(chosen)}
        given: set[int] = set()
        results['imgs'] = []
        for position in positions:  # later steps may change an image in place
            image = images[places[position]]
            results['imgs'].append(image.copy() if position in given else image)
            given.add(position)

    def _passed(self, image: np.ndarray) -> np.ndarray:
        alone = dict(imgs=[image], img_shape=image.shape[:2])
        for step in self.then:
            alone = step(alone)
        return alone['imgs'][0]

    def _describe(self, results: dict, image: np.ndarray) -> None:
        """Set all keys but the images, as for this one."""
        height, width = image.shape[:2]
        results['original_shape'] = results['img_shape'] = (height, width)
        for key in ('gt_bboxes', 'proposals'):
            if 'gt_bboxes' in results and results.get(key) is not None:
                scale = np.array([width, height] * 2)
                results[key] = (results[key] * scale).astype(np.float32)
        results.pop('imgs', None)
        for step in self.then:
            results.update(step(results))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(then={self.then!r})'
