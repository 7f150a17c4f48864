"""Frame-AP of action detection by the rules of AVA's official evaluator.

Gu et al., AVA: a video dataset of spatio-temporally localized atomic visual actions,
section 4; the metric of all AVA results.
"""

import heapq
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mmaction.evaluation.functional.ava_evaluation.metrics import (
    compute_average_precision,
    compute_precision_recall,
)
from mmaction.evaluation.functional.ava_evaluation.np_box_ops import iou
from mmengine.logging import print_log

from mmattn.datasets.ava import (
    ActionBox,
    File,
    Frame,
    check_names,
    read_detections,
    read_frames,
    read_label_map,
    read_truths,
)

BEST_PER_FRAME = 50
IOU_THRESHOLD = 0.5
# AVA's numbers of poses, of actions on objects and of actions on persons.
GROUPS = {
    'person movement': range(1, 15),
    'object manipulation': range(15, 64),
    'person interaction': range(64, 81),
}


@dataclass(frozen=True)
class FrameAPs:
    """Frame-AP of each class that has ground truth, from 0 to 1.

    Args:
        names: Name of each evaluated class by its number.
        aps: AP by the number of the class.
    """

    names: Mapping[int, str]
    aps: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Mean over the classes, nan if there are none."""
        return _mean(self.aps.values())

    @property
    def groups(self) -> dict[str, float]:
        """Mean of each of AVA's three groups of classes, nan of an empty one."""
        return {
            name: _mean(ap for label, ap in self.aps.items() if label in labels)
            for name, labels in GROUPS.items()
        }

    def table(self, *, with_groups: bool = True) -> str:
        """Return the classes, groups and the mean as lines of text, in percent.

        Args:
            with_groups: Whether the classes are AVA's, with its three groups.
        """
        rows = [(self.names[label], ap) for label, ap in sorted(self.aps.items())]
        rows += self.groups.items() if with_groups else ()
        rows.append(('mean', self.mean))
        width = max(len(name) for name, _ in rows)
        return '\n'.join(f'{name:<{width}}  {100 * ap:6.2f}' for name, ap in rows)


def frame_map(
    gt_csv: File, pred_csv: File, label_map: File, exclude: File | None = None
) -> float:
    """Return the mean of :func:`frame_aps`, the figure that AVA results quote.

    Args:
        gt_csv: See :func:`frame_aps`.
        pred_csv: See :func:`frame_aps`.
        label_map: See :func:`frame_aps`.
        exclude: See :func:`frame_aps`.
    """
    return frame_aps(gt_csv, pred_csv, label_map, exclude).mean


def frame_aps(
    gt_csv: File, pred_csv: File, label_map: File, exclude: File | None = None
) -> FrameAPs:
    r"""Evaluate a file of detections as AVA's official evaluator does.

    Args:
        gt_csv: Ground truth, lines ``video,second,x1,y1,x2,y2,class[,person]``, or
            ``video,second`` of a frame without actions.
        pred_csv: Detections, lines ``video,second,x1,y1,x2,y2,class,score``.
        label_map: The classes to evaluate, AVA's ``pbtxt``.
        exclude: Lines ``video,second`` of frames to leave out.

    Raises:
        ValueError: If a line is malformed or the label map damaged, with file and line;
            or if no detection is in a frame of the truth, or a video is spelled
            otherwise there.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / 'gt.csv').write_text('v,902,0,0,.5,1,12')
        >>> _ = (folder / 'pred.csv').write_text('v,902,0,0,.6,1,12,.9')
        >>> item = 'item {\n  name: "stand"\n  id: 12\n}'
        >>> _ = (folder / 'map.pbtxt').write_text(item)
        >>> frame_map(folder / 'gt.csv', folder / 'pred.csv', folder / 'map.pbtxt')
        1.0
    """
    frames, truths = read_truths(gt_csv)
    names = read_label_map(label_map)
    found = read_detections(pred_csv)
    check_frames({detection.frame for detection in found}, frames, pred_csv, gt_csv)
    if exclude is not None:
        frames = without_excluded(frames, exclude, gt_csv)
    return evaluate_frames(truths, found, names, frames)


def check_frames(
    found: Collection[Frame], frames: Collection[Frame], path: File, gt_csv: File
) -> None:
    """Check that detections and truth are of the same frames, and report the rest.

    Args:
        found: Frames with detections.
        frames: Frames of the truth.
        path: Where the detections come from, for messages.
        gt_csv: File of the truth, for messages.

    Raises:
        ValueError: If a video is spelled otherwise in the truth, or no frame is there.
    """
    videos, expected = ({video for video, _ in part} for part in (found, frames))
    check_names(videos, expected, path, gt_csv)
    if not videos & expected:
        theirs = f'{min(videos)!r}' if videos else 'none'
        raise ValueError(
            f'{path}: expected detections in videos of {gt_csv}, such as '
            f'{min(expected)!r}, got {theirs}'
        )
    shared = set(found) & set(frames)
    if not shared:
        raise ValueError(
            f'{path}: expected detections in frames of {gt_csv}, such as '
            f'{min(frames)}, got none, but {min(found)}'
        )
    unknown, lacking = len(set(found) - shared), len(expected - videos)
    if unknown:
        print_log(
            f'{path}: {unknown} of {len(found)} frames are not in {gt_csv} and are not '
            'evaluated',
            'current',
            logging.WARNING,
        )
    if lacking:
        print_log(
            f'{path}: {lacking} of {len(expected)} videos of {gt_csv} have no '
            'detection',
            'current',
            logging.WARNING,
        )


def without_excluded(frames: Collection[Frame], path: File, gt_csv: File) -> set[Frame]:
    """Return the frames that a list does not exclude.

    Args:
        frames: Frames of the truth.
        path: List of frames, csv.
        gt_csv: File of the truth, for messages.

    Raises:
        ValueError: If the list is malformed, or spells a video otherwise.
    """
    excluded = read_frames(path)
    videos, expected = ({video for video, _ in part} for part in (excluded, frames))
    check_names(videos, expected, path, gt_csv)
    return set(frames) - excluded


def evaluate_frames(
    truths: Iterable[ActionBox],
    detections: Iterable[ActionBox],
    names: Mapping[int, str],
    frames: Collection[Frame],
) -> FrameAPs:
    """Compute the frame-AP of each class.

    Only frames of ``frames`` count, with or without actions; of the detections of a
    frame, the 50 best of the evaluated classes, less those of them whose box has no
    positive width and height. In the order of their scores, each is
    a hit if the box of its class that it overlaps most has an IoU of at least 0.5 and
    no detection of its own yet. Classes without ground truth have no AP; classes
    without detections have 0.

    Args:
        truths: Ground truth.
        detections: Detections in the order of their file, which decides about equal
            scores.
        names: Names of the evaluated classes by their numbers.
        frames: The frames to evaluate.
    """
    boxes: dict[tuple[Frame, int], list] = defaultdict(list)
    counts: dict[int, int] = defaultdict(int)
    for truth in truths:
        if truth.frame in frames and truth.label in names:
            boxes[truth.frame, truth.label].append(truth.box)
            counts[truth.label] += 1
    scores: dict[int, list[float]] = defaultdict(list)
    hits: dict[int, list[bool]] = defaultdict(list)
    for (frame, label), found in _best_by_class(detections, names, frames).items():
        scores[label] += [detection.score for detection in found]
        hits[label] += _match([d.box for d in found], boxes.get((frame, label), []))
    aps = {
        label: _average_precision(scores[label], hits[label], counts[label])
        for label in sorted(counts)
    }
    return FrameAPs(dict(names), aps)


def _best_by_class(
    detections: Iterable[ActionBox],
    names: Mapping[int, str],
    frames: Collection[Frame],
) -> dict[tuple[Frame, int], list[ActionBox]]:
    """The best of each frame, by frame and class, best first."""
    by_frame: dict[Frame, list[ActionBox]] = defaultdict(list)
    for detection in detections:
        if detection.frame in frames and detection.label in names:
            by_frame[detection.frame].append(detection)
    by_class: dict[tuple[Frame, int], list[ActionBox]] = defaultdict(list)
    for frame, found in by_frame.items():
        for d in heapq.nlargest(BEST_PER_FRAME, found, key=lambda d: d.score):
            if d.box[0] < d.box[2] and d.box[1] < d.box[3]:
                by_class[frame, d.label].append(d)
    return by_class


def _match(detected: Sequence, truths: Sequence) -> list[bool]:
    """Whether each detection of one class in one frame, best first, is a hit."""
    if not truths:
        return [False] * len(detected)
    overlaps = iou(np.array(detected, dtype=float), np.array(truths, dtype=float))
    taken: set[int] = set()
    hits = []
    for overlap in overlaps:
        nearest = int(overlap.argmax())
        hit = overlap[nearest] >= IOU_THRESHOLD and nearest not in taken
        if hit:
            taken.add(nearest)
        hits.append(bool(hit))
    return hits


def _average_precision(
    scores: Sequence[float], hits: Sequence[bool], num_truths: int
) -> float:
    if not scores:
        return 0.0
    # The host sorts upwards and turns around; ranks keep equal scores in their order.
    ranks = np.empty(len(scores))
    ranks[np.argsort(-np.array(scores), kind='stable')] = -np.arange(len(scores))
    precision, recall = compute_precision_recall(ranks, np.array(hits), num_truths)
    return float(compute_average_precision(precision, recall))


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else float('nan')
