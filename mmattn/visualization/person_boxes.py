"""Boxes of persons with lines of text, drawn on frames."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from mmattn.visualization.text import Text, draw_texts, fit_text, text_width

COLORS = ((230, 60, 60), (40, 120, 230), (30, 160, 70), (200, 90, 200), (230, 140, 0))
SIZE, LINE_HEIGHT, PADDING = 8.0, 15, 3
SHORTEST = 120  # pixels that the text of a narrow box may take
Rectangle = tuple[int, int, int, int]


class PersonBox(NamedTuple):
    """A box and what stands in it.

    Args:
        box: Left, top, right and bottom in fractions of the frame.
        lines: Lines of text.
    """

    box: tuple[float, ...]
    lines: tuple[str, ...]


def draw_person_boxes(
    image: np.ndarray, persons: Sequence[PersonBox], *, note: str = ''
) -> np.ndarray:
    """Draw boxes, each in a color of its own, with text in its upper left corner.

    Args:
        image: RGB picture, uint8; stays as it is.
        persons: The boxes.
        note: Line of text at the lower edge of the picture.

    Shape:
        - image, output: (H, W, 3)

    Example:
        >>> gray = np.full((60, 80, 3), 100, np.uint8)
        >>> drawn = draw_person_boxes(gray, [PersonBox((0.25, 0.5, 1, 1), ())])
        >>> drawn[30, 40].tolist(), drawn[45, 40].tolist()
        ([230, 60, 60], [100, 100, 100])
    """
    drawn = image.copy()
    height, width = image.shape[:2]
    size = np.array([width, height] * 2)
    corners = [np.rint(person.box * size).astype(int).tolist() for person in persons]
    colors = [COLORS[number % len(COLORS)] for number in range(len(persons))]
    thickness = max(1, round(max(height, width) / 300))
    for (left, top, right, bottom), color in zip(corners, colors, strict=True):
        end = (right - 1, bottom - 1)
        cv2.rectangle(drawn, (left, top), end, color, thickness)
    taken: list[Rectangle] = []
    for person, (left, top, right, _), color in zip(
        persons, corners, colors, strict=True
    ):
        longest = min(width, max(right - left, SHORTEST))
        _paste(drawn, _label(person.lines, color, longest), left, top, taken)
    if note:
        _paste(drawn, _label((note,), (0, 0, 0), width), 0, height, [])
    return drawn


@lru_cache(maxsize=256)
def _label(
    lines: tuple[str, ...], color: tuple[int, ...], longest: int
) -> np.ndarray | None:
    """Dark text on white, with a strip of color at the left."""
    if not lines:
        return None
    lines = tuple(fit_text(line, SIZE, longest - 4 * PADDING) for line in lines)
    width = max(text_width(line, SIZE) for line in lines) + 3 * PADDING
    texts = [
        Text(2 * PADDING, LINE_HEIGHT * k + LINE_HEIGHT // 2, line, SIZE)
        for k, line in enumerate(lines)
    ]
    label = draw_texts(width, LINE_HEIGHT * len(lines), texts)
    label[:, :PADDING] = color
    return label


def _paste(
    image: np.ndarray,
    label: np.ndarray | None,
    left: int,
    top: int,
    taken: list[Rectangle],
) -> None:
    """Put a label into a picture, below those that it would hide, and inside."""
    if label is None:
        return
    label = label[: image.shape[0], : image.shape[1]]
    height, width = label.shape[:2]
    x = min(max(left, 0), image.shape[1] - width)
    y = max(top, 0)
    for other_x, other_y, other_right, other_bottom in sorted(
        taken, key=lambda t: t[1]
    ):
        beside = x + width <= other_x or other_right <= x
        if not beside and y < other_bottom and other_y < y + height:
            y = other_bottom
    y = min(y, image.shape[0] - height)
    image[y : y + height, x : x + width] = label
    taken.append((x, y, x + width, y + height))
