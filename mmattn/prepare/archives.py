"""Unpacking the archives in which data sets are published."""

import errno
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, sizeEndCentDir  # type: ignore[attr-defined]

from mmattn.datasets.video_reader import VIDEO_SUFFIXES

RAR_COMMANDS = {
    'unrar': ('x', '-idq', '-o+', '{archive}', '{folder}/'),
    '7z': ('x', '-y', '-bso0', '-o{folder}', '{archive}'),
    '7zz': ('x', '-y', '-bso0', '-o{folder}', '{archive}'),
    'bsdtar': ('-xf', '{archive}', '-C', '{folder}'),
    'unar': ('-q', '-f', '-D', '-o', '{folder}', '{archive}'),
}
LARGEST_RATIO = 100  # of what an archive holds to its own size, above the next size
SMALL_BYTES = 2**30
LEFT_OUT = ('__MACOSX', '.DS_Store')  # what macOS adds to archives
BROKEN = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    lzma.LZMAError,
    subprocess.CalledProcessError,
    tarfile.TarError,
    zlib.error,
)


def unpack(archive: str | Path, folder: str | Path) -> bool:
    """Unpack an archive of videos or annotations, and the archives in it, once.

    A folder around everything is left out: ``UCF-101/Archery/a.avi`` becomes
    ``Archery/a.avi``.  Files of the same name are replaced, others stay.

    Args:
        archive: A ``.zip``, ``.tar``, ``.tar.gz``, ``.tgz`` or ``.rar``.
        folder: Where to; it gets a file ``.unpacked`` with the names and sizes of the
            archives, which are skipped the next time.

    Returns:
        Whether anything was done.

    Raises:
        FileNotFoundError: If there is no such archive.
        RuntimeError: If a rar is to be unpacked and no program for it is installed.
        ValueError: If it is no such archive, broken or encrypted, holds links or names
            outside of itself, or far more than its own size or the free space.

    Example:
        >>> import tempfile, zipfile
        >>> root = Path(tempfile.mkdtemp())
        >>> with zipfile.ZipFile(root / 'a.zip', 'w') as file:
        ...     file.writestr('top/run/a.avi', b'')
        >>> unpack(root / 'a.zip', root / 'videos')
        True
        >>> (root / 'videos' / 'run' / 'a.avi').is_file()
        True
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise FileNotFoundError(f'expected an archive, got no file {archive}')
    done, entry = folder / '.unpacked', f'{archive.name} {archive.stat().st_size}'
    if done.is_file() and entry in done.read_text(encoding='utf-8').splitlines():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix='.part-', dir=folder))
    try:
        _unpack_one(archive, part)
        for inner in sorted(part.rglob('*.rar')):
            _unpack_one(inner, inner.parent)
            inner.unlink()
        _move(_inside(part), folder, archive)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    with done.open('a', encoding='utf-8') as file:
        file.write(f'{entry}\n')
    return True


def _unpack_one(archive: Path, folder: Path) -> None:
    if archive.suffix.lower() == '.rar':
        unpack_one = _unpack_rar
        if not any(map(shutil.which, RAR_COMMANDS)):
            raise RuntimeError(
                f'{archive}: expected one of the programs {", ".join(RAR_COMMANDS)} to '
                'unpack it, got none on PATH; `apt-get install unrar` or `7zip` has one'
            )
    else:
        is_zip = archive.suffix.lower() == '.zip'
        unpack_one = _unpack_zip if is_zip else _unpack_tar
    try:
        unpack_one(archive, folder)
    except (*BROKEN, OSError) as error:
        # EINVAL: a place before the start of the file
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = str(error) or 'an early end'
        raise ValueError(
            f'{archive}: expected a whole archive that is not encrypted, got: {reason}'
        ) from error
    _refuse_links(archive, folder)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with ZipFile(archive) as file:
        if not file.infolist() and archive.stat().st_size > sizeEndCentDir:
            raise BadZipFile('no list of its files')
        members = [info for info in file.infolist() if _wanted(archive, info.filename)]
        total = sum(info.file_size for info in members)
        _check_size(archive, total, _largest_size(archive, folder))
        for info in members:
            size = Path(file.extract(info, folder)).stat().st_size
            if not info.is_dir() and size != info.file_size:
                raise BadZipFile(f'{size} bytes of {info.filename}')


def _unpack_tar(archive: Path, folder: Path) -> None:
    total, largest = 0, _largest_size(archive, folder)
    with tarfile.open(archive) as file:
        for member in file:
            if not _wanted(archive, member.name):
                continue
            if not (member.isfile() or member.isdir()):
                raise ValueError(
                    f'{archive}: expected files and folders, got the link or device '
                    f'{member.name!r}'
                )
            total += member.size
            _check_size(archive, total, largest)
            place = folder / member.name
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            source = file.extractfile(member)
            assert source is not None
            with source, place.open('wb') as target:  # no owner, no mode of its own
                shutil.copyfileobj(source, target)


def _unpack_rar(archive: Path, folder: Path) -> None:
    program = next(filter(shutil.which, RAR_COMMANDS))
    words = [w.format(archive=archive, folder=folder) for w in RAR_COMMANDS[program]]
    subprocess.run([program, *words], check=True, stdin=subprocess.DEVNULL)


def _wanted(archive: Path, name: str) -> bool:
    """Whether a member is unpacked; a name that points outside is refused."""
    path = PurePosixPath(name.replace('\\', '/'))
    drive = ':' in (path.parts or ('',))[0]
    if not path.parts or path.is_absolute() or '..' in path.parts or drive:
        raise ValueError(f'{archive}: expected names inside of it, got {name!r}')
    return not set(LEFT_OUT) & set(path.parts)


def _largest_size(archive: Path, folder: Path) -> int:
    """Bytes that an archive may hold."""
    expected = max(SMALL_BYTES, LARGEST_RATIO * archive.stat().st_size)
    return min(expected, shutil.disk_usage(folder).free)


def _check_size(archive: Path, total: int, largest: int) -> None:
    if total > largest:
        raise ValueError(
            f'{archive}: expected at most {largest} bytes, which is the free space or '
            f'{LARGEST_RATIO} times the archive, got {total}'
        )


def _refuse_links(archive: Path, folder: Path) -> None:
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            if os.path.islink(os.path.join(parent, name)):
                raise ValueError(
                    f'{archive}: expected files and folders, got the link {name!r}'
                )


def _move(source: Path, folder: Path, archive: Path) -> None:
    """Move what was unpacked into the folder, but through no link in it."""
    for parent, folders, names in os.walk(source):
        for name in folders + names:
            place = folder / os.path.relpath(os.path.join(parent, name), source)
            if place.is_symlink():
                raise ValueError(
                    f'{archive}: expected to write to a file or folder, got the link '
                    f'{place}'
                )
    shutil.copytree(source, folder, copy_function=shutil.move, dirs_exist_ok=True)


def _inside(folder: Path) -> Path:
    """Descend through folders that hold nothing but one folder, unless of videos."""
    while True:
        entries = list(folder.iterdir())
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        inner = entries[0].iterdir()
        if any(entry.suffix.lower() in VIDEO_SUFFIXES for entry in inner):
            return folder
        folder = entries[0]
