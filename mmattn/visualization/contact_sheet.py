"""Rows of pictures with a line of text above each, as a picture or a film."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib import colormaps
from PIL import Image

from mmattn.utils.arrays import evenly
from mmattn.visualization.text import Text, draw_texts, fit_text, text_width

MARGIN, GAP, LINE_HEIGHT = 8, 4, 20
SMALL, NORMAL = 8.0, 9.5
FORMATS = ('png', 'gif', 'mp4')
MOST_NUMBERS = 256  # in one picture, whose height is limited
CHUNK = 64  # columns of a film that are drawn together
BAR_WIDTH, BAR_HEIGHT = 48, 10
LEAST_WIDTH = 200  # of a row that has room for a color bar


class Row(NamedTuple):
    """A row of a sheet.

    Args:
        words: The line of text above it.
        pictures: Pictures (T, H, W, 3), RGB, uint8.
        ends: What stands at the two ends of its color bar; None for no bar.
    """

    words: str
    pictures: np.ndarray
    ends: tuple[str, str] | None = None


Draw = Callable[[np.ndarray], Sequence[Row]]  # rows of some columns


def overlay_heat(
    images: np.ndarray, heat: np.ndarray, *, alpha: float = 0.5
) -> np.ndarray:
    """Blend heat maps over images, blue for 0 to red for 1.

    Args:
        images: RGB images, uint8.
        heat: Values from 0 to 1.
        alpha: Share of the heat, 0 to 1.

    Shape:
        - images: (T, H, W, 3)
        - heat: (T, H, W)
        - Output: (T, H, W, 3), uint8

    Example:
        >>> gray = np.full((1, 2, 2, 3), 100, dtype=np.uint8)
        >>> overlay_heat(gray, np.zeros((1, 2, 2)), alpha=0.0)[0, 0, 0].tolist()
        [100, 100, 100]
    """
    palette = _palette().astype(np.float32)
    drawn = np.empty_like(images)
    for k, picture in enumerate(images):  # one by one: videos are long
        colors = palette[np.minimum(heat[k] * 256, 255).astype(np.uint8)]
        drawn[k] = (alpha * colors + (1 - alpha) * picture).round()
    return drawn


def color_bar(width: int, height: int) -> np.ndarray:
    """Draw the colors of heat from 0, left, to 1, right.

    Args:
        width: Its width in pixels.
        height: Its height in pixels.

    Shape:
        - Output: (height, width, 3), RGB, uint8

    Example:
        >>> color_bar(3, 1)[0, [0, 2], 0].tolist()
        [0, 127]
    """
    at = np.linspace(0, 255, width).round().astype(int)
    return np.broadcast_to(_palette()[at], (height, width, 3)).copy()


def _palette() -> np.ndarray:
    return (colormaps['jet'](np.arange(256))[:, :3] * 255).astype(np.uint8)


def draw_sheet(
    rows: Sequence[Row], numbers: Sequence[int | str], *, title: str = ''
) -> np.ndarray:
    """Draw rows of pictures under each other.

    Args:
        rows: The rows.
        numbers: Frame number of each column, or other words below it.
        title: First line of text.

    Returns:
        The picture (H', W', 3), RGB, uint8.

    Raises:
        ValueError: If the rows' pictures differ in number or size.

    Example:
        >>> row = np.zeros((2, 24, 32, 3), dtype=np.uint8)
        >>> draw_sheet([Row('input', row), Row('model', row)], [0, 5]).shape
        (124, 84, 3)
    """
    shapes = {row.pictures.shape for row in rows}
    if len(shapes) != 1 or len(rows[0].pictures) != len(numbers):
        raise ValueError(
            f'rows: expected {len(numbers)} pictures of one size in each, got {shapes}'
        )
    T, H, W, _ = rows[0].pictures.shape
    width = 2 * MARGIN + T * W + (T - 1) * GAP
    height = (
        2 * MARGIN + len(rows) * (LINE_HEIGHT + H) + LINE_HEIGHT * (1 + bool(title))
    )
    top = MARGIN + LINE_HEIGHT * bool(title)
    lefts = [MARGIN + t * (W + GAP) for t in range(T)]
    texts = [_line(title, MARGIN + LINE_HEIGHT // 2, width, bold=True)] if title else []
    bars = {}
    for k, row in enumerate(rows):
        y = top + k * (LINE_HEIGHT + H) + LINE_HEIGHT // 2
        room = width
        if row.ends is not None and width >= LEAST_WIDTH:
            ends, bars[y], room = _bar_texts(row.ends, y, width)
            texts += ends
        texts.append(_line(row.words, y, room))
    bottom = height - MARGIN - LINE_HEIGHT // 2
    for left, number in zip(lefts, numbers, strict=True):
        texts.append(Text(left + W // 2, bottom, str(number), SMALL, align='center'))
    canvas = draw_texts(width, height, texts)
    for y, left in bars.items():
        above = y - BAR_HEIGHT // 2
        bar = color_bar(BAR_WIDTH, BAR_HEIGHT)
        canvas[above : above + BAR_HEIGHT, left : left + BAR_WIDTH] = bar
    for k, row in enumerate(rows):
        y = top + k * (LINE_HEIGHT + H) + LINE_HEIGHT
        for left, picture in zip(lefts, row.pictures, strict=True):
            canvas[y : y + H, left : left + W] = picture
    return canvas


def draw_film(
    rows: Sequence[Row], numbers: Sequence[int | str], *, title: str = ''
) -> Iterator[np.ndarray]:
    """Draw the columns of a sheet one after the other.

    The arguments are those of :func:`draw_sheet`.

    Yields:
        A sheet of one column, as :func:`draw_sheet` draws it.

    Example:
        >>> row = np.zeros((2, 24, 32, 3), dtype=np.uint8)
        >>> [sheet.shape for sheet in draw_film([Row('input', row)], [0, 5])]
        [(80, 48, 3), (80, 48, 3)]
    """
    # The lines of text are the same in all columns, and slow to draw.
    first = [row._replace(pictures=row.pictures[:1]) for row in rows]
    sheet = draw_sheet(first, numbers[:1], title=title)
    H, W = rows[0].pictures.shape[1:3]
    top = MARGIN + LINE_HEIGHT * bool(title)
    bottom = slice(-MARGIN - LINE_HEIGHT, -MARGIN)
    for t, line in enumerate(_number_lines(numbers, W)):
        sheet = sheet.copy()
        for k, row in enumerate(rows):
            y = top + k * (LINE_HEIGHT + H) + LINE_HEIGHT
            sheet[y : y + H, MARGIN : MARGIN + W] = row.pictures[t]
        sheet[bottom, MARGIN : MARGIN + W] = line
        yield sheet


def save_sheet(
    path: str | Path,
    rows: Sequence[Row] | Draw,
    numbers: Sequence[int | str],
    *,
    title: str = '',
    num_columns: int = 8,
    fps: float = 5.0,
) -> Path:
    """Write rows of pictures as a sheet (png) or one column at a time (gif, mp4).

    Args:
        path: File whose name ends in ``.png``, ``.gif`` or ``.mp4``.
        rows: See :func:`draw_sheet`; of a long video a function that draws the rows of
            some columns, given by their places.
        numbers: See :func:`draw_sheet`.
        title: See :func:`draw_sheet`.
        num_columns: Most columns of a sheet, evenly taken.
        fps: Columns per second of a film.

    Returns:
        The path.

    Raises:
        ValueError: If the name ends otherwise, or as for :func:`draw_sheet`.
        OSError: If the film cannot be written.
    """
    path = Path(path)
    if path.suffix.lstrip('.') not in FORMATS:
        raise ValueError(f'path: expected a name ending in {FORMATS}, got {path}')
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = rows if callable(rows) else partial(_columns, rows)
    if path.suffix == '.png':
        kept = evenly(len(numbers), num_columns)
        sheet = draw_sheet(
            draw(np.array(kept)), [numbers[t] for t in kept], title=title
        )
        return save_picture(path, sheet)
    parts = [range(len(numbers))[i : i + CHUNK] for i in range(0, len(numbers), CHUNK)]
    film = chain.from_iterable(
        draw_film(draw(np.array(part)), [numbers[t] for t in part], title=title)
        for part in parts
    )
    if path.suffix == '.gif':
        pictures = (Image.fromarray(sheet) for sheet in film)
        next(pictures).save(
            path,
            save_all=True,
            append_images=pictures,
            duration=round(1000 / fps),
            loop=0,
        )
    else:
        save_film(path, film, fps)
    return path


def save_picture(path: str | Path, picture: np.ndarray) -> Path:
    """Write a picture.

    Args:
        path: File whose name ends in ``.png``, ``.jpg`` or ``.webp``; its folder is
            made.
        picture: RGB, uint8.

    Shape:
        - picture: (H, W, 3)

    Returns:
        The path.

    Raises:
        ValueError: If the name does not end like that of a picture.
    """
    path = Path(path)
    if path.suffix.lower() not in ('.png', '.jpg', '.jpeg', '.webp'):
        raise ValueError(f'expected a name ending in .png, .jpg or .webp, got {path}')
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def _columns(rows: Sequence[Row], places: np.ndarray) -> list[Row]:
    return [row._replace(pictures=row.pictures[places]) for row in rows]


def _line(words: str, y: int, width: int, *, bold: bool = False) -> Text:
    words = fit_text(words, NORMAL, width - 2 * MARGIN, bold=bold)
    return Text(MARGIN, y, words, NORMAL, bold=bold)


def _bar_texts(
    ends: tuple[str, str], y: int, width: int
) -> tuple[list[Text], int, int]:
    """Texts beside a bar at the right end of a line, its left end, and room left."""
    right = width - MARGIN
    left = right - text_width(ends[1], SMALL) - GAP - BAR_WIDTH
    texts = [
        Text(left - GAP, y, ends[0], SMALL, align='right'),
        Text(right, y, ends[1], SMALL, align='right'),
    ]
    return texts, left, left - 2 * GAP - text_width(ends[0], SMALL)


def _number_lines(numbers: Sequence[int | str], width: int) -> Iterator[np.ndarray]:
    """The lowest line of each column, (LINE_HEIGHT, width, 3)."""
    for start in range(0, len(numbers), MOST_NUMBERS):
        part = numbers[start : start + MOST_NUMBERS]
        texts = [
            Text(
                width // 2,
                k * LINE_HEIGHT + LINE_HEIGHT // 2,
                str(number),
                SMALL,
                align='center',
            )
            for k, number in enumerate(part)
        ]
        drawn = draw_texts(width, len(part) * LINE_HEIGHT, texts)
        yield from drawn.reshape(len(part), LINE_HEIGHT, width, 3)


def save_film(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write pictures as a film, one by one.

    Args:
        path: File whose name ends in ``.mp4``.
        frames: RGB pictures (H, W, 3) of one size, uint8; the last row and column are
            left out where H or W is odd, which codecs do not take.
        fps: Pictures per second.

    Raises:
        ValueError: If there are no pictures.
        OSError: If the film cannot be written.
    """
    writer = None
    for frame in frames:
        height, width = (size // 2 * 2 for size in frame.shape[:2])
        if writer is None:
            fourcc = cv2.VideoWriter.fourcc(*'mp4v')
            writer = cv2.VideoWriter(str(path), fourcc, fps, (width, height))
            if not writer.isOpened():
                raise OSError(
                    f'expected a film to be written, OpenCV cannot open {path}'
                )
        writer.write(cv2.cvtColor(frame[:height, :width], cv2.COLOR_RGB2BGR))
    if writer is None:
        raise ValueError('frames: expected at least one, got none')
    writer.release()
