"""Folders, lists and tables of videos, and what is wrong with them."""

import os
import shutil

import pytest

from mmattn.prepare.own_videos import read_own_videos
from mmattn.prepare.own_videos_check import check_own_videos


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def found(own):
    return [(str(c.path.relative_to(own.root)), c.label, c.part) for c in own.clips]


def test_a_folder_for_each_class(tmp_path):
    data = touch(tmp_path, 'run/a b.mp4', 'run/deep/c.AVI', 'walk/d.mkv', 'walk/x.srt')
    touch(data, '.cache/e.mp4', 'empty/notes.txt', 'loose.mp4')
    own = read_own_videos(data)
    assert found(own) == [
        ('run/a b.mp4', 'run', ''),
        ('run/deep/c.AVI', 'run', ''),
        ('walk/d.mkv', 'walk', ''),
    ]
    assert own.classes == ['run', 'walk']
    text = '\n'.join(own.notes)
    assert 'in no class folder' in text
    assert 'loose.mp4' in text
    assert 'not a video by its ending' in text
    assert 'walk' in text  # x.srt, shortened where the folder's path is long
    assert 'folders without videos: empty' in text


@pytest.mark.parametrize('name', ['val', 'test', 'Validation'])
def test_train_and_val(tmp_path, name):
    data = touch(tmp_path, 'train/run/a.mp4', 'train/walk/b.mp4', f'{name}/run/c.mp4')
    touch(data, 'extra/run/d.mp4')
    own = read_own_videos(data)
    assert [part for *_, part in found(own)] == ['train', 'train', 'test']
    assert 'not used: extra' in own.notes[-1]


def test_a_class_that_is_not_trained(tmp_path):
    data = touch(tmp_path, 'train/run/a.mp4', 'train/walk/b.mp4', 'val/jump/c.mp4')
    with pytest.raises(ValueError, match=r"expected classes .* run, walk, got 'jump'"):
        read_own_videos(data)


def test_csv_beside_its_videos(tmp_path):
    touch(tmp_path, 'a.mp4', 'b.mp4')
    (tmp_path / 'labels.csv').write_text(
        'path;label;group\na.mp4;run;x\nb.mp4;walk;y\n'
    )
    own = read_own_videos(tmp_path)
    assert [(c.label, c.group) for c in own.clips] == [('run', 'x'), ('walk', 'y')]
    assert own.clips[1].where == f'{tmp_path / "labels.csv"}:3'


def test_csv_of_a_spreadsheet_on_windows(tmp_path):
    touch(tmp_path, 'in/a.mp4', 'in/b.mp4')
    text = 'sep=;\r\nPath;Label\r\nin\\a.mp4;run\r\nin\\b.mp4;walk\r\n'
    (tmp_path / 'labels.csv').write_text(text, encoding='utf-8-sig', newline='')
    own = read_own_videos(tmp_path)
    assert found(own) == [('in/a.mp4', 'run', ''), ('in/b.mp4', 'walk', '')]


def test_list(tmp_path):
    touch(tmp_path, 'a.mp4', 'b c.mp4', 'd.mp4')
    (tmp_path / 'all.txt').write_text('a.mp4 10\n\nb c.mp4\t2\nd.mp4 9\n')
    own = read_own_videos(tmp_path / 'all.txt')
    assert [c.path.name for c in own.clips] == ['a.mp4', 'b c.mp4', 'd.mp4']
    assert own.classes == ['2', '9', '10']


@pytest.mark.parametrize(
    'text, message',
    [
        ('path,label\na.mp4,run\nno.mp4,run\nnor.mp4,run\n', r'csv:3: .* nor 1 others'),
        (
            'path,label\na.mp4,run\na.mp4,walk\n',
            r"csv:3: .* as 'walk' and, in .*csv:2,",
        ),
        ('path,label\na.mp4,run\na.mp4,run\n', r'csv:3: expected each video once'),
        ('path,label\na.mp4,\n', r'csv:2: expected a label, got none'),
        (
            'path,label,group\na.mp4,run,x\nb.mp4,run,\n',
            r'csv:3: .* got 1 of 2 without',
        ),
        (
            'path,label\na.mp4,Run\nb.mp4,run\n',
            r"csv:3: .* one spelling .* 'run' and, in .*csv:2, 'Run'",
        ),
        ('path,label\na.mp4,run, fast\n', r'csv:2: expected 2 fields, got 3'),
        ('path,class\na.mp4,run\n', 'expected the columns path, label'),
        ('path,label\n', 'expected videos .* got none'),
    ],
)
def test_bad_csv(tmp_path, text, message):
    touch(tmp_path, 'a.mp4', 'b.mp4')
    (tmp_path / 'my.csv').write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_own_videos(tmp_path / 'my.csv')


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='got nothing at'):
        read_own_videos(tmp_path / 'none')
    with pytest.raises(ValueError, match=r'expected videos .* got none'):
        read_own_videos(tmp_path)
    touch(tmp_path, 'a/b.txt')
    with pytest.raises(ValueError, match=r'got none .*not a video by its ending'):
        read_own_videos(tmp_path)
    touch(tmp_path, 'c.mp4')
    with pytest.raises(ValueError, match=r'1 videos without classes, such as c.mp4'):
        read_own_videos(tmp_path)
    with pytest.raises(ValueError, match=r'expected a folder .* got the file'):
        read_own_videos(tmp_path / 'c.mp4')


@pytest.fixture
def three(tmp_path, real_data):
    """A folder with two classes and three videos."""
    names = 'part_0.mp4', 'two_people.mp4', 'v_BaseballPitch_g01_c01.avi'
    for name, label in zip(names, ('run', 'run', 'walk'), strict=True):
        (tmp_path / 'data' / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(real_data / 'clips' / name, tmp_path / 'data' / label)
    return tmp_path / 'data'


def checked(data, tmp_path):
    own = read_own_videos(data)
    return check_own_videos(own, tmp_path / 'c.jsonl', workers=1, progress=False)


def test_broken_videos_are_named_and_left_out(three, tmp_path):
    (three / 'walk' / 'half.mp4').write_bytes(
        (three / 'run/part_0.mp4').read_bytes()[:9]
    )
    (three / 'walk' / 'none.mp4').touch()
    own = checked(three, tmp_path)
    assert len(own.clips) == 3
    assert sum('cannot be read' in note for note in own.notes) == 2
    assert any('half.mp4' in note for note in own.notes)


def test_all_broken(tmp_path):
    with pytest.raises(
        ValueError, match=r'expected readable videos, got none \(.*a\.mp4'
    ):
        checked(touch(tmp_path / 'data', 'run/a.mp4', 'walk/b.mp4'), tmp_path)


def test_the_same_video_twice(three, tmp_path):
    shutil.copy(three / 'run/part_0.mp4', three / 'run/again.mp4')
    own = checked(three, tmp_path)
    assert len(own.clips) == 3
    assert any('the same as' in note for note in own.notes)
    shutil.copy(three / 'run/part_0.mp4', three / 'walk/again.mp4')
    with pytest.raises(ValueError, match=r"the same video as 'run' .* and 'walk' "):
        checked(three, tmp_path)


def test_the_same_video_in_train_and_val(three, tmp_path):
    for part in ('train', 'val'):
        shutil.copytree(three, tmp_path / 'parts' / part)
    with pytest.raises(ValueError, match='expected no video both in train and val'):
        checked(tmp_path / 'parts', tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_no_rights(three, tmp_path):
    (three / 'run/part_0.mp4').chmod(0)
    own = checked(three, tmp_path)
    assert len(own.clips) == 2
    assert any('Permission' in note for note in own.notes)
