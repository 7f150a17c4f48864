"""Archives of data sets."""

import os
import stat
import tarfile
from zipfile import ZipFile

import pytest

from mmattn.datasets import archives
from mmattn.datasets.archives import unpack


def test_zip_without_its_top_folder_once(tmp_path):
    archive, out = tmp_path / 'lists.zip', tmp_path / 'annotations'
    with ZipFile(archive, 'w') as file:
        file.writestr('top/lists/classInd.txt', '1 run\n')
        file.writestr('top/lists/trainlist01.txt', '')
    out.mkdir()
    (out / 'other.txt').touch()
    assert unpack(archive, out)
    names = {'classInd.txt', 'trainlist01.txt', 'other.txt', '.unpacked'}
    assert {path.name for path in out.iterdir()} == names
    (out / 'classInd.txt').unlink()
    assert not unpack(archive, out)
    assert not (out / 'classInd.txt').exists()


def test_tars_keep_a_class_folder_and_add_up(tmp_path):
    for name in ('run', 'walk'):
        (tmp_path / name).mkdir()
        (tmp_path / name / f'{name}.avi').touch()
        with tarfile.open(tmp_path / f'{name}.tar.gz', 'w:gz') as file:
            file.add(tmp_path / name, arcname=name)
        assert unpack(tmp_path / f'{name}.tar.gz', tmp_path / 'videos')
    assert (tmp_path / 'videos' / 'run' / 'run.avi').is_file()
    assert (tmp_path / 'videos' / 'walk' / 'walk.avi').is_file()


@pytest.fixture
def unrar(tmp_path, monkeypatch):
    """An `unrar` that reads tar files, and no other program for rar."""
    program = tmp_path / 'bin' / 'unrar'
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nexec /bin/tar -xf "$4" -C "$5"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv('PATH', f'{program.parent}{os.pathsep}/bin')


def test_rar_of_rars(tmp_path, unrar):
    inner = tmp_path / 'inner'
    for name in ('run', 'walk'):
        (inner / name).mkdir(parents=True)
        (inner / name / f'{name} (1).avi').touch()
        with tarfile.open(inner / f'{name}.rar', 'w') as file:
            file.add(inner / name, arcname=name)
    with tarfile.open(tmp_path / 'all.rar', 'w') as file:
        for name in ('run.rar', 'walk.rar'):
            file.add(inner / name, arcname=name)
    unpack(tmp_path / 'all.rar', tmp_path / 'videos')
    found = {
        str(path.relative_to(tmp_path / 'videos'))
        for path in (tmp_path / 'videos').rglob('*')
        if path.is_file()
    }
    assert found == {'.unpacked', 'run/run (1).avi', 'walk/walk (1).avi'}


def test_no_program_for_rar(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    (tmp_path / 'a.rar').write_bytes(b'Rar!')
    with pytest.raises(
        RuntimeError, match=r'a\.rar: expected one of .*unrar.*got none'
    ):
        unpack(tmp_path / 'a.rar', tmp_path / 'videos')


def test_broken_archives(tmp_path, unrar):
    with pytest.raises(FileNotFoundError, match='expected an archive, got no file'):
        unpack(tmp_path / 'none.zip', tmp_path)
    for name in ('a.zip', 'a.tar', 'a.rar'):
        (tmp_path / name).write_bytes(b'x' * 99)
        with pytest.raises(ValueError, match=f'{name}: expected a whole archive'):
            unpack(tmp_path / name, tmp_path / 'videos')
    assert set(archives.RAR_COMMANDS) == {'unrar', '7z', '7zz', 'bsdtar', 'unar'}
