"""Frame-AP of action detection by the rules of AVA's official evaluator.

Gu et al., AVA: a video dataset of spatio-temporally localized atomic visual actions,
section 4; the metric of all AVA results.
"""

import csv
import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmaction.evaluation.functional.ava_evaluation.metrics import (
    compute_average_precision,
    compute_precision_recall,
)
from mmaction.evaluation.functional.ava_evaluation.np_box_ops import iou

BEST_PER_FRAME = 50
IOU_THRESHOLD = 0.5
# AVA's numbers of poses, of actions on objects and of actions on persons.
GROUPS = {
    'person movement': range(1, 15),
    'object manipulation': range(15, 64),
    'person interaction': range(64, 81),
}

Frame = tuple[str, int]
File = str | Path


class ActionBox(NamedTuple):
    """One action of one person in one frame.

    Args:
        frame: Video and second.
        box: x1, y1, x2, y2, as parts of width and height.
        label: Number of the class, from 1.
        score: Confidence; 1 for ground truth.
    """

    frame: Frame
    box: tuple[float, ...]
    label: int
    score: float = 1.0


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
        ValueError: If a line is malformed or the label map names no class, saying
            which file and line.

    Example:
        >>> import tempfile
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
    excluded = read_frames(exclude) if exclude is not None else set()
    return evaluate_frames(truths, read_detections(pred_csv), names, frames - excluded)


def evaluate_frames(
    truths: Iterable[ActionBox],
    detections: Iterable[ActionBox],
    names: Mapping[int, str],
    frames: Collection[Frame],
) -> FrameAPs:
    """Compute the frame-AP of each class.

    Only frames of ``frames`` count, with or without actions; of the detections of a
    frame, the 50 best of the evaluated classes. In the order of their scores, each is
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


def read_truths(path: File) -> tuple[set[Frame], list[ActionBox]]:
    """Read the frames that a ground truth names, and their boxes.

    Raises:
        ValueError: If a line is malformed.
    """
    frames, truths = set(), []
    for number, row in _lines(path, (2, 7, 8)):
        frames.add(_frame(path, number, row))
        if len(row) > 2:
            truths.append(_box(path, number, row[:7]))
    return frames, truths


def read_detections(path: File) -> list[ActionBox]:
    """Read detections.

    Raises:
        ValueError: If a line is malformed.
    """
    return [_box(path, number, row) for number, row in _lines(path, (8,))]


def read_frames(path: File) -> set[Frame]:
    """Read a list of frames.

    Raises:
        ValueError: If a line is malformed.
    """
    return {_frame(path, number, row) for number, row in _lines(path, (2,))}


def read_label_map(path: File) -> dict[int, str]:
    """Read the names and numbers of the classes of a ``pbtxt``.

    Raises:
        ValueError: If there are no classes.
    """
    names: dict[int, str] = {}
    name = None
    for line in Path(path).read_text(encoding='utf-8').splitlines():
        key, _, value = line.strip().partition(':')
        if key == 'name':
            name = value.strip().strip('"')
        elif key in ('id', 'label_id') and name is not None:
            names[int(value)] = name
            name = None
    if not names:
        raise ValueError(f'{path}: expected items with a name and an id, got none')
    return names


def write_detections(detections: Iterable[ActionBox], path: File) -> None:
    """Write detections as AVA's csv, to be evaluated or submitted.

    Args:
        detections: Detections.
        path: File to write.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        for d in detections:
            video, second = d.frame
            box = (f'{value:.6g}' for value in d.box)
            writer.writerow((video, f'{second:04d}', *box, d.label, f'{d.score:.8g}'))


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


def _lines(path: File, widths: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    with open(path, newline='', encoding='utf-8') as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if row and len(row) not in widths:
                raise ValueError(
                    f'{path}, line {number}: expected {" or ".join(map(str, widths))} '
                    f'columns, got {row}'
                )
            if row:
                yield number, row


def _frame(path: File, number: int, row: list[str]) -> Frame:
    try:
        return row[0], int(row[1])
    except ValueError:
        raise ValueError(
            f'{path}, line {number}: expected a whole second, got {row[1]!r}'
        ) from None


def _box(path: File, number: int, row: list[str]) -> ActionBox:
    frame = _frame(path, number, row)
    try:
        box, label = tuple(map(float, row[2:6])), int(row[6])
        return ActionBox(frame, box, label, *map(float, row[7:]))
    except ValueError:
        raise ValueError(
            f'{path}, line {number}: expected x1,y1,x2,y2,class and a score as '
            f'numbers, got {row[2:]}'
        ) from None
