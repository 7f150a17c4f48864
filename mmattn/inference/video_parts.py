"""Videos, or seconds of them with the boxes of persons for action detection."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import Compose

from mmattn.datasets.ava import match_names
from mmattn.datasets.video_reader import VideoError, open_video
from mmattn.inference.attend import video_info
from mmattn.inference.detect import clip_steps
from mmattn.inference.inputs import NetworkInput, is_frames, read_input, read_video
from mmattn.inference.models import is_detector

FIRST_SECOND = 900  # of AVA's videos


class VideoPart(NamedTuple):
    """A video, or a second of it.

    Args:
        video: File or folder of frames.
        second: The second; None stands for the whole video.
        boxes: Persons, (n, 4), relative to the frame; None for the whole video.
    """

    video: Path
    second: int | None = None
    boxes: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Name of the video, with the second."""
        return self.video.name + ('' if self.second is None else f',{self.second:04d}')

    @property
    def stem(self) -> str:
        """Name without the ending of the file."""
        stem = self.video.name if self.video.is_dir() else self.video.stem
        return stem + ('' if self.second is None else f'-{self.second:04d}')


def find_video_parts(
    models: Sequence[Any],
    videos: Sequence[Path],
    persons: Mapping[str, np.ndarray] | None = None,
) -> list[VideoPart]:
    """Return the videos, or for detectors the seconds for which persons are given.

    Args:
        models: All recognizers, or all detectors.
        videos: Files or folders of frames.
        persons: Boxes (n, 4) or (n, 5) by ``'video,second'``, see
            :class:`~mmattn.datasets.ActionDetectionDataset`.

    Raises:
        ValueError: If models are mixed, persons are missing or out of range, or are
            given for recognizers.
    """
    detectors = [is_detector(model) for model in models]
    if any(detectors) != all(detectors):
        raise ValueError(
            'models: expected only recognizers or only detectors, got both'
        )
    if any(detectors) != (persons is not None):
        raise ValueError(
            'persons: expected boxes of persons for detectors and none for '
            f'recognizers, got {"none" if persons is None else "some"}'
        )
    if persons is None:
        return [VideoPart(video) for video in videos]
    names = {key.rpartition(',')[0] for key in persons}
    found = [
        VideoPart(video, int(key.rpartition(',')[2]), _checked(key, boxes))
        for video in videos
        for key, boxes in sorted(persons.items())
        if key.rpartition(',')[0] in match_names([video.name], names).values()
        and len(boxes)
    ]
    missing = sorted({str(video) for video in videos} - {str(m.video) for m in found})
    if missing:
        raise ValueError(
            "persons: expected boxes by 'video,second' for each video, got none for "
            f'{missing}'
        )
    first = max(map(_first_second, models))
    for part in found:
        if (part.second or 0) < first:
            raise ValueError(
                f'persons: expected seconds from {first} on, where the videos of the '
                f'config start, got {part.name}'
            )
    return found


def read_video_part(model: Any, part: VideoPart) -> NetworkInput:
    """Read a video, or a clip around a second of it, as a network sees it.

    Args:
        model: Model of :func:`mmattn.inference.models.load_model`.
        part: What to read.

    Raises:
        BrokenVideoError: If the video cannot be read.
        ValueError: If frame numbers do not fit the input.
    """
    if part.second is None:
        return read_video(model, part.video)
    num_classes = model.roi_head.bbox_head.num_classes
    more: dict[str, Any] = dict(
        timestamp=part.second,
        timestamp_start=_first_second(model),
        proposals=part.boxes,
        # Boxes are scaled only where the truth is there, too.
        gt_bboxes=np.zeros((0, 4), dtype=np.float32),
        gt_labels=np.zeros((0, num_classes), dtype=np.float32),
        img_key=part.name,
    )
    if is_frames(part.video):
        rate = model.cfg.test_dataloader.dataset.get('fps', 30)
        middle = round(rate * (more['timestamp'] - more.pop('timestamp_start')))
        # The host's step multiplies these, and can only use a whole number.
        more |= dict(fps=1, timestamp=middle, timestamp_start=0)
        return read_video(model, part.video, more=more)
    pipeline = Compose([dict(type='mmattn.VideoInit'), *clip_steps(model.cfg)])
    return read_input(pipeline, {**video_info(part.video), **more})


def frame_rate(video: Path) -> float | None:
    """Return the frames per second of a video file; None for a folder or broken file.

    Args:
        video: File or folder.
    """
    if is_frames(video):
        return None
    try:
        with open_video(video) as reader:
            return reader.fps
    except VideoError:
        return None


def _first_second(model: Any) -> int:
    dataset = model.cfg.test_dataloader.dataset
    return dataset.get('timestamp_start', FIRST_SECOND)


def _checked(key: str, boxes: np.ndarray) -> np.ndarray:
    boxes = boxes[:, :4].astype(np.float32)
    if not len(boxes) or boxes.min() < 0 or boxes.max() > 1:
        raise ValueError(
            f'persons: expected one or more boxes from 0 to 1 for {key!r}, got '
            f'{boxes.tolist()}'
        )
    return boxes
