"""Figures of the runs on several splits, and their mean."""

import math
from collections.abc import Sequence
from pathlib import Path

from mmattn.evaluation import accuracies, load_scores
from mmattn.reports.rows import PaperRow, load_rows
from mmattn.utils.text import markdown_table, read_json

NAMES = {'top1': 'top-1', 'top5': 'top-5', 'mean1': 'mean class'}
NAMES['mean_class'] = NAMES['mean1']
NAMES |= {'mAP': 'mAP', 'wAP': 'wAP'}
SPLITS = (1, 2, 3)

Figures = dict[str, float]


def find_runs(config: str | Path, work_dirs: str | Path) -> list[Path]:
    """Return the work dirs of a config's runs on the three splits.

    ``--split N`` of our tools names them ``<config>_splitN``; without it split 1 is
    run, in ``<config>``.

    Args:
        config: The config or its name.
        work_dirs: Folder of the work dirs.

    Raises:
        ValueError: If one was not run, naming the command.
    """
    stem, found = Path(config).stem, []
    for split in SPLITS:
        names = [f'{stem}_split{split}'] + ([stem] if split == 1 else [])
        folders = [Path(work_dirs, name) for name in names]
        existing = [folder for folder in folders if folder.is_dir()]
        if not existing:
            raise ValueError(
                f'expected the run of split {split} in {folders[0]}, got no such '
                f'folder: mim train mmattn {stem}.py --split {split}, then mim test'
            )
        found.append(existing[0])
    return found


def read_run(path: str | Path) -> Figures:
    """Read what a tested run has reached.

    Args:
        path: A work dir with the log of a test, of which the newest counts; the folder
            or ``report.json`` of ``two_stream``; or a dump of ``tools/test.py``.

    Returns:
        Figures in percent by name, such as ``'top-1'`` or ``'fusion top-1'``.

    Raises:
        ValueError: If there is no such result, or a figure is not finite.
    """
    path = Path(path)
    figures = _figures(path)
    for name, value in figures.items():
        if not math.isfinite(value):
            raise ValueError(f'{path}: expected a finite {name}, got {value}')
    return figures


def _figures(path: Path) -> Figures:
    if path.suffix == '.pkl':
        return _named(accuracies(load_scores(path)))
    report = path / 'report.json' if path.is_dir() else path
    if report.is_file():
        content = read_json(report)
        if not isinstance(content, dict) or not all(
            isinstance(figures, (dict, list)) for figures in content.values()
        ):
            raise ValueError(f'{report}: expected figures by stream, got {content!r}')
        content.pop('weights', None)
        return {
            f'{stream} {name}': value
            for stream, figures in content.items()
            for name, value in _named(figures).items()
        }
    for log in sorted(path.glob('*/*.json'), reverse=True):  # named by the time
        figures = _named(read_json(log))
        if figures:
            return figures
    raise ValueError(
        f'{path}: expected the log of a test, report.json or a dump, got none'
    )


def split_table(runs: Sequence[Figures]) -> str:
    """Return the figures of the splits and their mean as a Markdown table.

    Args:
        runs: Figures of each split.

    Raises:
        ValueError: If the runs have no figure in common.

    Example:
        >>> print(split_table([{'top-1': 80.0}, {'top-1': 82.0}, {'top-1': 84.0}]))
        | figure | split 1 | split 2 | split 3 | mean |
        |---|---|---|---|---|
        | top-1 | 80.0 | 82.0 | 84.0 | 82.0 |
    """
    shared = [name for name in runs[0] if all(name in run for run in runs)]
    if not shared:
        raise ValueError(
            f'expected runs with a figure in common, got {[list(run) for run in runs]}'
        )
    heads = [f'split {number}' for number in range(1, len(runs) + 1)]
    lines = []
    for name in shared:
        values = [run[name] for run in runs]
        means = (*values, sum(values) / len(values))
        lines.append([name, *(f'{value:.1f}' for value in means)])
    return markdown_table(['figure', *heads, 'mean'], lines)


def rows_of(configs: Sequence[str | Path]) -> list[PaperRow]:
    """Return the rows of the papers' tables that these configs are run for.

    Args:
        configs: One config, or one per stream.
    """
    names = tuple(Path(config).name for config in configs)
    return [row for row in load_rows() if row.configs == names and not row.options]


def _named(figures: dict[str, float]) -> Figures:
    """Figures in percent under our names; times and the like are left out."""
    found = {}
    for key, value in figures.items():
        prefix, metric = '', key.removeprefix('acc/').removeprefix('charades/')
        if metric not in NAMES:  # of one stream
            prefix, _, metric = metric.rpartition('_')
        if metric in NAMES:
            found[f'{prefix} {NAMES[metric]}'.strip()] = 100 * float(value)
    return found
