"""Maps as values of the units that are taken away: frames, places, or both."""

from typing import Literal

import numpy as np
import torch
from torch.nn import functional as F

from mmattn.attention.maps import AttentionMap
from mmattn.visualization.heat_overlay import WHOLE, Box, place_heat

Over = Literal['space', 'time', 'both']
OVERS: tuple[Over, ...] = ('space', 'time', 'both')
Size = tuple[int, int]


def unit_shape(over: Over, num_frames: int, grid: Size) -> tuple[int, ...]:
    """Return the shape of the units.

    Args:
        over: ``'space'``: a unit is a cell of the grid in all frames; ``'time'``: a
            frame; ``'both'``: a cell of a frame.
        num_frames: Number of frames F.
        grid: Rows and columns (h, w) of cells.

    Example:
        >>> [unit_shape(over, 5, (2, 3)) for over in OVERS]
        [(2, 3), (5,), (5, 2, 3)]
    """
    return dict(space=grid, time=(num_frames,), both=(num_frames, *grid))[over]


def unit_values(
    attention: AttentionMap,
    numbers: np.ndarray,
    *,
    over: Over,
    size: Size,
    grid: Size,
    box: Box = WHOLE,
) -> np.ndarray | None:
    """Give each unit what a map gives to it, as pictures of the map show it.

    Frames that the map skips have the values of its nearest frame; outside of the box
    is the map's lowest value.

    Args:
        attention: The map.
        numbers: Numbers of the clip's frames.
        over: See :func:`unit_shape`.
        size: Height and width of the frames, in pixels.
        grid: See :func:`unit_shape`.
        box: Part of the frames that the map covers.

    Returns:
        Values of the shape of the units; None if the map does not tell them apart: a
        timeline knows no places, and a map of negative values no share of frames.

    Example:
        >>> heat = np.array([[[0.0, 1.0]], [[0.0, 3.0]]])
        >>> shares = np.array([0.25, 0.75])
        >>> attention = AttentionMap('m', np.array([0, 4]), heat, shares)
        >>> where = dict(size=(2, 2), grid=(1, 2))
        >>> unit_values(attention, np.array([1, 5]), over='space', **where).tolist()
        [[0.0, 2.0]]
        >>> unit_values(attention, np.array([1, 5]), over='time', **where).tolist()
        [0.25, 0.75]
    """
    nearest = np.abs(numbers[:, None] - attention.numbers).argmin(axis=1)
    if over == 'time':
        return None if attention.weights is None else attention.weights[nearest]
    if attention.heat is None or (over == 'both' and attention.weights is None):
        return None
    placed = place_heat(attention.heat, size, in_cells=attention.in_cells, box=box)
    placed = np.nan_to_num(placed, nan=float(attention.heat.min()))
    cells = F.adaptive_avg_pool2d(torch.from_numpy(placed)[None], grid)[0].numpy()
    return cells[nearest].mean(axis=0) if over == 'space' else cells[nearest]


def center_values(over: Over, num_frames: int, grid: Size) -> np.ndarray:
    """Return the map that looks at the middle, of frames and of the clip.

    A Gaussian whose standard deviation is a quarter of the side, or of the length.

    The arguments are those of :func:`unit_shape`.

    Example:
        >>> center_values('time', 3, (1, 1)).round(3).tolist()
        [0.411, 1.0, 0.411]
    """
    time, rows, columns = map(_bell, (num_frames, *grid))
    space = rows[:, None] * columns
    if over == 'space':
        return space
    return time if over == 'time' else time[:, None, None] * space


def _bell(count: int) -> np.ndarray:
    at = (np.arange(count) + 0.5) / count - 0.5
    return np.exp(-(at**2) / (2 * 0.25**2))
