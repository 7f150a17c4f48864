"""Labeled clips from tables and folders, and what is refused."""

import pytest

from mmattn.comparison.clips import group_names, read_clips

NAMES = ('a', 'b', 'c', 'd')


@pytest.fixture
def table(tmp_path):
    def write(text):
        for name in NAMES:
            (tmp_path / f'{name}.mp4').touch()
        (tmp_path / 'labels.csv').write_text(text)
        return tmp_path

    return write


def test_table_with_groups(table):
    text = 'label,path,group\nx,a.mp4,1\nx,b.mp4,2\ny,c.mp4,1\ny,d.mp4,2\n'
    clips = read_clips(table(text))
    assert [clip.path.stem for clip in clips] == list(NAMES)
    assert [clip.label for clip in clips] == ['x', 'x', 'y', 'y']
    assert group_names(clips) == ['1', '2', '1', '2']
    assert read_clips(table(text) / 'labels.csv') == clips


def test_folders(tmp_path):
    for name in ('x/1.mp4', 'x/2.avi', 'y/1.mp4', 'y/in/2.mp4', 'y/notes.txt'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    clips = read_clips(tmp_path)
    assert [clip.label for clip in clips] == ['x', 'x', 'y', 'y']
    assert len(set(group_names(clips))) == 4


@pytest.mark.parametrize(
    'text, message',
    [
        ('path,class\na.mp4,x\n', 'expected the columns path, label, got path, class'),
        ('path,label\na.mp4,\n', r'labels.csv:2: expected a label, got none'),
        ('path,label\nz.mp4,x\n', r'labels.csv:2: expected a video, got no file'),
        ('path,label\na.mp4,x\nb.mp4,x\n', 'expected clips of two or more classes'),
        ('path,label\na.mp4,x\nb.mp4,x\nc.mp4,y\n', 'clips of a class, got 1 of y'),
        (
            'path,label\na.mp4,x\nb.mp4,x\nc.mp4,y\na.mp4,y\n',
            r"labels.csv:5: expected one class for each video, got .*a.mp4 as 'y'",
        ),
        ('path,label\n', r'expected videos \(.*\), got none'),
    ],
)  # fmt: skip
def test_refusals(table, text, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_clips(table(text) / 'labels.csv')


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='got nothing at'):
        read_clips(tmp_path / 'none')


def test_groups_for_some_clips_alone(table):
    text = 'path,label,group\na.mp4,x,1\nb.mp4,x,\nc.mp4,y,1\nd.mp4,y,2\n'
    with pytest.raises(ValueError, match=r'csv:3: expected a group in all lines or'):
        read_clips(table(text) / 'labels.csv')
