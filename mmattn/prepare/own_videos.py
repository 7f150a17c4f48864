"""Videos of one's own, as people keep them: folders of classes, lists, tables."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmattn.datasets.video_reader import VIDEO_SUFFIXES
from mmattn.utils.text import SHOWN, few, read_lines, read_records

PARTS = {'train': ('train', 'training'), 'test': ('val', 'test', 'validation')}
TABLES = ('.csv', '.tsv')
LISTS = ('.txt', '.list')
HIDDEN = ('.', '__MACOSX')
LAYOUTS = (
    'a folder with a folder of videos for each class, a folder with train and val of '
    'that kind, a list with lines "video label", or a csv with the columns path and '
    'label and, if you like, group'
)


@dataclass(frozen=True)
class Clip:
    """One video.

    Args:
        path: The file.
        label: Name of its class.
        group: Videos of one group show the same people, place or recording, and stay
            on one side of a split; empty where nothing is known.
        part: ``'train'`` or ``'test'`` where the data say so, else empty.
        where: File and line, or folder, that gave the label, for messages.
    """

    path: Path
    label: str
    group: str = ''
    part: str = ''
    where: str = ''


@dataclass
class OwnVideos:
    """Videos, and what there is to say of them.

    Args:
        root: Folder that holds them all.
        clips: The videos.
        notes: What was left out, and why; sentences.
    """

    root: Path
    clips: list[Clip]
    notes: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """See :func:`class_names`."""
        return class_names(self.clips)


def class_names(clips: Iterable[Clip]) -> list[str]:
    """Return the names of the classes, sorted; whole numbers as numbers.

    Args:
        clips: Videos.

    Example:
        >>> class_names([Clip(Path('a'), '10'), Clip(Path('b'), '9')])
        ['9', '10']
    """
    names = {clip.label for clip in clips}
    if all(name.isdecimal() for name in names):
        return sorted(names, key=int)
    return sorted(names)


def read_own_videos(data: str | Path) -> OwnVideos:
    """Find the videos of a folder, list or table, and their classes.

    Args:
        data: What it may be stands in ``LAYOUTS``. A folder may hold a csv of its
            videos, too.

    Raises:
        FileNotFoundError: If there is nothing, or a file that is named is missing.
        ValueError: If it is none of these, holds no videos, one with two labels, or a
            class in capitals and in small letters.
    """
    data = Path(data)
    if not data.exists():
        raise FileNotFoundError(f'expected {LAYOUTS}, got nothing at {data}')
    if data.is_dir():
        own = _from_folder(data)
    elif data.suffix.lower() in TABLES:
        own = _from_table(data)
    elif data.suffix.lower() in LISTS:
        own = _from_list(data)
    else:
        raise ValueError(f'expected {LAYOUTS}, got the file {data}')
    if not own.clips:
        raise ValueError(
            f'{data}: expected videos ({" ".join(VIDEO_SUFFIXES)}), got none'
            + among(own.notes)
        )
    _require_one_label(own.clips)
    _require_one_spelling(own.clips)
    return own


def _from_folder(data: Path) -> OwnVideos:
    table = _table_of(data)
    if table is not None:
        return _from_table(table)
    folders = [path for path in sorted(data.iterdir()) if _is_shown_folder(path)]
    names = {path.name.lower(): path for path in folders}
    found = {
        part: next((names[n] for n in spellings if n in names), None)
        for part, spellings in PARTS.items()
    }
    if found['train'] is None or found['test'] is None:
        return _from_classes(data, folders, '')
    parts = [_from_classes(path, None, part) for part, path in found.items() if path]
    clips = [clip for own in parts for clip in own.clips]
    _require_known_classes(clips)
    unused = [path.name for path in folders if path not in found.values()]
    notes = [note for own in parts for note in own.notes]
    if unused:
        notes.append(f'{data}: not used: {few(unused)}')
    return OwnVideos(data, clips, notes)


def _from_classes(root: Path, folders: list[Path] | None, part: str) -> OwnVideos:
    if folders is None:
        folders = [path for path in sorted(root.iterdir()) if _is_shown_folder(path)]
    clips, others, empty = [], [], []
    for folder in folders:
        files = [path for path in _walk(folder) if path.is_file()]
        videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
        others += [path for path in files if path not in set(videos)]
        if not videos:
            empty.append(folder.name)
        clips += [Clip(p, folder.name, part=part, where=str(folder)) for p in videos]
    loose = [path for path in sorted(root.iterdir()) if path.is_file()]
    unlabeled = [path for path in loose if path.suffix.lower() in VIDEO_SUFFIXES]
    if unlabeled and not clips:
        raise ValueError(
            f'{root}: expected {LAYOUTS}, got {len(unlabeled)} videos without classes, '
            f'such as {unlabeled[0].name}'
        )
    notes = []
    if unlabeled:
        notes.append(
            f'left out, in no class folder: {few([path.name for path in unlabeled])}'
        )
    if others:
        notes.append(
            f'left out, not a video by its ending: '
            f'{few([path.relative_to(root) for path in others])}'
        )
    if empty:
        notes.append(f'left out, folders without videos: {few(empty)}')
    return OwnVideos(root, clips, notes)


def _from_table(path: Path) -> OwnVideos:
    clips = []
    for number, fields in read_records(path, ('path', 'label')):
        where = f'{path}:{number}'
        for name in ('path', 'label'):
            if not fields[name]:
                raise ValueError(f'{where}: expected a {name}, got none')
        file, group = _file(path.parent, fields['path']), fields.get('group', '')
        clips.append(Clip(file, fields['label'], group, where=where))
    ungrouped = [clip for clip in clips if not clip.group]
    if ungrouped and len(ungrouped) < len(clips):
        raise ValueError(
            f'{ungrouped[0].where}: expected a group in all lines or in none, got '
            f'{len(ungrouped)} of {len(clips)} without'
        )
    return OwnVideos(path.parent, _existing(clips))


def _from_list(path: Path) -> OwnVideos:
    clips = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        separator = '\t' if '\t' in line else None
        name, *label = line.strip().rsplit(separator, 1)
        if not label:
            raise ValueError(f'{path}:{number}: expected "video label", got {line!r}')
        where = f'{path}:{number}'
        file = _file(path.parent, name.strip())
        clips.append(Clip(file, label[0].strip(), where=where))
    return OwnVideos(path.parent, _existing(clips))


def _file(root: Path, name: str) -> Path:
    """The file of a name, which may have been written on Windows."""
    path = root / name
    return path if path.exists() else root / name.replace('\\', '/')


def _existing(clips: list[Clip]) -> list[Clip]:
    missing = [clip for clip in clips if not clip.path.is_file()]
    if missing:
        raise FileNotFoundError(
            f'{missing[0].where}: expected a video, got no file {missing[0].path}'
            + (f', nor {len(missing) - 1} others' if missing[1:] else '')
        )
    return clips


def _table_of(folder: Path) -> Path | None:
    """The only csv of a folder that has the columns of one."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in TABLES and path.is_file():
            head = ''.join(read_lines(path)[:2]).lower()  # perhaps behind "sep=;"
            if 'path' in head and 'label' in head:
                found.append(path)
    if len(found) > 1:
        names = [path.name for path in found]
        raise ValueError(f'{folder}: expected one csv of videos, got {names}')
    return found[0] if found else None


def _require_one_label(clips: Sequence[Clip]) -> None:
    first: dict[Path, Clip] = {}
    for clip in clips:
        other = first.setdefault(clip.path.resolve(), clip)
        if other.label != clip.label:
            raise ValueError(
                f'{clip.where}: expected one class for each video, got {clip.path} as '
                f'{clip.label!r} and, in {other.where}, as {other.label!r}'
            )
        if other is not clip:
            raise ValueError(
                f'{clip.where}: expected each video once, got {clip.path} in '
                f'{other.where}, too'
            )


def _require_one_spelling(clips: Sequence[Clip]) -> None:
    first: dict[str, Clip] = {}
    for clip in clips:
        other = first.setdefault(clip.label.casefold(), clip)
        if other.label != clip.label:
            raise ValueError(
                f'{clip.where}: expected one spelling of each class, got '
                f'{clip.label!r} and, in {other.where}, {other.label!r}'
            )


def _require_known_classes(clips: Sequence[Clip]) -> None:
    known = {clip.label for clip in clips if clip.part == 'train'}
    for clip in clips:
        if clip.label not in known:
            raise ValueError(
                f'{clip.where}: expected classes that are trained, '
                f'{few(sorted(known))}, got {clip.label!r}'
            )


def _walk(folder: Path) -> list[Path]:
    """Files below a folder; one that may not be entered is an error, not empty."""

    def refuse(error: OSError) -> None:
        raise error

    found = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN))
        found += [Path(parent, name) for name in sorted(names)]
    return [path for path in found if not path.name.startswith(HIDDEN)]


def _is_shown_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(HIDDEN)


def among(notes: Sequence[str]) -> str:
    """Return notes as the end of a message, nothing where there are none."""
    return f' ({"; ".join(notes[:SHOWN])})' if notes else ''
