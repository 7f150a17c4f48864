"""Where the frames, bars and steps of a timeline lie, in pixels."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

PER_ROW = 15
MAX_ROWS = 4

MARGIN = 16
AXIS_WIDTH = 44
LINE_HEIGHT = 22
THUMB_WIDTH = 96
GAP = 6
BAR_INSET = 16
VALUE_HEIGHT = 18
BAR_HEIGHT = 72
NUMBER_HEIGHT = 22
HEAT_STEP_HEIGHT = 4
HEAT_MIN_HEIGHT = 24
ROW_GAP = 14


class Box(NamedTuple):
    """A rectangle in pixels, from the top left corner."""

    x: int
    y: int
    width: int
    height: int

    def rows(self) -> slice:
        """Return the rows of the picture that it covers."""
        return slice(self.y, self.y + self.height)

    def columns(self) -> slice:
        """Return the columns of the picture that it covers."""
        return slice(self.x, self.x + self.width)


@dataclass(frozen=True)
class TimelineLayout:
    """Where everything of a timeline lies.

    Args:
        width: Width of the picture.
        height: Height of the picture.
        thumbs: The frames that are shown, each with its place.
        bars: Per frame, the place that a bar of full height fills.
        heats: Per frame, the place of its column of steps; empty without steps.
        dense: Whether only some of the frames are shown.
    """

    width: int
    height: int
    thumbs: tuple[tuple[int, Box], ...]
    bars: tuple[Box, ...]
    heats: tuple[Box, ...]
    dense: bool


def timeline_layout(
    num_frames: int, aspect: float, *, num_steps: int = 0, num_lines: int = 0
) -> TimelineLayout:
    """Lay out a timeline.

    Up to 15 frames stand in a row, up to 60 in rows of nearly equal length.  Of more
    frames, the middle ones of 15 equal parts are shown, above the bars of all.

    Args:
        num_frames: Number of frames, at least 1.
        aspect: Height of a frame divided by its width.
        num_steps: Number of steps in the strip under the bars; 0 leaves it out.
        num_lines: Number of lines of text above the frames.

    Example:
        >>> layout = timeline_layout(30, 0.75)
        >>> len(layout.thumbs), layout.thumbs[15][1].x == layout.thumbs[0][1].x
        (30, True)
    """
    num_rows = -(-num_frames // PER_ROW)
    dense = num_rows > MAX_ROWS
    num_rows = 1 if dense else num_rows
    per_row = PER_ROW if dense else -(-num_frames // num_rows)
    left, header = MARGIN + AXIS_WIDTH, MARGIN + num_lines * LINE_HEIGHT
    pitch = THUMB_WIDTH + GAP
    thumb = min(max(24, round(THUMB_WIDTH * aspect)), 2 * THUMB_WIDTH)
    heat = max(HEAT_MIN_HEIGHT, HEAT_STEP_HEIGHT * num_steps) if num_steps else 0
    bar_top = thumb + VALUE_HEIGHT
    heat_top = bar_top + BAR_HEIGHT + NUMBER_HEIGHT + (GAP if heat else 0)
    row_height = heat_top + heat + ROW_GAP

    thumbs, bars, heats = [], [], []
    for frame in range(num_frames):
        row, column = (0, frame) if dense else divmod(frame, per_row)
        top = header + row * row_height
        if dense:
            span = PER_ROW * pitch - GAP
            start, end = (i * span // num_frames for i in (frame, frame + 1))
            x, width = left + start, max(1, end - start - (end - start >= 4))
            bars.append(Box(x, top + bar_top, width, BAR_HEIGHT))
        else:
            x, width = left + column * pitch, THUMB_WIDTH
            thumbs.append((frame, Box(x, top, THUMB_WIDTH, thumb)))
            inner = THUMB_WIDTH - 2 * BAR_INSET
            bars.append(Box(x + BAR_INSET, top + bar_top, inner, BAR_HEIGHT))
        if num_steps:
            heats.append(Box(x, top + heat_top, width, heat))
    if dense:
        for column in range(PER_ROW):
            frame = (2 * column + 1) * num_frames // (2 * PER_ROW)
            place = Box(left + column * pitch, header, THUMB_WIDTH, thumb)
            thumbs.append((frame, place))
    return TimelineLayout(
        width=left + max(per_row, 5) * pitch - GAP + MARGIN,
        height=header + num_rows * row_height,
        thumbs=tuple(thumbs),
        bars=tuple(bars),
        heats=tuple(heats),
        dense=dense,
    )


def bar_heights(weights: np.ndarray, *, full: int = BAR_HEIGHT) -> np.ndarray:
    """Return the heights of bars in pixels; the largest weight has the full height.

    Args:
        weights: One weight per frame, not negative.
        full: Height of the largest.

    Example:
        >>> bar_heights(np.array([0.1, 0.4, 0.2]), full=40).tolist()
        [10, 40, 20]
    """
    top = weights.max()
    scaled = weights / top if top > 0 else np.zeros_like(weights)
    return np.rint(full * scaled).astype(int)
