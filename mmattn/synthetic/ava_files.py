"""Preset 'interaction' in AVA's layout: frames, truth, proposals and a label map."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from mmattn.synthetic.options import SPLITS, VideoOptions
from mmattn.synthetic.scene import Person

LABEL_MAP = 'labels.pbtxt'
PROPOSAL_SPREAD = 0.04  # of a box's sides


def key_seconds(options: VideoOptions) -> range:
    """Whole seconds with ground truth; second s is frame s x fps, counted from 0.

    Args:
        options: Options of the data set.

    Example:
        >>> list(key_seconds(VideoOptions(num_frames=61, fps=20)))
        [1, 2, 3]
    """
    return range(1, (options.num_frames - 1) // options.fps + 1)


def write_frames(folder: Path, frames: np.ndarray) -> None:
    """Write `img_00001.jpg` and so on.

    Args:
        folder: Folder to make.
        frames: RGB, uint8.

    Shape:
        frames (T, H, W, 3).
    """
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        path = str(folder / f'img_{number:05d}.jpg')
        cv2.imwrite(path, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


def write_ava_lists(
    root: Path,
    options: VideoOptions,
    persons: Mapping[tuple[str, int], tuple[str, tuple[Person, ...]]],
) -> None:
    """Write `<split>.csv` and `<split>_proposals.pkl` of each split, and the label map.

    Class k of the options is number k + 1 here.

    Args:
        root: Folder to write to.
        options: Options of the data set.
        persons: Name and persons of each clip, by split and index.
    """
    for split in SPLITS:
        rows, proposals = [], {}
        for (part, index), (name, people) in sorted(persons.items()):
            if part != split:
                continue
            rng = np.random.default_rng([options.seed, SPLITS.index(split), index, 1])
            for second in key_seconds(options):
                boxes = _relative_boxes(options, people, second)
                rows += _rows(f'{name},{second:04d}', boxes, people)
                proposals[f'{name},{second:04d}'] = propose(boxes, rng)
        (root / f'{split}.csv').write_text(''.join(f'{row}\n' for row in rows))
        (root / f'{split}_proposals.pkl').write_bytes(pickle.dumps(proposals))
    items = [
        f'item {{\n  name: "{name}"\n  id: {number}\n}}\n'
        for number, name in enumerate(options.classes, start=1)
    ]
    (root / LABEL_MAP).write_text(''.join(items))


def propose(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes as a detector of persons yields them: a little off, one of them wrong.

    Args:
        boxes: x1, y1, x2, y2 of the persons, relative to the frame.
        rng: Source of randomness.

    Shape:
        (P, 4) -> (P + 1, 5), with scores from 0 to 1 in the last column.

    Example:
        >>> boxes = np.array([[0.2, 0.1, 0.4, 0.9]])
        >>> propose(boxes, np.random.default_rng(0)).shape
        (2, 5)
    """
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    found = boxes + PROPOSAL_SPREAD * sides * rng.standard_normal(boxes.shape)
    low = rng.uniform(0, 0.7, 2)
    wrong = np.concatenate([low, low + rng.uniform(0.1, 0.3, 2)])
    scores = np.append(rng.uniform(0.9, 1.0, len(boxes)), rng.uniform(0.3, 1.0))
    return np.column_stack([np.clip(np.vstack([found, wrong]), 0, 1), scores])


def _relative_boxes(
    options: VideoOptions, people: tuple[Person, ...], second: int
) -> np.ndarray:
    frame = options.fps * second
    boxes = np.array([person.boxes[frame] for person in people])
    return boxes / np.tile(options.size, 2)


def _rows(key: str, boxes: np.ndarray, people: tuple[Person, ...]) -> list[str]:
    rows = []
    for number, (box, person) in enumerate(zip(boxes, people, strict=True)):
        corners = ','.join(f'{value:.4f}' for value in box)
        rows += [f'{key},{corners},{label + 1},{number}' for label in person.labels]
    return rows
