"""Archives of data sets."""

import io
import os
import stat
import tarfile
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from mmattn.prepare import archives
from mmattn.prepare.archives import unpack


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


def test_tars_bring_contents_and_no_rights(tmp_path):
    with tarfile.open(tmp_path / 'a.tar', 'w') as file:
        info = tarfile.TarInfo('top/run/a.avi')
        info.size, info.mode = 3, 0o6777
        file.addfile(info, io.BytesIO(b'abc'))
    unpack(tmp_path / 'a.tar', tmp_path / 'videos')
    video = tmp_path / 'videos' / 'run' / 'a.avi'
    (tmp_path / 'new').touch()
    assert video.read_bytes() == b'abc'
    assert video.stat().st_mode == (tmp_path / 'new').stat().st_mode


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


def tar_with(path, *members):
    """A tar of (name, content) pairs; a content of str is the target of a link."""
    with tarfile.open(path, 'w') as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                file.addfile(info)
            else:
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    'mark, first, last, words',
    [
        (b'PK\x05\x06', 10, 20, 'no list of its files'),  # where the list is
        (b'PK\x01\x02', 5, 24, r'0 bytes of top/a\.avi'),  # sum and size of a file
    ],
)
def test_zeros_in_the_list_of_a_zip(mark, first, last, words, tmp_path):
    path = tmp_path / 'a.zip'
    with ZipFile(path, 'w', ZIP_DEFLATED) as file:
        file.writestr('top/a.avi', bytes(300))
    content = bytearray(path.read_bytes())
    at = content.index(mark)
    content[at + first : at + last] = bytes(last - first)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'a\.zip: expected a whole .* {words}'):
        unpack(path, tmp_path / 'out')


def test_no_file_is_written_through_a_link(tmp_path):
    outside = tmp_path / 'outside'
    outside.mkdir()
    # Inside of the top folder the target is inside; without it, outside.
    archive = tar_with(
        tmp_path / 'a.tar', ('top/link', '../outside'), ('top/link/marker', b'x')
    )
    with pytest.raises(
        ValueError, match=r'a\.tar: expected files and folders, got .*link'
    ):
        unpack(archive, tmp_path / 'videos')
    assert list(outside.iterdir()) == []
    assert list((tmp_path / 'videos').iterdir()) == []


def test_a_link_of_the_folder_is_not_followed(tmp_path):
    outside, videos = tmp_path / 'outside', tmp_path / 'videos'
    outside.mkdir()
    videos.mkdir()
    (videos / 'run').symlink_to(outside)
    archive = tar_with(tmp_path / 'a.tar', ('run/a.avi', b'x'), ('walk/b.avi', b'x'))
    with pytest.raises(ValueError, match=r'a\.tar: .* got the link .*run'):
        unpack(archive, videos)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    'name', ['../marker', '/marker', 'a/../../marker', 'C:/marker']
)
def test_names_that_point_outside(tmp_path, name):
    with ZipFile(tmp_path / 'a.zip', 'w') as file:
        file.writestr(name, 'x')
    tar_with(tmp_path / 'a.tar', (name, b'x'))
    for kind in ('zip', 'tar'):
        with pytest.raises(ValueError, match='expected names inside of it, got'):
            unpack(tmp_path / f'a.{kind}', tmp_path / 'videos')
    assert not (tmp_path / 'marker').exists()


def test_archives_that_hold_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, 'SMALL_BYTES', 1000)
    with ZipFile(tmp_path / 'a.zip', 'w', ZIP_DEFLATED) as file:
        file.writestr('a/zeros.avi', bytes(10**6))
    with tarfile.open(tmp_path / 'a.tgz', 'w:gz') as file:
        info = tarfile.TarInfo('a/zeros.avi')
        info.size = 10**6
        file.addfile(info, io.BytesIO(bytes(10**6)))
    for kind in ('zip', 'tgz'):
        with pytest.raises(
            ValueError, match=r'expected at most \d+ bytes, .* got 1000000'
        ):
            unpack(tmp_path / f'a.{kind}', tmp_path / 'videos')


def test_half_archives_are_named(tmp_path):
    with tarfile.open(tmp_path / 'a.tar.gz', 'w:gz') as file:
        info = tarfile.TarInfo('a/noise.avi')
        info.size = 10**5
        file.addfile(info, io.BytesIO(os.urandom(10**5)))
    with ZipFile(tmp_path / 'a.zip', 'w') as file:
        file.writestr('a/noise.avi', os.urandom(10**5))
    for name in ('a.tar.gz', 'a.zip'):
        half = tmp_path / f'half.{name}'
        half.write_bytes((tmp_path / name).read_bytes()[:50000])
        with pytest.raises(ValueError, match=f'half.{name}: expected a whole archive'):
            unpack(half, tmp_path / 'videos')
    assert list((tmp_path / 'videos').iterdir()) == []


def test_encrypted_zip_is_named(tmp_path):
    archive = tmp_path / 'a.zip'
    with ZipFile(archive, 'w') as file:
        file.writestr('a.avi', b'x')
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flag of the member, and of its entry in the directory
    content[content.index(b'PK\x01\x02') + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.zip: .*not encrypted, got: .*encrypted'):
        unpack(archive, tmp_path / 'videos')


def test_what_macos_adds_is_left_out(tmp_path):
    with ZipFile(tmp_path / 'a.zip', 'w') as file:
        for name in ('top/run/a.avi', '__MACOSX/top/run/._a.avi', 'top/.DS_Store'):
            file.writestr(name, 'x')
    unpack(tmp_path / 'a.zip', tmp_path / 'videos')
    names = {
        p.relative_to(tmp_path / 'videos').as_posix()
        for p in (tmp_path / 'videos').rglob('*')
    }
    assert names == {'.unpacked', 'run', 'run/a.avi'}
