"""The matrix: no reader path hands on another frame than the one asked for."""

import numpy as np
import pytest

from mmattn.datasets.video_reader import VideoError, open_video, probe
from mmattn.testing.numbered_videos import (
    ENCODERS,
    EXTRAS,
    FPS,
    Film,
    films,
    number_of,
    numbers_in_order,
    write_film,
)

BACKWARDS_AND_FORTH = (59, 0, 31, 30, 32, 13, 12, 11, 12, 58, 1, 24, 23, 47)


def spaced(count, clips=25):
    return [int(count / clips * (i + 0.5)) for i in range(clips)]


def shown_by(reader, numbers):
    return [number_of(image) for image in reader.read(numbers)]


def check_all_paths(path, shown, **options):
    """Every way to ask for frames, each by a reader that has read nothing before."""
    count = len(shown)
    jumps = [number % count for number in BACKWARDS_AND_FORTH]
    for numbers in (spaced(count), jumps, [count - 1], range(count)):
        with open_video(path, **options) as reader:
            assert len(reader) == count
            expected = [shown[number] for number in numbers]
            assert shown_by(reader, list(numbers)) == expected
    with open_video(path, **options) as reader:
        assert [number_of(image) for image in reader.frames()] == shown
        part = slice(count // 3, count - 1, 5)
        frames = reader.frames(part.start, part.stop, part.step)
        assert [number_of(image) for image in frames] == shown[part]
        assert shown_by(reader, [0]) == shown[:1]


def check_film(folder, film, **options):
    check_all_paths(write_film(folder, film), film.numbers, **options)


def of_codec(codec):
    return [film for film in films() if film.codec == codec and not film.extra]


@pytest.mark.parametrize('codec', ENCODERS)
def test_codecs(films_folder, codec):
    for film in of_codec(codec):
        if film.b_frames or codec in ('mjpeg', 'wmv2'):
            check_film(films_folder, film)


@pytest.mark.slow
@pytest.mark.parametrize('codec', ENCODERS)
def test_codecs_without_b_frames_and_reduced(films_folder, codec):
    for film in of_codec(codec):
        check_film(films_folder, film)
        check_film(films_folder, film, short_side=32)


@pytest.mark.parametrize('extra', sorted(set(EXTRAS) - {'truncated'}))
def test_extras(films_folder, extra):
    chosen = [film for film in films() if film.extra == extra]
    assert chosen
    for film in chosen:
        check_film(films_folder, film)
        check_film(films_folder, film, short_side=32)


@pytest.mark.filterwarnings('ignore::mmattn.datasets.video_reader.CutShortWarning')
def test_truncated(films_folder):
    """A frame is the right one, or there is an error; never another frame.

    The frame whose packet is cut may be left out, or shown as far as it is there, and
    so may the two B-frames that are stored behind the frame that they lead to.
    """
    for film in films():
        if film.extra != 'truncated':
            continue
        path = write_film(films_folder, film)
        whole = {n for n in numbers_in_order(path) if n < film.frames}
        shown = []
        for number in range(film.frames):
            try:
                with open_video(path) as reader:
                    (image,) = reader.read([number])
            except ValueError:
                break
            shown.append(number_of(image))
        assert len(shown) >= len(whole) - 3, film.name
        assert shown[:-1] == list(range(len(shown) - 1)), film.name
        assert 0 <= shown[-1] - (len(shown) - 1) <= 2, film.name


def test_sizes_are_those_shown(films_folder):
    for extra, size in (('rotated', (96, 64)), ('odd', (70, 50)), ('', (96, 64))):
        path = write_film(films_folder, Film('h264', 'mp4', extra=extra))
        with open_video(path) as reader:
            (image,) = reader.read([3])
            assert (reader.width, reader.height) == size == image.shape[1::-1]


@pytest.mark.parametrize('extra', ['', 'variable', 'offset', 'audio', 'trimmed'])
def test_times(films_folder, extra):
    """Each frame is shown from its timestamp on, counted from the first frame."""
    for film in films():
        if film.extra != extra or film.codec not in ('h264', 'mpeg4', 'mpeg2'):
            continue
        if (extra, film.container) == ('trimmed', 'avi'):  # has no times of its own
            continue
        seconds = np.array(film.seconds)[-len(film.numbers) :]
        seconds -= seconds[0]
        with open_video(write_film(films_folder, film)) as reader:
            np.testing.assert_allclose(
                reader.seconds, seconds, atol=0.002, err_msg=film.name
            )
            for number, second in enumerate(seconds):
                assert reader.frame_at(second) == number, film.name
                assert reader.frame_at(second + 0.9 / FPS) == number


def test_the_probe_never_trusts_decord_wrongly(films_folder):
    """Decord's own frames, of every film for which the probe trusts it."""
    pytest.importorskip('decord')
    trusted = 0
    for film in films():
        path = write_film(films_folder, film)
        try:
            right = probe(path).decord_is_right
        except VideoError:
            continue
        if right:
            trusted += 1
            check_all_paths(path, film.numbers, backend='decord')
    assert trusted >= 10
