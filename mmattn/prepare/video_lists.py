"""From videos and official splits to the lists that our configs read."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmattn.prepare.archives import unpack
from mmattn.prepare.official_splits import BENCHMARKS, Benchmark, OfficialVideo
from mmattn.prepare.video_check import (
    CHECKS,
    FRAME_NAMES,
    Checked,
    Tree,
    check_sources,
)
from mmattn.utils.command_line import tool_parser
from mmattn.utils.files import write_text
from mmattn.utils.progress import progress_bar

KINDS = ('videos', *FRAME_NAMES)


@dataclass
class ListReport:
    """What became of one list.

    Args:
        path: The list; not written where it would be empty.
        lines: Number of its lines.
        expected: Number of videos in the official split.
        missing: Official videos that are not there, ``<class>/<video>``.
        unreadable: Videos or folders that cannot be read, with the reason.
    """

    path: Path
    lines: int
    expected: int
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def write_lists(
    name: str,
    root: str | Path,
    *,
    kind: str = 'videos',
    check: str = 'quick',
    partial: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> list[ListReport]:
    """Write the lists of all official splits with what is there and can be read.

    Reads ``annotations`` and ``videos`` or ``rawframes`` in the folder, and writes
    ``<name>_<split>_<kind>.txt``; ``<name>_checked_<kind>.jsonl`` remembers what has
    been checked.

    Args:
        name: ``'ucf101'``, ``'hmdb51'`` or ``'kinetics400'``.
        root: Folder of the data set.
        kind: ``'videos'``, ``'rawframes'`` (RGB) or ``'flow'``.
        check: How much of a video is decoded: ``'none'``, ``'quick'`` or ``'full'``.
        partial: Whether official files of other lengths are right.
        workers: Processes that check.
        progress: Whether to show a progress bar.

    Returns:
        A report on each list.

    Raises:
        ValueError: If an option is unknown, the official files are not complete, or
            nothing of any split is there.
    """
    for option, value, choices in (
        ('name', name, tuple(BENCHMARKS)),
        ('kind', kind, KINDS),
        ('check', check, CHECKS),
    ):
        if value not in choices:
            raise ValueError(f'{option}: expected one of {choices}, got {value!r}')
    benchmark, root = BENCHMARKS[name], Path(root)
    splits = benchmark.read_splits(root / 'annotations', partial=partial)
    found = {
        split: _find(benchmark, root, kind, split, splits[split]) for split in splits
    }
    if not any(any(paths) for paths in found.values()):
        raise ValueError(f'expected {kind} of {name} in {root}, got none')
    checked = {}
    for folder in sorted({_folder(benchmark, kind, split) for split in splits}):
        paths = {
            path
            for split in splits
            if _folder(benchmark, kind, split) == folder
            for path in found[split]
            if path
        }
        results = check_sources(
            root / folder,
            sorted(paths),
            kind=kind,
            journal=root / f'{name}_checked_{kind}.jsonl',
            check=check,
            workers=workers,
        )
        bar = progress_bar(
            results, total=len(paths), description=folder, unit='video', shown=progress
        )
        checked.update({(folder, result.path): result for result in bar})
    return [
        _write_list(
            root / f'{name}_{split}_{kind}.txt',
            splits[split],
            [checked.get((_folder(benchmark, kind, split), p)) for p in found[split]],
            counted=kind != 'videos',
        )
        for split in splits
    ]


def _folder(benchmark: Benchmark, kind: str, split: str) -> str:
    base = 'videos' if kind == 'videos' else 'rawframes'
    return base + benchmark.suffixes.get(split, '')


def _find(
    benchmark: Benchmark, root: Path, kind: str, split: str, videos: list[OfficialVideo]
) -> list[str | None]:
    folder = root / _folder(benchmark, kind, split)
    blanks = [path.name for path in folder.glob('* *') if path.is_dir()]
    if blanks:
        raise ValueError(
            f'{folder}: expected folders without blanks, which separate the fields of '
            f'a list, got {blanks[0]!r}; replace them by underscores'
        )
    tree = Tree(folder, videos=kind == 'videos')
    return [tree.find(video.folder, video.stems) for video in videos]


def _write_list(
    path: Path,
    videos: list[OfficialVideo],
    results: list[Checked | None],
    *,
    counted: bool,
) -> ListReport:
    report, lines = ListReport(path, 0, len(videos)), []
    for video, result in zip(videos, results, strict=True):
        if result is None:
            report.missing.append(f'{video.folder}/{video.stems[0]}')
        elif result.error:
            report.unreadable.append(f'{result.path}: {result.error}')
        else:
            fields = [result.path, result.frames] if counted else [result.path]
            lines.append(' '.join(map(str, [*fields, video.label])))
    report.lines = len(lines)
    if lines:
        write_text(path, ''.join(f'{line}\n' for line in lines))
    return report


def main(name: str, argv: Sequence[str] | None = None) -> int:
    """Run the command of one data set.

    Args:
        name: Data set, see :func:`write_lists`.
        argv: Arguments; those of the process where it is None.

    Returns:
        1 if videos are missing or cannot be read, else 0.
    """
    parser = tool_parser(
        f'Write the lists of {name} that the configs read, from its videos, or frames, '
        'and its official splits. Videos that are missing or cannot be read are named '
        'and left out, and the exit code is 1.\n\n'
        f'python tools/data/{name}/prepare_{name}.py data/{name} --workers 8\n'
    )
    parser.add_argument(
        'root',
        type=Path,
        nargs='?',
        default=Path('data', name),
        help=f'folder with annotations, videos and rawframes; default: data/{name}',
    )
    parser.add_argument(
        '--unpack',
        nargs='+',
        action='append',
        default=[],
        metavar=('FOLDER', 'ARCHIVE'),
        help='first unpack archives into a folder of the root, such as videos or '
        'annotations; repeatable',
    )
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=['videos'])
    parser.add_argument(
        '--check',
        choices=CHECKS,
        default='quick',
        help='decode no, three or all frames of each video; default: %(default)s',
    )
    parser.add_argument(
        '--partial',
        action='store_true',
        help='count missing videos only, and take official files of any length',
    )
    parser.add_argument('--workers', type=int, default=2, help='processes; default: 2')
    args = parser.parse_args(argv)
    complete = True
    try:
        _unpack_all(args)
        for kind in args.kinds:
            reports = write_lists(
                name,
                args.root,
                kind=kind,
                check=args.check,
                partial=args.partial,
                workers=args.workers,
            )
            complete &= _print_reports(reports, partial=args.partial)
    except (OSError, RuntimeError, ValueError) as error:
        parser.error(str(error))
    return 0 if complete else 1


def _unpack_all(args: argparse.Namespace) -> None:
    for folder, *archives in args.unpack:
        if not archives:
            raise ValueError(f'--unpack: expected a folder and archives, got {folder}')
        for archive in archives:
            done = unpack(archive, args.root / folder)
            print(f'{archive}: {"unpacked" if done else "was unpacked before"}')


def _print_reports(reports: list[ListReport], *, partial: bool) -> bool:
    """Print what was written and what is wrong, each thing once."""
    unreadable = {line for report in reports for line in report.unreadable}
    missing = {line for report in reports for line in report.missing}
    for line in sorted(unreadable):
        print(f'cannot be read: {line}', file=sys.stderr)
    for line in [] if partial else sorted(missing):
        print(f'missing: {line}', file=sys.stderr)
    for report in reports:
        written = '' if report.lines else ' (not written)'
        print(f'{report.path}: {report.lines} of {report.expected} videos{written}')
    if unreadable or missing:
        print(f'{len(missing)} videos missing, {len(unreadable)} cannot be read')
    return not unreadable and (partial or not missing)
