"""Which checkpoint of a work folder is whole."""

import logging
import zipfile
from pathlib import Path

import torch
from mmengine.logging import print_log

MARKER = 'last_checkpoint'


def checkpoint_fault(path: str | Path) -> str | None:
    """Say why a file cannot be a whole checkpoint.

    Files of torch 1.6 and later are zip archives, of which every checksum is compared,
    in little memory.

    Args:
        path: File.

    Returns:
        The reason, None if there is none.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + '/half.pth'
        >>> checkpoint_fault(path)
        'there is no such file'
        >>> torch.save({}, path)
        >>> checkpoint_fault(path) is None
        True
    """
    if not Path(path).is_file():
        return 'there is no such file'
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            return f'it is damaged ({error})'
        return damaged and f'it is damaged at {damaged}'
    with open(path, 'rb') as file:
        if file.read(1) == b'\x80':  # a pickle, as torch.save wrote before 1.6
            return None
    return 'expected a file written by torch.save, got something else or a part of one'


def find_whole_checkpoint(folder: str | Path) -> str | None:
    """Find the checkpoint from which a run in a work folder goes on.

    It is the one that ``last_checkpoint`` names; a file of that name beside it goes
    first, so that a folder may be moved or copied.  If it is missing or damaged, it is
    that of the checkpoints in the folder, with an optimizer's state, which has done
    most iterations; a warning names it.

    Args:
        folder: Work folder of a run.

    Returns:
        Its path or address, None if nothing was saved yet.

    Raises:
        ValueError: If checkpoints were saved, but none is whole.
    """
    marker = Path(folder) / MARKER
    named = ''
    if marker.is_file():
        named = marker.read_text(encoding='utf-8', errors='replace').strip()
    if '://' in named or (named and Path(named).is_dir()):
        return named  # a remote file, or a folder of deepspeed's: left to the host
    faults = []
    if named:
        beside = Path(folder) / Path(named).name
        path = beside if beside.is_file() else Path(named)
        fault = checkpoint_fault(path)
        if fault is None:
            if path.resolve() != Path(named).resolve():
                _warn(f'{marker} names {named}; going on from {path} beside it')
            return str(path)
        faults.append(f'{path}: {fault}')
    elif marker.is_file():
        faults.append(f'{marker}: it is empty')
    others, unreadable = _resumable(folder)
    faults += unreadable
    for path in others:
        fault = checkpoint_fault(path)
        if fault is None:
            reasons = '; '.join(faults) or f'there is no {MARKER}'
            _warn(f'going on from {path}, the newest whole checkpoint: {reasons}')
            return str(path)
        faults.append(f'{path}: {fault}')
    if faults:
        raise ValueError(
            f'resume: expected a whole checkpoint in {folder}, got none '
            f'({"; ".join(faults)}); remove {marker} to begin anew'
        )
    return None


def _resumable(folder: str | Path) -> tuple[list[Path], list[str]]:
    """Checkpoints with an optimizer's state, newest first, and why others are none."""
    found, faults = [], []
    for path in sorted(Path(folder).glob('*.pth')):
        try:
            content = torch.load(path, map_location='cpu', mmap=True, weights_only=True)
            if 'optimizer' in content:
                found.append((content['meta']['iter'], path))
        except Exception as error:  # of any kind, as the file may hold anything
            faults.append(f'{path}: {type(error).__name__}')
    return [path for _, path in sorted(found, reverse=True)], faults


def last_saved(folder: str | Path) -> str:
    """Name the last checkpoint of a run, for messages.

    Args:
        folder: Work folder of the run.

    Example:
        >>> last_saved('/nowhere')
        'none'
    """
    marker = Path(folder) / MARKER
    return (marker.read_text().strip() if marker.is_file() else '') or 'none'


def _warn(text: str) -> None:
    print_log(text, 'current', logging.WARNING)
