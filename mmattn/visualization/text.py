"""Short lines of text on a picture, drawn with the font that Matplotlib brings."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

DPI = 100
FAMILY = 'DejaVu Sans'


class Text(NamedTuple):
    """A line of text, centered vertically on ``y``."""

    x: int
    y: int
    words: str
    size: float
    align: str = 'left'
    bold: bool = False


def draw_texts(width: int, height: int, texts: Sequence[Text]) -> np.ndarray:
    """Draw dark text on a white picture.

    Args:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        texts: Lines of text; ``size`` is in points at 100 dots per inch.

    Returns:
        The picture, RGB, uint8.

    Shape:
        - output: :math:`(height, width, 3)`

    Example:
        >>> draw_texts(40, 20, [Text(2, 10, 'a', 8.0)]).shape
        (20, 40, 3)
    """
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor='white')
    for text in texts:
        figure.text(
            text.x / width,
            1 - text.y / height,
            _printable(text.words),
            fontproperties=_font(text.size, text.bold),
            color='#202020',
            ha=text.align,
            va='center_baseline',
            parse_math=False,
            usetex=False,
        )
    return pixels_of(figure)


def pixels_of(figure: Figure) -> np.ndarray:
    """Return a figure as a picture (H, W, 3), RGB, uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def text_width(words: str, size: float, *, bold: bool = False) -> int:
    """Return the width of a line of text in pixels.

    Args:
        words: The text.
        size: Size of the font in points.
        bold: Whether it is bold.
    """
    renderer = FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()
    font = _font(size, bold)
    found = renderer.get_text_width_height_descent(_printable(words), font, False)
    return int(np.ceil(found[0]))


def fit_text(words: str, size: float, width: int, *, bold: bool = False) -> str:
    """Cut a text that is too long, and end it with dots.

    Args:
        words: The text.
        size: Size of the font in points.
        width: Largest width in pixels.
        bold: Whether it is bold.
    """
    if text_width(words, size, bold=bold) <= width:
        return words
    count = bisect_right(
        range(len(words)),
        width,
        key=lambda n: text_width(words[:n] + '…', size, bold=bold),
    )
    return words[: max(0, count - 1)].rstrip() + '…'


def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family=FAMILY, size=size, weight='bold' if bold else 'normal')


def _printable(words: str) -> str:
    """Replace what the font cannot show, about which Matplotlib would warn."""
    font = get_font(findfont(FontProperties(family=FAMILY)))
    line = ' '.join(words.split())
    return ''.join(c if font.get_char_index(ord(c)) else '?' for c in line)
