"""The official splits of UCF101, HMDB51 and Kinetics-400."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmattn.utils.text import read_lines, read_records

from .hmdb51_subset import read_split


class OfficialVideo(NamedTuple):
    """A line of an official split.

    Args:
        folder: Folder of its class.
        stems: Names that its file may have, without extension; the usual one first.
        label: Its class, from 0.
    """

    folder: str
    stems: tuple[str, ...]
    label: int


Splits = dict[str, list[OfficialVideo]]


@dataclass(frozen=True)
class Benchmark:
    """A data set of one class per video, and what its lists are called.

    Args:
        name: Prefix of the lists: ``<name>_<split>_videos.txt``.
        read: Reads the official files in a folder.
        counts: Videos in each split by the official files; None is not checked.
        suffixes: What follows ``videos`` and ``rawframes`` in the folders' names, by
            split; nothing where all splits share a folder.
    """

    name: str
    read: Callable[[Path], Splits]
    counts: dict[str, int | None]
    suffixes: dict[str, str]

    def read_splits(self, annotations: str | Path, *, partial: bool = False) -> Splits:
        """Read the official files and count their lines.

        Args:
            annotations: Folder of the official files; those of a subfolder count.
            partial: Whether other numbers of lines, and missing splits, are right.

        Raises:
            ValueError: If files are missing, malformed or not complete.
        """
        splits = self.read(Path(annotations))
        for split, count in self.counts.items():
            found = len(splits.get(split, ()))
            if found != count and (count or not found) and not partial:
                expected = f'{count} videos' if count else 'videos'
                raise ValueError(
                    f'{annotations}: expected {expected} in {split} of {self.name}, '
                    f'got {found}; `partial` accepts that'
                )
        if not splits:
            raise ValueError(
                f'{annotations}: expected a split of {self.name}, got none'
            )
        return splits


def read_ucf101(annotations: Path) -> Splits:
    """Read ``classInd.txt``, ``trainlist0N.txt`` and ``testlist0N.txt``.

    Args:
        annotations: Folder of the files.

    Raises:
        ValueError: If a file is missing or malformed.
    """
    path = _find(annotations, 'classInd.txt')
    labels = {}
    for number, fields in _lines(path):
        if len(fields) != 2 or not fields[0].isdecimal():
            raise ValueError(f"{path}:{number}: expected '<number> <class>'")
        labels[fields[1]] = int(fields[0]) - 1
    splits: Splits = {}
    for n in (1, 2, 3):
        for ours, theirs in (('train', 'train'), ('val', 'test')):
            path = _find(annotations, f'{theirs}list0{n}.txt')
            videos = splits[f'{ours}_split_{n}'] = []
            for number, fields in _lines(path):
                folder, _, name = fields[0].partition('/')
                if folder not in labels or not name:
                    raise ValueError(
                        f"{path}:{number}: expected '<class>/<video>' with a class of "
                        f'classInd.txt, got {fields[0]!r}'
                    )
                video = OfficialVideo(folder, (Path(name).stem,), labels[folder])
                videos.append(video)
    return splits


def read_hmdb51(annotations: Path) -> Splits:
    """Read ``<class>_test_splitN.txt`` of all classes, which number by name.

    Args:
        annotations: Folder of the files.

    Raises:
        ValueError: If there are not 51 classes, or a file is missing or malformed.
    """
    ending = '_test_split1.txt'
    firsts = Path(annotations).rglob(f'*{ending}')
    paths = {path.name.removesuffix(ending): path for path in firsts}
    if len(paths) != 51:
        raise ValueError(
            f'{annotations}: expected files <class>{ending} of 51 classes, got '
            f'{len(paths)}'
        )
    splits: Splits = {}
    for n in (1, 2, 3):
        train = splits[f'train_split_{n}'] = []
        test = splits[f'val_split_{n}'] = []
        for label, folder in enumerate(sorted(paths)):
            path = paths[folder].with_name(f'{folder}_test_split{n}.txt')
            uses = read_split(path)
            for name, use in uses.items():
                video = OfficialVideo(folder, (Path(name).stem,), label)
                if use:
                    (train if use == 1 else test).append(video)
    return splits


def read_kinetics400(annotations: Path) -> Splits:
    """Read the csv files of training and validation, whose classes number by name.

    Args:
        annotations: Folder of the files: ``train.csv`` and ``val.csv`` or
            ``validate.csv``, also with ``kinetics_``, ``kinetics400_`` or
            ``kinetics-400_`` before.

    Raises:
        ValueError: If a file is malformed or there are not 400 classes.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    for split, names in (('train', ('train',)), ('val', ('val', 'validate'))):
        for path in sorted(Path(annotations).rglob('*.csv')):
            if path.stem.lower().split('_')[-1] not in names:
                continue
            if f'{split}_list' in rows:
                raise ValueError(f'{annotations}: expected one csv of {split}, got two')
            rows[f'{split}_list'] = _read_csv(path)
    classes = sorted({row['label'] for split in rows.values() for row in split})
    if rows and len(classes) != 400:
        raise ValueError(f'{annotations}: expected 400 classes, got {len(classes)}')
    labels = {name: label for label, name in enumerate(classes)}
    return {
        split: [_kinetics_video(row, labels) for row in found]
        for split, found in rows.items()
    }


def _read_csv(path: Path) -> list[dict[str, str]]:
    needed = ('label', 'youtube_id', 'time_start', 'time_end')
    rows = []
    for number, row in read_records(path, needed):
        times = (row['time_start'], row['time_end'])
        if not all(time.isdecimal() for time in times):
            raise ValueError(
                f'{path}:{number}: expected whole seconds in time_start and time_end, '
                f'got {times}'
            )
        rows.append(row)
    return rows


def _kinetics_video(row: dict[str, str], labels: dict[str, int]) -> OfficialVideo:
    name, start, end = row['youtube_id'], int(row['time_start']), int(row['time_end'])
    stems = (f'{name}_{start:06d}_{end:06d}', name)
    return OfficialVideo(row['label'].replace(' ', '_'), stems, labels[row['label']])


def _find(folder: Path, name: str) -> Path:
    paths = sorted(Path(folder).rglob(name))
    if len(paths) != 1:
        raise ValueError(f'{folder}: expected one file {name}, got {len(paths)}')
    return paths[0]


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    return [
        (n, line.split()) for n, line in enumerate(read_lines(path), 1) if line.strip()
    ]


UCF101_COUNTS: dict[str, int | None] = {
    'train_split_1': 9537,
    'val_split_1': 3783,
    'train_split_2': 9586,
    'val_split_2': 3734,
    'train_split_3': 9624,
    'val_split_3': 3696,
}
HMDB51_COUNTS: dict[str, int | None] = {
    f'{split}_split_{n}': count
    for n in (1, 2, 3)
    for split, count in (('train', 3570), ('val', 1530))
}
BENCHMARKS = {
    'ucf101': Benchmark('ucf101', read_ucf101, UCF101_COUNTS, {}),
    'hmdb51': Benchmark('hmdb51', read_hmdb51, HMDB51_COUNTS, {}),
    'kinetics400': Benchmark(
        'kinetics400',
        read_kinetics400,
        {'train_list': None, 'val_list': 19906},
        {'train_list': '_train', 'val_list': '_val'},
    ),
}
