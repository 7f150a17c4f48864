"""Films show what sheets show."""

import cv2
import numpy as np
import pytest
from PIL import Image

from mmattn.visualization.contact_sheet import (
    Row,
    color_bar,
    draw_film,
    draw_sheet,
    save_picture,
    save_sheet,
)
from mmattn.visualization.text import fit_text, text_width


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return [
        Row(words, rng.integers(0, 256, (300, 24, 40, 3), np.uint8))
        for words in ('input', 'a name that is much too long for so narrow a film')
    ]


@pytest.mark.parametrize('title', ['', 'clip.mp4'])
def test_a_film_is_its_sheets(rows, title):
    numbers = list(range(90, 390))
    film = list(draw_film(rows, numbers, title=title))
    assert len(film) == 300
    for t in (0, 9, 10, 255, 256, 299):  # numbers are drawn 256 at a time
        one = [row._replace(pictures=row.pictures[t : t + 1]) for row in rows]
        sheet = draw_sheet(one, [numbers[t]], title=title)
        np.testing.assert_array_equal(film[t], sheet)


def test_files(rows, tmp_path):
    rows = [row._replace(pictures=row.pictures[:7]) for row in rows]
    for kind in ('mp4', 'gif'):
        save_sheet(tmp_path / f'a.{kind}', rows, range(7), fps=5)
    film = cv2.VideoCapture(str(tmp_path / 'a.mp4'))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 7
    assert film.get(cv2.CAP_PROP_FPS) == 5
    with Image.open(tmp_path / 'a.gif') as gif:
        assert gif.n_frames == 7
        assert gif.info['duration'] == 200
    with pytest.raises(ValueError, match='path: expected a name ending in'):
        save_sheet(tmp_path / 'a.bmp', rows, range(7))


def test_text_is_cut_to_the_width():
    words = 'a name that is much too long'
    whole = text_width(words, 9.5)
    assert fit_text(words, 9.5, whole) == words
    for width in range(20, whole, 17):
        cut = fit_text(words, 9.5, width)
        assert cut.endswith('…')
        assert text_width(cut, 9.5) <= width
        longer = words[: len(cut) + 1] + '…'
        assert text_width(longer, 9.5) > width
    assert fit_text(words, 9.5, 0) == '…'


def test_a_color_bar_stands_at_the_right_end_of_the_line():
    pictures = np.zeros((3, 24, 100, 3), np.uint8)
    plain = draw_sheet([Row('gate', pictures)], [0, 1, 2])
    barred = draw_sheet([Row('gate', pictures, ('0', '0.83'))], [0, 1, 2])
    changed = (plain != barred).any(axis=2)
    rows, columns = np.where(changed)
    assert rows.max() < 8 + 20  # the margin and the line of text
    assert columns.min() > plain.shape[1] // 2
    bar = color_bar(48, 10)
    found = np.lib.stride_tricks.sliding_window_view(barred, bar.shape)
    assert (found == bar).all(axis=(3, 4, 5)).sum() == 1
    narrow = [Row('gate', pictures[:1], ends) for ends in (None, ('0', '0.83'))]
    one, other = (draw_sheet([row], [0]) for row in narrow)
    np.testing.assert_array_equal(one, other)


def test_a_picture_is_what_is_written(rows, tmp_path):
    picture = rows[0].pictures[0]
    path = save_picture(tmp_path / 'new' / 'a.png', picture)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), picture)
    with pytest.raises(ValueError, match=r'expected a name ending in \.png'):
        save_picture(tmp_path / 'a.txt', picture)
