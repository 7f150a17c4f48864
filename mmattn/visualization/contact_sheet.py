"""Rows of pictures with a line of text above each, as a picture or a film."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib import colormaps
from PIL import Image

from mmattn.visualization.text import Text, draw_texts, fit_text

MARGIN, GAP, LINE_HEIGHT = 8, 4, 20
SMALL, NORMAL = 8.0, 9.5
FORMATS = ('png', 'gif', 'mp4')
MOST_NUMBERS = 256  # in one picture, whose height is limited
Row = tuple[str, np.ndarray]


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
    palette = (colormaps['jet'](np.arange(256))[:, :3] * 255).astype(np.float32)
    drawn = np.empty_like(images)
    for k, picture in enumerate(images):  # one by one: videos are long
        colors = palette[np.minimum(heat[k] * 256, 255).astype(np.uint8)]
        drawn[k] = (alpha * colors + (1 - alpha) * picture).round()
    return drawn


def draw_sheet(
    rows: Sequence[Row], numbers: Sequence[int | str], *, title: str = ''
) -> np.ndarray:
    """Draw rows of pictures under each other.

    Args:
        rows: Line of text and pictures (T, H, W, 3), RGB, uint8, of each row.
        numbers: Frame number of each column, or other words below it.
        title: First line of text.

    Returns:
        The picture (H', W', 3), RGB, uint8.

    Raises:
        ValueError: If the rows' pictures differ in number or size.

    Example:
        >>> row = np.zeros((2, 24, 32, 3), dtype=np.uint8)
        >>> draw_sheet([('input', row), ('model', row)], [0, 5]).shape
        (124, 84, 3)
    """
    shapes = {pictures.shape for _, pictures in rows}
    if len(shapes) != 1 or len(rows[0][1]) != len(numbers):
        raise ValueError(
            f'rows: expected {len(numbers)} pictures of one size in each, got {shapes}'
        )
    T, H, W, _ = rows[0][1].shape
    width = 2 * MARGIN + T * W + (T - 1) * GAP
    height = (
        2 * MARGIN + len(rows) * (LINE_HEIGHT + H) + LINE_HEIGHT * (1 + bool(title))
    )
    top = MARGIN + LINE_HEIGHT * bool(title)
    lefts = [MARGIN + t * (W + GAP) for t in range(T)]
    texts = [_line(title, MARGIN + LINE_HEIGHT // 2, width, bold=True)] if title else []
    for k, (words, _) in enumerate(rows):
        y = top + k * (LINE_HEIGHT + H) + LINE_HEIGHT // 2
        texts.append(_line(words, y, width))
    bottom = height - MARGIN - LINE_HEIGHT // 2
    for left, number in zip(lefts, numbers, strict=True):
        texts.append(Text(left + W // 2, bottom, str(number), SMALL, align='center'))
    canvas = draw_texts(width, height, texts)
    for k, (_, pictures) in enumerate(rows):
        y = top + k * (LINE_HEIGHT + H) + LINE_HEIGHT
        for left, picture in zip(lefts, pictures, strict=True):
            canvas[y : y + H, left : left + W] = picture
    return canvas


def draw_film(
    rows: Sequence[Row], numbers: Sequence[int | str], *, title: str = ''
) -> Iterator[np.ndarray]:
    """Draw the columns of a sheet one after the other.

    Args:
        rows: See :func:`draw_sheet`.
        numbers: See :func:`draw_sheet`.
        title: See :func:`draw_sheet`.

    Yields:
        A sheet of one column, as :func:`draw_sheet` draws it.

    Example:
        >>> row = np.zeros((2, 24, 32, 3), dtype=np.uint8)
        >>> [sheet.shape for sheet in draw_film([('input', row)], [0, 5])]
        [(80, 48, 3), (80, 48, 3)]
    """
    # The lines of text are the same in all columns, and slow to draw.
    first = [(words, pictures[:1]) for words, pictures in rows]
    sheet = draw_sheet(first, numbers[:1], title=title)
    H, W = rows[0][1].shape[1:3]
    top = MARGIN + LINE_HEIGHT * bool(title)
    bottom = slice(-MARGIN - LINE_HEIGHT, -MARGIN)
    for t, line in enumerate(_number_lines(numbers, W)):
        sheet = sheet.copy()
        for k, (_, pictures) in enumerate(rows):
            y = top + k * (LINE_HEIGHT + H) + LINE_HEIGHT
            sheet[y : y + H, MARGIN : MARGIN + W] = pictures[t]
        sheet[bottom, MARGIN : MARGIN + W] = line
        yield sheet


def save_sheet(
    path: str | Path,
    rows: Sequence[Row],
    numbers: Sequence[int | str],
    *,
    title: str = '',
    num_columns: int = 8,
    fps: float = 5.0,
) -> Path:
    """Write rows of pictures as a sheet (png) or one column at a time (gif, mp4).

    Args:
        path: File whose name ends in ``.png``, ``.gif`` or ``.mp4``.
        rows: See :func:`draw_sheet`.
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
    if path.suffix == '.png':
        count = min(num_columns, len(numbers))
        kept = np.linspace(0, len(numbers) - 1, count).round().astype(int)
        rows = [(words, pictures[kept]) for words, pictures in rows]
        sheet = draw_sheet(rows, [numbers[t] for t in kept], title=title)
        Image.fromarray(sheet).save(path)
        return path
    film = draw_film(rows, numbers, title=title)
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


def _line(words: str, y: int, width: int, *, bold: bool = False) -> Text:
    words = fit_text(words, NORMAL, width - 2 * MARGIN, bold=bold)
    return Text(MARGIN, y, words, NORMAL, bold=bold)


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
