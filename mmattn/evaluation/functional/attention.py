"""Does attention look at the right frames, and at the right place?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmattn.utils.arrays import read_npz

GROUND_TRUTH = ('boxes', 'key', 'label')


def read_ground_truth(folder: str | Path, video: str) -> dict[str, np.ndarray]:
    """Read what is known of a video, for all of its frames.

    Args:
        folder: Folder of files ``<video>.npz``.
        video: Name of the video, without the ending of the file.

    Returns:
        Those that there are of ``boxes`` (T, 4) in pixels, ``key`` (T,), which frames
        carry the action, and ``label``, the number of the class.

    Raises:
        ValueError: If there is no such file, or it holds neither boxes nor key.
    """
    path = Path(folder) / f'{video}.npz'
    if not path.is_file():
        raise ValueError(f'ground_truth: expected a file {path}, got none')
    content = read_npz(path)
    if not {'boxes', 'key'} & set(content):
        raise ValueError(f'{path}: expected boxes or key, got neither')
    return {name: x for name, x in content.items() if name in GROUND_TRUTH}


def mass_on_frames(weights: np.ndarray, key: np.ndarray) -> tuple[float, float]:
    """Return the share of weight on key frames, and what uniform weights would give.

    Args:
        weights: Weight of each frame, non-negative, any sum above 0, (F,).
        key: Which frames carry the action, bool (F,).

    Returns:
        Share of the weight on key frames and share of key frames, each 0 to 1.

    Raises:
        ValueError: If the shapes differ or the weights sum to 0.

    Example:
        >>> mass_on_frames(np.array([3.0, 1.0]), np.array([True, False]))
        (0.75, 0.5)
    """
    weights, key = np.asarray(weights), np.asarray(key, dtype=bool)
    if weights.shape != key.shape or weights.ndim != 1:
        raise ValueError(
            f'expected weights and key of one shape (F,), got {weights.shape} and '
            f'{key.shape}'
        )
    if weights.sum() <= 0:
        raise ValueError(f'expected weights with a positive sum, got {weights.sum()}')
    return float(weights[key].sum() / weights.sum()), float(key.mean())


def pointing_game(maps: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Say in which frames the attention's maximum lies in the box.

    The maximum is at the center of its cell; of several, in the first.

    Args:
        maps: Weight of each cell of the map, any positive sum.
        boxes: Left, top, right and bottom of the box in fractions of width and height;
            NaN where the frame has none.

    Shape:
        - maps: (T, h, w).
        - boxes: (T, 4).
        - Output: (T,), 1.0 or 0.0, NaN without a box.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> maps = np.array([[[0.1, 0.9]]])
        >>> pointing_game(maps, np.array([[0.5, 0, 1, 1]])).tolist()
        [1.0]
    """
    maps, boxes = _checked(maps, boxes)
    T, h, w = maps.shape
    y, x = np.unravel_index(maps.reshape(T, -1).argmax(axis=1), (h, w))
    x, y = (x + 0.5) / w, (y + 0.5) / h
    left, top, right, bottom = boxes.T
    inside = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    return np.where(np.isnan(boxes).any(axis=1), np.nan, inside)


def pointing_uniform(size: tuple[int, ...], boxes: np.ndarray) -> np.ndarray:
    """Return in which share of frames a maximum at random would lie in the box.

    Args:
        size: Height and width of the maps.
        boxes: See :func:`pointing_game`.

    Shape:
        - boxes: (T, 4).
        - Output: (T,), 0 to 1, NaN without a box.

    Example:
        >>> pointing_uniform((1, 4), np.array([[0.3, 0, 1, 1]])).tolist()
        [0.75]
    """
    h, w = size
    left, top, right, bottom = np.asarray(boxes, float).T[..., None]
    x, y = (np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h
    columns = ((left <= x) & (x <= right)).mean(axis=1)
    rows = ((top <= y) & (y <= bottom)).mean(axis=1)
    return np.where(np.isnan(boxes).any(axis=1), np.nan, columns * rows)


def box_in_crop(
    boxes: np.ndarray, shape: Sequence[int], crop: Sequence[float]
) -> np.ndarray:
    """Turn boxes in pixels of a video into fractions of the part that was cut out.

    Args:
        boxes: Left, top, right and bottom in pixels; NaN where there is none.
        shape: Height and width of the video.
        crop: Left, top, width and height of what was cut out, in fractions, as
            ``crop_quadruple`` of the host.

    Shape:
        - boxes, output: (T, 4); NaN where nothing of the box was cut out.

    Example:
        >>> box_in_crop(np.array([[10.0, 0, 40, 20]]), (20, 40), (0.5, 0, 0.5, 1))
        array([[0., 0., 1., 1.]])
    """
    height, width = shape[:2]
    x, y, w, h = np.asarray(crop, float)
    inside = (boxes / ([width, height] * 2) - [x, y, x, y]) / [w, h, w, h]
    clipped = np.clip(inside, 0, 1)
    empty = (clipped[:, :2] >= clipped[:, 2:]).any(axis=1)
    clipped[empty] = np.nan
    return clipped


def mass_in_boxes(maps: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of weight in the box of each frame, and the box's area share.

    Weight is spread evenly over its cell, so that uniform weights give the area share.

    Args:
        maps: See :func:`pointing_game`.
        boxes: See :func:`pointing_game`.

    Shape:
        - maps: (T, h, w).
        - boxes: (T, 4).
        - Output: (T,) and (T,), NaN without a box.

    Raises:
        ValueError: If the shapes do not fit or a map has no positive sum.

    Example:
        >>> maps = np.array([[[1.0, 3.0]]])
        >>> mass, area = mass_in_boxes(maps, np.array([[0.5, 0, 1, 0.5]]))
        >>> mass.tolist(), area.tolist()
        ([0.375], [0.25])
    """
    maps, boxes = _checked(maps, boxes)
    sums = maps.sum(axis=(1, 2))
    if (sums <= 0).any():
        raise ValueError(f'expected maps with positive sums, got {sums.min()}')
    covered_x = _coverage(boxes[:, 0], boxes[:, 2], maps.shape[2])  # (T, w)
    covered_y = _coverage(boxes[:, 1], boxes[:, 3], maps.shape[1])  # (T, h)
    mass = np.einsum('tyx,ty,tx->t', maps, covered_y, covered_x) / sums
    return mass, covered_x.mean(axis=1) * covered_y.mean(axis=1)


def _coverage(low: np.ndarray, high: np.ndarray, cells: int) -> np.ndarray:
    """Share of each cell between 0 and 1 that an interval covers, (T, cells)."""
    edges = np.arange(cells + 1) / cells
    start = np.maximum(low[:, None], edges[:-1])
    end = np.minimum(high[:, None], edges[1:])
    return np.maximum(end - start, 0) * cells


def _checked(maps: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    maps, boxes = np.asarray(maps, float), np.asarray(boxes, float)
    if maps.ndim != 3 or boxes.shape != (len(maps), 4):
        raise ValueError(
            f'expected maps (T, h, w) and boxes (T, 4), got {maps.shape} and '
            f'{boxes.shape}'
        )
    return maps, boxes
