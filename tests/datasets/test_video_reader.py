"""Frames by number and by time, against decoding in order and the files' own words."""

import gc
import os
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from mmattn.datasets.video_reader import VideoError, open_video, probe
from mmattn.testing.numbered_videos import Film, number_of, write_film

PLAIN = Film('h264', 'mp4', b_frames=True)
NUMBERED = {
    'h264_b.avi': (250, 0),
    'mpeg4_b.avi': (250, 0),
    'xvid_b_g250.avi': (398, 0),
    'wmv.wmv': (250, 0),
    'trim_copy.mp4': (202, 33),
}


def in_order(path):
    """Frames as FFmpeg gives them one after the other, not rotated."""
    with av.open(str(path)) as container:
        return [f.to_ndarray(format='rgb24') for f in container.decode(video=0)]


def shown(images):
    return [number_of(image) for image in images]


@pytest.fixture
def plain(films_folder):
    return write_film(films_folder, PLAIN)


@pytest.mark.parametrize('name', NUMBERED)
def test_spaced_frames_of_the_cases_are_the_named_ones(shared_cases, name):
    count, first = NUMBERED[name]
    with open_video(shared_cases / 'frames' / name) as reader:
        assert len(reader) == count
        numbers = np.linspace(0, count - 1, 25).astype(int)
        assert shown(reader.read(numbers)) == (numbers + first).tolist()
        backward = numbers[::-5]
        assert shown(reader.read(backward)) == (backward + first).tolist()
        assert shown(reader.frames(2, 90, 29)) == [first + n for n in (2, 31, 60, 89)]


@pytest.mark.parametrize('ending', ['mp4', 'mkv'])
def test_seconds_of_a_variable_rate(shared_cases, ending):
    with open_video(shared_cases / 'vfr' / f'vfr.{ending}') as reader:
        assert len(reader) == 200
        expected = np.concatenate([np.arange(100) / 5, 20 + np.arange(100) / 50])
        np.testing.assert_allclose(reader.seconds, expected, atol=6e-4)
        assert [reader.frame_at(s) for s in (0, 2, 12, 20, 21)] == [0, 10, 60, 100, 150]
        assert reader.frame_at(2.19) == 10
        assert [reader.frame_at(s) for s in (-1, 99)] == [0, 199]
        assert reader.duration == pytest.approx(22, abs=1e-6)
        assert reader.fps == pytest.approx(9.06, abs=0.03)


@pytest.mark.parametrize(
    'name',
    ['arm_wrestling.mp4', 'flipping_a_pancake.mkv', 'v_ApplyEyeMakeup_g01_c01.avi'],
)
def test_real_clips_equal_decoding_in_order(real_data, name):
    path = real_data / 'clips' / name
    expected = in_order(path)
    with open_video(path) as reader:
        numbers = np.random.RandomState(0).permutation(len(expected))[:23]
        assert len(reader) == len(expected)
        for number, image in zip(numbers, reader.read(numbers), strict=True):
            np.testing.assert_array_equal(image, expected[number])
        assert reader.fps == {'.mp4': 28, '.mkv': 30, '.avi': 25}[path.suffix]


@pytest.mark.parametrize('degrees, turns', [(0, 0), (90, -1), (180, 2), (270, 1)])
def test_rotation_is_applied(real_data, degrees, turns):
    path = real_data / 'decode_edge_cases' / f'video_{degrees}.mov'
    expected = [np.rot90(image, turns) for image in in_order(path)]
    with open_video(path) as reader:
        np.testing.assert_array_equal(reader.read([0, 1, 2]), expected)
        assert (reader.height, reader.width) == expected[0].shape[:2]
        assert all(image.flags.c_contiguous for image in reader.frames())
    found = probe(path)
    assert found.rotation == turns % 4 * 90
    assert (found.height, found.width) == expected[0].shape[:2]


def test_frames_after_a_broken_one_are_refused(real_data):
    with open_video(real_data / 'decode_edge_cases' / 'corrupted.mp4') as reader:
        assert len(reader) == 50
        assert reader.read([3])[0].shape == (720, 1280, 3)
        broken = r'corrupted\.mp4: .* got frame \d+ that cannot be decoded'
        with pytest.raises(VideoError, match=broken):
            reader.read(range(50))
        reader.read([3])  # still does


def test_orders_and_repeats(plain):
    with open_video(plain) as reader:
        images = reader.read([7, 3, 7, 0])
        assert shown(images) == [7, 3, 7, 0]
        assert not any(np.shares_memory(a, b) for a, b in pairwise(images[::2]))
        assert reader.read([]) == []
        assert reader.read(np.array([[1], [2]]))[1].dtype == np.uint8
        generator = reader.frames(4)
        assert number_of(next(generator)) == 4
        assert shown(reader.read([20])) == [20]  # in between
        assert number_of(next(generator)) == 5


@pytest.mark.parametrize('numbers', [[-1], [0, 60]])
def test_numbers_outside_are_refused(plain, numbers):
    with (
        open_video(plain) as reader,
        pytest.raises(ValueError, match=rf'frames from 0 to 59, got {numbers[-1]}'),
    ):
        reader.read(numbers)


def test_short_side_is_the_hosts_resize(plain):
    from mmaction.datasets.transforms import Resize

    with open_video(plain) as whole, open_video(plain, short_side=37) as reduced:
        assert (reduced.height, reduced.width) == (37, 56)
        results = dict(imgs=whole.read([5, 6]), img_shape=(64, 96))
        results = Resize(scale=(-1, 37))(results)
        np.testing.assert_array_equal(reduced.read([5, 6]), results['imgs'])
    with open_video(plain, short_side=64) as same:
        assert (same.height, same.width) == (64, 96)


def test_content_reads_as_the_file(plain):
    with open_video(plain.read_bytes()) as reader, open_video(plain) as file:
        np.testing.assert_array_equal(reader.read([9, 2]), file.read([9, 2]))


def test_names_that_look_like_protocols(plain, tmp_path):
    path = tmp_path / 'concat:a?b#c%20d.mp4'
    path.write_bytes(plain.read_bytes())
    with open_video(path) as reader:
        assert shown(reader.read([1])) == [1]


def test_decord_reads_the_same_where_the_probe_says_so(plain):
    pytest.importorskip('decord')
    assert probe(plain).decord_is_right
    with open_video(plain, backend='decord') as reader, open_video(plain) as other:
        assert (reader.backend, other.backend) == ('decord', 'av')
        numbers = [0, 50, 11]
        np.testing.assert_array_equal(reader.read(numbers), other.read(numbers))
        np.testing.assert_allclose(reader.seconds, other.seconds, atol=1e-6)
        assert reader.fps == other.fps == 25


def test_the_probe_names_what_decord_gets_wrong(shared_cases, films_folder):
    trimmed = probe(shared_cases / 'frames' / 'trim_copy.mp4')
    assert trimmed.edit_list
    assert not trimmed.decord_is_right
    assert 'edit list' in trimmed.reason
    variable = probe(shared_cases / 'vfr' / 'vfr.mkv')
    assert variable.variable_rate
    assert not trimmed.variable_rate
    xvid = probe(shared_cases / 'frames' / 'xvid_b_g250.avi')
    assert (xvid.container, xvid.codec, xvid.pixel_format) == (
        'avi',
        'mpeg4',
        'yuv420p',
    )
    assert (xvid.width, xvid.height, xvid.key_frames) == (192, 128, 3)
    assert xvid.b_frames
    assert not xvid.decord_is_right
    opened = probe(write_film(films_folder, PLAIN._replace(gop='open')))
    assert not opened.decord_is_right
    assert 'open' in opened.reason


@pytest.mark.parametrize(
    'content, found',
    [
        (None, 'no file'),
        (b'', 'an empty file'),
        (b'no video' * 99, 'InvalidDataError: Invalid data found'),
    ],
)
@pytest.mark.parametrize('read', [open_video, probe])
def test_files_that_are_no_videos(tmp_path, read, content, found):
    path = tmp_path / 'a.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=rf'a\.mp4: expected a readable .*{found}'):
        read(path)


def test_sound_with_a_cover_is_no_video(tmp_path):
    path = tmp_path / 'song.mkv'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000)
        sound = np.zeros((1, 800), np.int16)
        frame = av.AudioFrame.from_ndarray(sound, format='s16', layout='mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoError, match='got no video stream'):
        open_video(path)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(backend='cv2'), "backend: expected one of .*, got 'cv2'"),
        (dict(short_side=0), 'short_side: expected at least 1, got 0'),
    ],
)
def test_options_are_checked(plain, options, message):
    with pytest.raises(ValueError, match=message):
        open_video(plain, **options)


def test_a_reader_opened_after_a_fork(plain):
    """Workers of a data loader are forked from a process that has read videos."""
    with open_video(plain, num_threads=2) as reader:
        reader.read([30])
    child = os.fork()
    if child == 0:
        del reader
        with open_video(plain, num_threads=2) as reader:
            os._exit(number_of(reader.read([31])[0]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 31


def test_images_are_those_of_opencv(real_data):
    """OpenCV reads in order what this file shows, with its own conversion of colors."""
    path = real_data / 'clips' / 'part_0.mp4'
    capture = cv2.VideoCapture(str(path))
    with open_video(path) as reader:
        for image in reader.frames():
            _, expected = capture.read()
            np.testing.assert_array_equal(image, expected[..., ::-1])


def test_decoded_frames_are_let_go_at_once(plain):
    """PyAV's look at side data makes cycles; garbage of 1080p would be gigabytes."""
    gc.collect()
    gc.disable()
    try:
        with open_video(plain) as reader:
            for _ in reader.frames():
                pass
        left = sum(type(found) is av.VideoFrame for found in gc.get_objects())
    finally:
        gc.enable()
    assert left < 10  # the first, and those that the decoder flushed last, of 60
