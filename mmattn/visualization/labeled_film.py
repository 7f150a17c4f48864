"""A video with a line of text below each frame."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from mmattn.datasets.video_reader import VideoReader, open_video
from mmattn.inference.inputs import of_longest_side
from mmattn.utils.files import replaced_atomically
from mmattn.visualization.contact_sheet import save_film
from mmattn.visualization.text import Text, draw_texts, fit_text

BAND, SIZE, MARGIN = 28, 11.0, 8


def save_labeled_film(
    video: str | Path,
    labels: Sequence[tuple[float, str]],
    out: str | Path,
    *,
    longest: int = 480,
) -> Path:
    """Write a video with the text of the nearest moment below each frame.

    Args:
        video: The video file.
        labels: Second and text of moments, in order; at least one.
        out: File that ends in ``.mp4``.
        longest: Pixels to which the longer side of a frame is brought.

    Returns:
        The film.

    Raises:
        OSError: If the film cannot be written.
        VideoError: If the video cannot be read.
    """
    out = Path(out)
    with open_video(video) as reader, replaced_atomically(out) as part:
        film = part.with_suffix('.mp4')  # OpenCV goes by the ending
        try:
            save_film(film, _labeled(reader, labels, longest), reader.fps)
            film.replace(part)
        finally:
            film.unlink(missing_ok=True)
    return out


def _labeled(
    reader: VideoReader, labels: Sequence[tuple[float, str]], longest: int
) -> Iterator[np.ndarray]:
    middles = [(first[0] + second[0]) / 2 for first, second in pairwise(labels)]
    drawn, band = '', np.empty(0, np.uint8)
    for second, image in zip(reader.seconds.tolist(), reader.frames(), strict=True):
        image = of_longest_side(image, longest, enlarge=True)
        width = image.shape[1]
        text = labels[bisect_left(middles, second)][1]
        if text != drawn:
            words = fit_text(text, SIZE, width - 2 * MARGIN, bold=True)
            line = Text(MARGIN, BAND // 2, words, SIZE, bold=True)
            drawn, band = text, draw_texts(width, BAND, [line])
        yield np.concatenate([image, band])
