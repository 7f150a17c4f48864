"""Files of which only a part was copied or downloaded are named."""

import re

import pytest

from mmattn.datasets.video_reader import CutShortWarning, VideoError, open_video
from mmattn.prepare.decord_check import check_videos
from mmattn.prepare.video_check import check_video
from mmattn.testing.numbered_videos import Film, number_of, write_film

CONTAINERS = ('mp4', 'mkv', 'avi')
SEGMENT = b'\x18\x53\x80\x67\x01'  # and seven bytes of its size


def cut(folder, container):
    return write_film(folder, Film('h264', container, extra='truncated'))


@pytest.mark.parametrize('container', CONTAINERS)
def test_a_part_is_read_with_a_warning(tmp_path, container):
    path = cut(tmp_path, container)
    size = path.stat().st_size
    with pytest.warns(CutShortWarning) as caught:
        reader = open_video(path)
    (found,) = [str(one.message) for one in caught]
    file, have, of, frames = re.match(
        r'(.*): expected a whole file, got (\d+) of (\d+) bytes(.*)$', found
    ).groups()
    assert (file, int(have)) == (str(path), size)
    assert abs(int(of) - 1.5 * size) < 3
    assert frames == ('' if container == 'mkv' else f', {len(reader)} of 60 frames')
    assert [number_of(image) for image in reader.read(range(20))] == list(range(20))


@pytest.mark.parametrize('container', CONTAINERS)
def test_a_check_refuses_a_part(tmp_path, container):
    path = cut(tmp_path, container)
    with pytest.raises(VideoError, match=rf'{path}: expected a whole file, got \d+ of'):
        check_video(path)
    (check,) = check_videos([str(path)], tmp_path / 'j', workers=1, progress=False)
    assert check.verdict == 'broken'
    assert check.reason.startswith('expected a whole file')


def test_zeros_in_place_of_what_did_not_come(tmp_path):
    content = write_film(tmp_path, Film('mpeg4', 'avi')).read_bytes()
    third = len(content) // 3
    with pytest.warns(CutShortWarning, match=r'got zeros at the end, \d\d of 60 fr'):
        open_video(content[:-third] + bytes(third))


@pytest.mark.parametrize('container', CONTAINERS)
def test_whole_files_and_content(tmp_path, container):
    path = write_film(tmp_path, Film('h264', container))
    for source in (path, path.read_bytes()):  # a warning is an error here
        with open_video(source, whole=True) as reader:
            assert len(reader) == 60


def test_nothing_is_missing_behind_the_frames(tmp_path):
    content = write_film(tmp_path, Film('h264', 'mp4')).read_bytes()
    box = (100).to_bytes(4, 'big') + b'free' + bytes(10)
    with open_video(content + box, whole=True) as reader:
        assert len(reader) == 60


def test_sizes_in_64_bits(tmp_path):
    content = cut(tmp_path, 'mp4').read_bytes()
    at = content.index(b'mdat') - 4
    assert content[at - 8 : at] == b'\0\0\0\x08free'  # room for the longer size
    length = int.from_bytes(content[at : at + 4], 'big') + 8
    long = (1).to_bytes(4, 'big') + b'mdat' + length.to_bytes(8, 'big')
    end = at - 8 + length
    with pytest.warns(CutShortWarning, match=f'got {len(content)} of {end} bytes'):
        open_video(content[: at - 8] + long + content[at + 8 :])


def test_streams_do_not_say_how_long_they_are(tmp_path):
    content = cut(tmp_path, 'mkv').read_bytes()
    at = content.index(SEGMENT) + len(SEGMENT)
    with open_video(content[:at] + b'\xff' * 7 + content[at + 7 :], whole=True) as film:
        assert 20 < len(film) < 60
