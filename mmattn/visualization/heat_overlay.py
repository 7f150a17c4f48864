"""Heat maps on pictures: scaled, placed, and drawn in one of several styles."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from mmattn.utils.arguments import require_choice
from mmattn.visualization.contact_sheet import overlay_heat

KINDS = ('heat', 'threshold', 'contour')
SCALES = ('max', 'range', 'frame')
CONTOUR, BOX = (255, 255, 0), (255, 255, 255)
STRIP_BACK, STRIP_FRONT = (40, 40, 40), (255, 200, 0)
WHOLE = (0.0, 0.0, 1.0, 1.0)
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class OverlayStyle:
    """How a heat map is drawn on a picture.

    Args:
        kind: ``'heat'`` colors every place, ``'threshold'`` only those at or above the
            threshold, ``'contour'`` draws a line around them.
        threshold: Scaled value from 0 to 1.
        alpha: Share of the heat's color, 0 to 1; contours are opaque.
        scale: What becomes 0 and 1: ``'max'`` leaves 0 and divides by the largest value
            of the video, ``'range'`` stretches from its smallest to its largest, which
            shows small differences of gates, ``'frame'`` divides each frame by its own
            largest.

    Raises:
        ValueError: If a value is out of range.
    """

    kind: str = 'heat'
    threshold: float = 0.5
    alpha: float = 0.5
    scale: str = 'max'

    def __post_init__(self) -> None:
        require_choice('kind', self.kind, KINDS)
        require_choice('scale', self.scale, SCALES)
        for name in ('threshold', 'alpha'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f'{name}: expected 0 to 1, got {getattr(self, name)}')


def scale_heat(heat: np.ndarray, scale: str = 'max') -> np.ndarray:
    """Scale heat maps of a video to values from 0 to 1.

    Args:
        heat: Maps; negative values become 0 except for ``'range'``.
        scale: See :class:`OverlayStyle`.

    Shape:
        - heat, output: (T, h, w)

    Example:
        >>> heat = np.array([[[2.0, 3.0]], [[2.0, 4.0]]])
        >>> scale_heat(heat).tolist()
        [[[0.5, 0.75]], [[0.5, 1.0]]]
        >>> scale_heat(heat, 'range').tolist()
        [[[0.0, 0.5]], [[0.0, 1.0]]]
    """
    low = heat.min() if scale == 'range' else 0.0
    axes = (1, 2) if scale == 'frame' else None
    span = heat.max(axis=axes, keepdims=True) - low
    tiny = np.finfo(np.float64).tiny
    return np.clip((heat - low) / np.maximum(span, tiny), 0, 1)


def place_heat(
    heat: np.ndarray,
    size: tuple[int, int],
    *,
    in_cells: bool = False,
    box: Box = WHOLE,
) -> np.ndarray:
    """Enlarge heat maps to the pictures that they belong to.

    Args:
        heat: Maps.
        size: Height and width of the pictures.
        in_cells: Whether to repeat values, for maps of cells, in place of
            interpolating between the centers.
        box: Left, top, right and bottom of the part of the picture that the map
            covers, in fractions.

    Shape:
        - heat: (T, h, w)
        - Output: (T, height, width), NaN outside of the box.

    Example:
        >>> place_heat(np.ones((1, 1, 1)), (1, 4), box=(0.5, 0, 1, 1)).tolist()
        [[[nan, nan, 1.0, 1.0]]]
    """
    left, top, right, bottom = box
    columns = [round(edge * size[1]) for edge in (left, right)]
    rows = [round(edge * size[0]) for edge in (top, bottom)]
    columns[0], rows[0] = min(columns[0], size[1] - 1), min(rows[0], size[0] - 1)
    inner = (max(1, rows[1] - rows[0]), max(1, columns[1] - columns[0]))
    maps = torch.from_numpy(heat)[None]
    if in_cells:
        large = F.interpolate(maps, inner, mode='nearest')
    else:
        large = F.interpolate(maps, inner, mode='bilinear', align_corners=False)
    placed = np.full((len(heat), *size), np.nan)
    y, x = rows[0], columns[0]
    placed[:, y : y + inner[0], x : x + inner[1]] = large[0].numpy()
    return placed


def draw_overlay(
    images: np.ndarray, heat: np.ndarray, style: OverlayStyle | None = None
) -> np.ndarray:
    """Draw scaled and placed heat maps on pictures.

    Args:
        images: RGB pictures, uint8.
        heat: Values from 0 to 1; what is NaN, the network has not seen, and is dark.
        style: How; heat at half transparency by default.

    Shape:
        - images, output: (T, H, W, 3)
        - heat: (T, H, W)

    Example:
        >>> gray = np.full((1, 1, 2, 3), 100, dtype=np.uint8)
        >>> heat = np.array([[[0.2, np.nan]]])
        >>> draw_overlay(gray, heat, OverlayStyle('threshold'))[0, 0].tolist()
        [[100, 100, 100], [50, 50, 50]]
    """
    style = style or OverlayStyle()
    unseen = np.isnan(heat)
    hot = heat >= style.threshold  # False for NaN
    if style.kind == 'contour':
        drawn = np.stack([_outline(*pair) for pair in zip(images, hot, strict=True)])
    else:
        drawn = overlay_heat(images, np.nan_to_num(heat), alpha=style.alpha)
        if style.kind == 'threshold':
            drawn[~hot] = images[~hot]
    drawn[unseen] = images[unseen] // 2
    return drawn


def weight_strips(
    images: np.ndarray, weights: np.ndarray, *, top: float | None = None
) -> np.ndarray:
    """Draw the weight of each picture as a bar along its lower edge.

    Args:
        images: RGB pictures, uint8.
        weights: Weights of at least 0.
        top: Weight that fills the width, by default the largest.

    Shape:
        - images, output: (T, H, W, 3)
        - weights: (T,)

    Example:
        >>> black = np.zeros((2, 10, 4, 3), dtype=np.uint8)
        >>> drawn = weight_strips(black, np.array([1.0, 0.5]))
        >>> (drawn[:, -1, :, 0] == 255).sum(axis=1).tolist()
        [4, 2]
    """
    drawn = images.copy()
    height, width = images.shape[1:3]
    thickness = max(2, height // 16)
    drawn[:, -thickness:] = STRIP_BACK
    top = (weights.max() if top is None else top) or 1.0
    for picture, weight in zip(drawn, weights, strict=True):
        picture[-thickness:, : round(width * weight / top)] = STRIP_FRONT
    return drawn


def draw_boxes(images: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Draw the outlines of boxes on pictures.

    Args:
        images: RGB pictures, uint8.
        boxes: Left, top, right and bottom in fractions of the pictures.

    Shape:
        - images, output: (T, H, W, 3)

    Example:
        >>> black = np.zeros((1, 5, 6, 3), dtype=np.uint8)
        >>> int((draw_boxes(black, [(0, 0, 0.5, 1)]) > 0).any(-1).sum())
        12
    """
    drawn = images.copy()
    height, width = images.shape[1:3]
    for left, top, right, bottom in boxes:
        start = round(left * width), round(top * height)
        end = round(right * width) - 1, round(bottom * height) - 1
        for picture in drawn:
            cv2.rectangle(picture, start, end, BOX, thickness=1)
    return drawn


def _outline(image: np.ndarray, hot: np.ndarray) -> np.ndarray:
    drawn = np.ascontiguousarray(image).copy()
    contours, _ = cv2.findContours(
        hot.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(drawn, contours, -1, CONTOUR, thickness=max(1, len(image) // 112))
    return drawn
