"""Boxes of persons: from a detector, from a file, or given."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope

from mmattn.compat import require_detection
from mmattn.datasets.ava import match_names
from mmattn.datasets.proposals import frame_key, load_proposals
from mmattn.datasets.video_reader import VideoError, open_video
from mmattn.models.weights.checks import require_weights
from mmattn.models.weights.pretrained import read_weights
from mmattn.prepare.annotation_check import labeled_frames, video_path
from mmattn.utils.progress import progress_bar

# Returns the boxes of a picture (H, W, 3), RGB, that is shown at some second.
PersonSource = Callable[[np.ndarray, float], np.ndarray]


class PersonDetector:
    """Any detector of mmdet, of which the boxes of one class are kept.

    Args:
        config: Config of the detector.
        checkpoint: Its weights.
        person: Name of the class, as the checkpoint or COCO has it, or its number.
        score_thr: Lowest score of a box.
        device: Device such as ``'cuda:0'``.

    Raises:
        ImportError: If mmdet is missing.
        ValueError: If the detector has no such class, ``score_thr`` is no share, or the
            checkpoint is that of another model.

    Example:
        >>> def persons(picture, second):  # what a detector is for mmattn
        ...     return np.array([[0.1, 0.2, 0.5, 0.9, 0.98]])
    """

    def __init__(
        self,
        config: str | Path | Any,
        checkpoint: str | None,
        *,
        person: str | int = 'person',
        score_thr: float = 0.5,
        device: str = 'cpu',
    ) -> None:
        require_detection()
        from mmdet.apis import init_detector

        if not 0 <= score_thr <= 1:
            raise ValueError(f'score_thr: expected 0 to 1, got {score_thr}')
        # mmdet changes the default scope and the filters of warnings.
        with DefaultScope.overwrite_default_scope('mmdet'), warnings.catch_warnings():
            self.model: Any = init_detector(
                config, checkpoint, palette='random', device=device
            )
        if checkpoint is not None:  # of another model, mmdet only warns
            weights = read_weights(str(checkpoint), prefixes=('module.',))
            # Buffers differ between versions of mmdet.
            buffers = dict(self.model.named_buffers())
            require_weights(self.model, {**buffers, **weights}, str(checkpoint))
        self.person = _class_number(self.model.dataset_meta['classes'], person)
        self.score_thr = score_thr

    def __call__(self, picture: np.ndarray, second: float = 0.0) -> np.ndarray:
        """Return boxes with scores, best first, as parts of width and height.

        Args:
            picture: RGB picture, uint8.
            second: Not looked at.

        Shape:
            - picture: (H, W, 3)
            - Output: (n, 5)
        """
        from mmdet.apis import inference_detector

        del second
        height, width = picture.shape[:2]
        bgr = np.ascontiguousarray(picture[..., ::-1])  # what mmdet's pipelines expect
        with DefaultScope.overwrite_default_scope('mmdet'):
            found = inference_detector(self.model, bgr).pred_instances.cpu().numpy()
        kept = (found.labels == self.person) & (found.scores >= self.score_thr)
        boxes = found.bboxes[kept] / np.array([width, height] * 2)
        scores = found.scores[kept]
        rows = np.column_stack([boxes.clip(0, 1), scores]).astype(np.float64)
        return rows[np.argsort(-scores, kind='stable')]


class StoredPersons:
    """Boxes of a file of proposals, for one video.

    Args:
        path: See :func:`mmattn.datasets.proposals.load_proposals`.
        video: The video, which the file names with its ending or without.

    Raises:
        ValueError: If the file holds nothing of this video.
    """

    def __init__(self, path: str | Path, video: str | Path) -> None:
        video = Path(video)
        proposals = load_proposals(path)
        names = {key.rpartition(',')[0] for key in proposals}
        spelled = match_names([video.name], names).get(video.name)
        if spelled is None:
            raise ValueError(
                f'{path}: expected boxes of {video.name}, got those of '
                f'{min(names, default="no video")}'
            )
        self.found: dict[int, np.ndarray] = {}
        for key, boxes in proposals.items():
            name, _, second = key.rpartition(',')
            if name == spelled:
                self.found[int(second)] = boxes

    def __call__(self, picture: np.ndarray, second: float) -> np.ndarray:
        """Return the boxes of the nearest whole second, none if it is not there.

        Args:
            picture: Not looked at.
            second: The second.
        """
        del picture
        return self.found.get(round(second), np.zeros((0, 4)))


class GivenPersons:
    """The same boxes in every frame.

    Args:
        boxes: Boxes as parts of width and height.

    Shape:
        - boxes: (n, 4)

    Raises:
        ValueError: If a box is empty or beyond the frame.
    """

    def __init__(self, boxes: Sequence[Sequence[float]]) -> None:
        array = np.asarray(boxes, dtype=np.float64)
        well_formed = array.ndim == 2 and array.shape[1] == 4 and len(array)
        if (
            not well_formed
            or not ((array >= 0) & (array <= 1)).all()
            or (array[:, :2] >= array[:, 2:]).any()
        ):
            raise ValueError(
                f'boxes: expected 0 <= x1 < x2 <= 1 and y1, y2 alike, got {boxes}'
            )
        self.boxes = array

    def __call__(self, picture: np.ndarray, second: float) -> np.ndarray:
        """Return the boxes.

        Args:
            picture: Not looked at.
            second: Not looked at.
        """
        del picture, second
        return self.boxes


def boxes_as_proposals(ann_file: str | Path) -> dict[str, np.ndarray]:
    """Take the labeled boxes themselves as proposals, with the score 1.

    Args:
        ann_file: Csv in AVA's layout.

    Raises:
        ValueError: If a line is malformed.
    """
    return {
        frame_key(*frame): np.array([(*b, 1.0) for b in sorted(boxes)]).reshape(-1, 5)
        for frame, boxes in labeled_frames(ann_file).items()
    }


def detect_proposals(
    ann_file: str | Path,
    videos: str | Path,
    detector: PersonSource,
    *,
    start: int = 0,
    progress: bool = True,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Detect persons in the labeled frames of videos.

    Args:
        ann_file: Csv in AVA's layout, of which only video and second are looked at.
        videos: Folder of the videos.
        detector: What detects them, as :class:`PersonDetector`.
        start: Second at which videos start; AVA's is 900.
        progress: Whether to show a progress bar.

    Returns:
        Boxes by frame, none where nobody is found, and messages about videos that could
        not be read, of which no frame is among them.

    Raises:
        ValueError: If a line is malformed, or no video can be read.
    """
    by_video: dict[str, list[int]] = {}
    for video, second in sorted(labeled_frames(ann_file)):
        by_video.setdefault(video, []).append(second)
    found: dict[str, np.ndarray] = {}
    broken = []
    for video in progress_bar(by_video, description='videos', shown=progress):
        try:
            path = video_path(videos, video)
            seconds = [second - start for second in by_video[video]]
            boxes = _persons_at(path, seconds, detector, start)
        except VideoError as error:
            broken.append(str(error))
            continue
        for second, rows in zip(by_video[video], boxes, strict=True):
            found[frame_key(video, second)] = rows
    if broken and len(broken) == len(by_video):
        raise ValueError(f'{ann_file}: expected a video that can be read: {broken[0]}')
    return found, broken


def _persons_at(
    path: Path, seconds: Sequence[int], detector: PersonSource, start: int
) -> list[np.ndarray]:
    """Boxes at seconds after the first frame of a video."""
    with open_video(path) as reader:
        outside = [x + start for x in seconds if not 0 <= x < reader.duration]
        if outside:
            raise VideoError(
                f'{path}: expected labels from second {start} to '
                f'{start + reader.duration:g}, got {outside[0]}'
            )
        return [
            detector(reader.read([reader.frame_at(second)])[0], second + start)
            for second in seconds
        ]


def _class_number(classes: Sequence[str], person: str | int) -> int:
    if isinstance(person, int) and 0 <= person < len(classes):
        return person
    if person not in classes:
        raise ValueError(
            f'person: expected a class of the detector {tuple(classes)}, got {person!r}'
        )
    return list(classes).index(str(person))
