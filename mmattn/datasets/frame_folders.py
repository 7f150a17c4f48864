"""Folders and zip files of frames stored one by one: which frames there are."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from zipfile import BadZipFile, ZipFile

from .base import BrokenVideoError


@dataclass(frozen=True)
class StoredFrames:
    """Frames stored one by one.

    Args:
        folder: Their folder, or what their zip file would be as a folder.
        template: Name of a file, see :func:`file_template`.
        first: Number of the first file, 0 or 1.
        count: Number of frames, or of flow fields.
    """

    folder: Path
    template: str
    first: int
    count: int

    def file(self, position: int, *axis: str) -> Path:
        """Return the file of a frame.

        Args:
            position: Its position, counted from 0.
            *axis: ``'x'`` or ``'y'``, of flow.
        """
        return self.folder / self.template.format(*axis, position + self.first)


def find_frames(path: Path, template: str, *, modality: str = 'RGB') -> StoredFrames:
    """Find the frames of a folder, or of a zip file.

    Args:
        path: The folder, or the zip file with its frames.
        template: Name of a file, as ``filename_tmpl`` of
            :class:`~mmattn.datasets.ActionFrameDataset`.
        modality: ``'RGB'`` or ``'Flow'``.

    Raises:
        BrokenVideoError: If there are none, or not all from number 0 or 1 to the last.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for number in (0, 1, 2):
        ...     _ = (folder / f'img_{number:05}.jpg').write_bytes(b'')
        >>> found = find_frames(folder, 'img_{:05}.jpg')
        >>> found.first, found.count
        (0, 3)
    """
    packed = path.suffix.lower() == '.zip' and not path.is_dir()
    folder = path.with_suffix('') if packed else path
    template = file_template(template, folder.name)
    axes = ('x', 'y') if modality == 'Flow' else ()
    names = _names(path, packed)
    numbers = _numbers(names, template, axes)
    if not numbers:
        name = template.format(*axes[:1], 1)
        raise BrokenVideoError(f'{path}: expected frames from {name} on, got none')
    first = min(numbers[0], 1)
    wanted = [
        [template.format(*axis, number) for number in range(first, numbers[-1] + 1)]
        for axis in (zip(axes) if axes else [()])
    ]
    missing = sorted({name for part in wanted for name in part} - set(names))
    if missing:
        raise BrokenVideoError(
            f'{path}: expected all files from {wanted[0][0]} to {wanted[-1][-1]}, got '
            f'none for {len(missing)} of them, first {missing[0]}'
        )
    return StoredFrames(folder, template, first, len(numbers))


def file_template(template: str, folder: str) -> str:
    """Return the template of the files of one folder.

    Args:
        template: As a config has it; ``{folder}`` stands for the folder's name.
        folder: That name.

    Example:
        >>> file_template('{folder}-{:06d}.jpg', 'AB12').format(3)
        'AB12-000003.jpg'
    """
    name = folder.replace('{', '{{').replace('}', '}}')
    return template.replace('{folder}', name)


def require_listed_frames(info: dict, *, packed: bool) -> None:
    """Check that the first and the last frame of a sample are where its list says.

    Args:
        info: Sample of :class:`~mmattn.datasets.ActionFrameDataset`.
        packed: Whether frames are in a zip file.

    Raises:
        BrokenVideoError: If there are fewer frames, or some are missing.
        ValueError: If files are numbered from 0 and the data set counts from 1.
    """
    folder, template = Path(info['frame_dir']), info['filename_tmpl']
    path = folder.with_name(f'{folder.name}.zip') if packed else folder
    axes = ('x',) if info['modality'] == 'Flow' else ()
    start, offset = info['start_index'], info.get('offset', 0)
    last = template.format(*axes, start + offset + info['total_frames'] - 1)
    zero = template.format(*axes, 0)
    names = set(_names(path, packed)) if packed else None

    def exists(name: str) -> bool:
        return (folder / name).is_file() if names is None else name in names

    if start == 1 and exists(zero):
        raise ValueError(
            f'start_index: expected 0 in the data set, as {path} holds {zero}, got 1'
        )
    if not exists(last):
        found = find_frames(path, template, modality=info['modality'])
        raise BrokenVideoError(
            f'{path}: expected {info["total_frames"]} frames, as the list says, up to '
            f'{last}, got {found.count}'
        )


def _names(path: Path, packed: bool) -> list[str]:
    try:
        if packed:
            with ZipFile(path) as file:
                return file.namelist()
        return [entry.name for entry in path.iterdir()]
    except (BadZipFile, OSError) as error:
        raise BrokenVideoError(f'{path}: expected frames: {error}') from error


def _numbers(names: Iterable[str], template: str, axes: tuple[str, ...]) -> list[int]:
    """Numbers of the files that a template names, ascending."""
    pattern = re.compile(_pattern(template, bool(axes)))
    found = set()
    for match in filter(None, map(pattern.fullmatch, names)):
        number = int(match['number'])
        # A number of another width is a file of somebody else.
        if template.format(*([match['axis']] if axes else []), number) == match[0]:
            found.add(number)
    return sorted(found)


def _pattern(template: str, flow: bool) -> str:
    """Regular expression of the names that a template makes."""
    groups = ['axis', 'number'] if flow else ['number']
    pattern, automatic = '', 0
    for text, field, _, _ in Formatter().parse(template):
        pattern += re.escape(text)
        if field is None:
            continue
        place = int(field) if field else automatic
        automatic += 1
        values = '[xy]' if groups[place] == 'axis' else '[0-9]+'
        pattern += f'(?P<{groups[place]}>{values})'
    return pattern
