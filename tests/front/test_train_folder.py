"""Bad input of `mmattn train` ends it with one clear sentence, and nothing is lost."""

import errno
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mmattn.__main__ import main
from mmattn.front import stored, train


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, tiny):
    """Run the command, and return its exit code, output and errors."""

    network = ['--backbone', 'tiny', '--weights', tiny['weights'], '--frames', '4']

    def run(data, *options):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(
                ['train', str(data), *network, '--out', str(tmp_path / 'out'), *options]
            )
        streams = capsys.readouterr()
        assert 'Traceback' not in streams.err
        return ended.value.code, streams.out, streams.err

    monkeypatch.setattr(sys, 'argv', sys.argv)
    return run


@pytest.fixture
def data(bright_and_dark, tmp_path):
    """Videos that a test may break."""
    return shutil.copytree(bright_and_dark, tmp_path / 'data')


def refusal(result):
    code, _, errors = result
    assert code == 2
    (line,) = [line for line in errors.splitlines() if line.startswith('error: ')]
    return line


def test_empty_folder(command, tmp_path):
    (tmp_path / 'data').mkdir()
    assert 'expected videos (' in refusal(command(tmp_path / 'data'))


def test_no_folder(command, tmp_path):
    assert 'got nothing at' in refusal(command(tmp_path / 'none'))


def test_one_class(command, data):
    shutil.rmtree(data / 'dark day')
    assert 'expected two classes or more, got bright' in refusal(command(data))


def test_one_clip_of_a_class(command, data):
    for path in sorted((data / 'dark day').iterdir())[1:]:
        path.unlink()
    assert 'got one of dark day' in refusal(command(data))


def test_the_same_video_in_two_classes(command, data):
    shutil.copy(data / 'bright' / '0.avi', data / 'dark day' / 'copy.avi')
    line = refusal(command(data))
    assert 'the same video' in line
    assert 'copy.avi' in line


def test_broken_videos_and_other_files_are_named(command, data):
    (data / 'bright' / '0.avi').write_bytes(b'RIFF')
    (data / 'bright' / 'notes.docx').touch()
    code, out, _ = command(data, '--dry-run')
    assert code == 0
    assert 'left out, cannot be read: ' in out
    assert 'bright/0.avi' in out
    assert 'not a video by its ending' in out
    assert 'notes.docx' in out
    assert '11 videos of 2 classes' in out


def test_no_rights(command, data, monkeypatch):
    def refuse(path, **options):
        if Path(path).name == '0.avi':
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return opened(path, **options)

    opened = sys.modules['mmattn.prepare.video_check'].open_video
    monkeypatch.setattr('mmattn.prepare.video_check.open_video', refuse)
    code, out, _ = command(data, '--dry-run')
    assert code == 0
    assert out.count('Permission denied') == 2


def test_out_cannot_be_written(command, data, tmp_path):
    (tmp_path / 'out').touch()
    assert 'out: expected a folder that can be written to' in refusal(command(data))


def test_no_space_for_the_maps(command, data, monkeypatch):
    usage = shutil.disk_usage(data)._replace(free=9)
    monkeypatch.setattr(stored.shutil, 'disk_usage', lambda path: usage)
    assert 'MB free for the maps, got 0 MB' in refusal(command(data))


def test_the_disk_is_full_in_the_middle(command, data, monkeypatch, tmp_path):
    saved, save = [], np.save

    def fill(file, array):
        if len(saved) == 3:
            raise OSError(errno.ENOSPC, 'No space left on device')
        saved.append(save(file, array))

    monkeypatch.setattr(stored.np, 'save', fill)
    assert 'No space left on device' in refusal(command(data))
    files = list((tmp_path / 'out' / 'maps').rglob('*.npy'))
    assert len(files) == 3
    assert not list((tmp_path / 'out').rglob('*.part'))


def test_interrupted(command, data, monkeypatch, tmp_path):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, 'run_training', interrupt)
        code, _, errors = command(data, '--epochs', '2')
    assert code == 130
    assert errors.endswith('stopped; the same command goes on from here\n')
    maps = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out/maps').rglob('*.npy')}
    assert len(maps) == 12
    code, out, _ = command(data, '--epochs', '2')
    assert code == 0
    assert 'predict:    mmattn predict ' in out
    assert maps == {p: p.stat().st_mtime_ns for p in maps}
