"""Bad lines of annotations are named."""

import cv2
import numpy as np
import pytest

from mmattn.prepare.annotation_check import (
    check_annotations,
    labeled_frames,
    video_path,
)

GOOD = 'clip,1,0.1,0.2,0.5,0.9,2,0'
LABELS = 'item {\n  name: "run"\n  id: 2\n}\nitem {\n  name: "sit"\n  id: 5\n}\n'


@pytest.fixture
def folder(tmp_path):
    """11 frames at 4 per second: seconds 0 to 2."""
    writer = cv2.VideoWriter(
        str(tmp_path / 'clip.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 4, (32, 24)
    )
    for level in range(11):
        writer.write(np.full((24, 32, 3), 20 * level, np.uint8))
    writer.release()
    (tmp_path / 'broken.avi').write_bytes(b'no video')
    (tmp_path / 'labels.pbtxt').write_text(LABELS)
    return tmp_path


def check(folder, *lines, **options):
    (folder / 'a.csv').write_text('\n'.join(lines))
    return check_annotations(
        folder / 'a.csv', folder, folder / 'labels.pbtxt', **options
    )


def test_good_lines(folder):
    lines = [GOOD, GOOD.replace(',2,0', ',5,0'), 'clip.mp4,2,0,0,1,1,5,1']
    report = check(folder, *lines, decode=True)
    assert report.problems == []
    assert report.lines_of_class == {2: 1, 5: 2}
    first, *classes, last = report.summary().splitlines()
    assert first == '3 lines: 2 videos, 2 frames, 2 boxes'
    assert [line.split() for line in classes] == [['2', 'run', '1'], ['5', 'sit', '2']]
    assert last == 'bad lines: 0'


@pytest.mark.parametrize(
    'line, message',
    [
        (
            'clip,1,0.1,0.2,0.5,2',
            "'video,second,x1,y1,x2,y2,class,person' or 'video,second', got 'clip,1",
        ),
        ('clip', "expected 'video,second"),
        ('clip,1.5,0.1,0.2,0.5,0.9,2,0', "a whole number as second, got '1.5'"),
        ('clip,1,0.1,0.2,0.5,0.9,two,0', "a whole number as class, got 'two'"),
        ('clip,1,0.1,0.2,0.5,0.9,2,x', "a whole number as person, got 'x'"),
        ('clip,1,a,0.2,0.5,0.9,2,0', 'a box of 4 numbers'),
        ('clip,1,0.1,0.2,1.5,0.9,2,0', '0 <= x1 <= x2 <= 1, .*, got 0.1 and 1.5'),
        ('clip,1,-0.1,0.2,0.5,0.9,2,0', '0 <= x1 <= x2 <= 1, .*, got -0.1 and 0.5'),
        ('clip,1,0.1,0.9,0.5,0.9,2,0', 'y1 < y2, got a box without size, 0.9 and 0.9'),
        ('clip,1,nan,0.2,0.5,0.9,2,0', 'a box of 4 numbers, got nan, 0.2'),
        ('clip,1,0.1,0.2,0.5,0.9,3,0', 'a class of the label map, got 3'),
        ('clip,3,0.1,0.2,0.5,0.9,2,0', 'a second from 0 to 2 of clip, got 3'),
        ('clip,-1,0.1,0.2,0.5,0.9,2,0', 'a second from 0 to 2 of clip, got -1'),
        (
            'gone,1,0.1,0.2,0.5,0.9,2,0',
            r'a video, got .*gone\.mp4: .* got no file',
        ),
        (
            'broken.avi,1,0.1,0.2,0.5,0.9,2,0',
            r'expected a video, got .*broken\.avi: .*InvalidData',
        ),
        (GOOD, 'expected each line once, got line 1 again'),
        ('clip,1,0.1,0.2,0.6,0.9,5,0', 'one box of person 0 in this frame, .* line 1'),
    ],
)
def test_bad_lines(folder, line, message):
    report = check(folder, GOOD, line, 'clip,2,0,0,1,1,5,1')
    (problem,) = report.problems
    assert problem.startswith(f'{folder / "a.csv"}:2: expected ')
    with pytest.raises(ValueError, match=message):
        raise ValueError(problem)
    assert report.lines_of_class.total() == 2


def test_frames_without_actions_and_without_persons(folder):
    """Blank lines are no lines; persons need no number."""
    report = check(folder, 'clip,2', '', 'clip,1,0.1,0.2,0.5,0.9,2', ' ,,,', 'clip,7')
    (problem,) = report.problems
    assert 'a.csv:5: expected a second from 0 to 2' in problem
    assert report.summary().startswith('3 lines: 1 videos, 2 frames, 1 boxes')


def test_every_bad_line_is_named(folder):
    report = check(folder, *['gone,1,0,0,1,1,2,0'] * 2, GOOD, GOOD)
    numbers = [problem.split('a.csv:')[1][0] for problem in report.problems]
    assert numbers == ['1', '2', '4']


def test_seconds_of_ava(folder):
    lines = [GOOD.replace(',1,', f',{second},', 1) for second in (899, 900, 902, 903)]
    report = check(folder, *lines, start=900)
    assert [problem.split('got ')[1] for problem in report.problems] == ['899', '903']


@pytest.mark.parametrize('ending', ['mp4', 'mkv'])
def test_seconds_of_a_variable_rate(shared_cases, folder, ending):
    """A hundred frames in 20 seconds, then a hundred in 2."""
    lines = [f'vfr.{ending},{s},0.1,0.1,0.4,0.9,2,0' for s in range(-1, 23)]
    (folder / 'a.csv').write_text('\n'.join(lines))
    videos = shared_cases / 'vfr'
    report = check_annotations(folder / 'a.csv', videos, folder / 'labels.pbtxt')
    assert [problem.split('a.csv:')[1] for problem in report.problems] == [
        f'{line}: expected a second from 0 to 21 of vfr.{ending}, got {second}'
        for line, second in [(1, -1), (24, 22)]
    ]


def test_frames_that_cannot_be_decoded(real_data, folder):
    edge_cases = real_data / 'decode_edge_cases'
    (folder / 'corrupted.mp4').write_bytes((edge_cases / 'corrupted.mp4').read_bytes())
    line = 'corrupted,4,0,0,1,1,2,0'
    assert check(folder, line).problems == []
    (problem,) = check(folder, line, decode=True).problems
    assert 'corrupted.mp4: ' in problem
    assert 'got frame 40 that cannot be decoded' in problem


def test_files_that_are_wrong_as_a_whole(folder):
    with pytest.raises(ValueError, match=r'a\.csv: expected lines video,.*, got none'):
        check(folder)
    (folder / 'labels.pbtxt').write_text(LABELS.replace('2', '0'))
    with pytest.raises(ValueError, match=r'labels\.pbtxt:1: expected ids from 1 on'):
        check(folder, GOOD)


def test_labeled_frames(folder):
    (folder / 'a.csv').write_text(f'{GOOD}\n{GOOD[:-3]}5,0\nclip,1,0,0,1,1,5,1\n')
    boxes = labeled_frames(folder / 'a.csv')
    assert boxes == {('clip', 1): {(0.1, 0.2, 0.5, 0.9), (0, 0, 1, 1)}}
    (folder / 'a.csv').write_text(f'clip,2\n\n{GOOD}\n')
    found = labeled_frames(folder / 'a.csv')
    assert found == {('clip', 2): set(), ('clip', 1): {(0.1, 0.2, 0.5, 0.9)}}
    (folder / 'a.csv').write_text(f'{GOOD}\nclip\n')
    with pytest.raises(ValueError, match=r'a\.csv:2: expected '):
        labeled_frames(folder / 'a.csv')


def test_names_without_ending():
    assert video_path('v', 'a').name == 'a.mp4'
    assert video_path('v', 'a.b.mkv').name == 'a.b.mkv'
