"""Unpacking the archives in which data sets are published."""

import shutil
import subprocess
import tarfile
from pathlib import Path

from .video_check import VIDEO_SUFFIXES

RAR_COMMANDS = {
    'unrar': ('x', '-idq', '-o+', '{archive}', '{folder}/'),
    '7z': ('x', '-y', '-bso0', '-o{folder}', '{archive}'),
    '7zz': ('x', '-y', '-bso0', '-o{folder}', '{archive}'),
    'bsdtar': ('-xf', '{archive}', '-C', '{folder}'),
    'unar': ('-q', '-f', '-D', '-o', '{folder}', '{archive}'),
}


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
        ValueError: If it is no such archive, or broken.

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
    part = folder / f'.part-{archive.name}'
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _unpack_one(archive, part)
    for inner in sorted(part.rglob('*.rar')):
        _unpack_one(inner, inner.parent)
        inner.unlink()
    shutil.copytree(
        _inside(part), folder, copy_function=shutil.move, dirs_exist_ok=True
    )
    shutil.rmtree(part)
    with done.open('a', encoding='utf-8') as file:
        file.write(f'{entry}\n')
    return True


def _unpack_one(archive: Path, folder: Path) -> None:
    try:
        if archive.suffix.lower() == '.rar':
            _unpack_rar(archive, folder)
        elif archive.suffix.lower() == '.zip':
            shutil.unpack_archive(archive, folder)
        else:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter='data')
    except (shutil.ReadError, tarfile.TarError, subprocess.CalledProcessError) as error:
        raise ValueError(
            f'{archive}: expected a whole archive, got: {error}'
        ) from error


def _unpack_rar(archive: Path, folder: Path) -> None:
    program = next(filter(shutil.which, RAR_COMMANDS), None)
    if program is None:
        raise RuntimeError(
            f'{archive}: expected one of the programs {", ".join(RAR_COMMANDS)} to '
            'unpack it, got none on PATH; `apt-get install unrar` or `7zip` has one'
        )
    words = [w.format(archive=archive, folder=folder) for w in RAR_COMMANDS[program]]
    subprocess.run([program, *words], check=True)


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
