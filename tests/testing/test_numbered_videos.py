"""Videos of numbered frames show the numbers that they promise."""

import os

import av
import cv2
import numpy as np
import pytest

from mmattn.testing.numbered_videos import (
    ENCODERS,
    EXTRAS,
    Film,
    films,
    number_of,
    numbers_in_order,
    paint,
    write_film,
)


@pytest.mark.parametrize('size', [(96, 64), (70, 50), (48, 32), (341, 256)])
def test_numbers_survive_other_sizes(size):
    for number in (0, 1, 37, 1365, 2730, 4095):
        image = paint(number, size)
        assert number_of(image) == number
        assert number_of(cv2.resize(image, (61, 47))) == number


def test_the_matrix_is_whole():
    chosen = list(films())
    assert len({film.name for film in chosen}) == len(chosen) > 290
    assert {film.codec for film in chosen} == set(ENCODERS)
    assert {film.extra for film in chosen} == {'', *EXTRAS}
    for codec in ('h264', 'hevc', 'mpeg4', 'mpeg2'):
        kinds = {(f.gop, f.b_frames) for f in chosen if f.codec == codec}
        assert kinds >= {('short', False), ('long', True), ('open', True)}


@pytest.mark.skipif(not hasattr(os, 'sched_getscheduler'), reason='of Linux')
def test_writing_av1_leaves_the_thread_its_priority(tmp_path):
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    write_film(tmp_path, Film('av1', 'mp4'))
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize('codec', ENCODERS)
def test_films_show_their_numbers(films_folder, codec):
    for film in films():
        if film.codec == codec and film.extra != 'truncated':
            turns = -1 if film.extra == 'rotated' else 0
            path = write_film(films_folder, film)
            assert numbers_in_order(path, turns) == film.numbers, film.name


def test_a_truncated_film_shows_the_first_numbers(films_folder):
    for film in films():
        if film.extra == 'truncated':
            shown = numbers_in_order(write_film(films_folder, film))
            assert 15 < len(shown) < film.frames
            assert shown[:15] == film.numbers[:15]


def test_b_frames_and_key_frames_are_there(films_folder):
    """Otherwise the matrix would be of plain films alone."""
    for codec in ('h264', 'hevc', 'mpeg4', 'mpeg2'):
        for gop, b_frames in (('short', True), ('long', True), ('short', False)):
            path = write_film(films_folder, Film(codec, 'mkv', gop, b_frames))
            with av.open(str(path)) as container:
                packets = [p for p in container.demux(video=0) if p.pts is not None]
            times = [packet.pts for packet in packets]
            assert (times != sorted(times)) == b_frames
            keys = sum(packet.is_keyframe for packet in packets)
            assert keys == 1 if gop == 'long' else keys >= 5


def test_open_groups_have_frames_before_their_key_frame(films_folder):
    for codec in ('h264', 'hevc', 'mpeg4', 'mpeg2'):
        for gop in ('open', 'short'):
            path = write_film(films_folder, Film(codec, 'mkv', gop))
            leading = 0
            with av.open(str(path)) as container:
                key = -np.inf
                for packet in container.demux(video=0):
                    if packet.pts is not None:
                        key = packet.pts if packet.is_keyframe else key
                        leading += packet.pts < key
            assert (leading > 0) == (gop == 'open'), (codec, gop)
