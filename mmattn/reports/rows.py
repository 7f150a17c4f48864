"""The rows of the papers' tables as data: what to run, and what the paper reports.

Each paper's folder of configs holds a ``rows.yml`` and, once rows have been run, an
``ours.yml`` with what they gave.
"""

import argparse
import difflib
import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from mmattn.utils.configs import configs_root
from mmattn.utils.text import read_yaml

OURS = 'ours.yml'


@dataclass(frozen=True)
class Metric:
    """What the figure of a row measures.

    Args:
        key: Its name in the log of a test.
        splits: The official splits whose mean it is; None where the data has none.
    """

    key: str
    splits: tuple[int | None, ...] = (None,)


METRICS = {
    'top-1, split 1': Metric('acc/top1', (1,)),
    'top-1, mean over the 3 splits': Metric('acc/top1', (1, 2, 3)),
    'top-1, validation list': Metric('acc/top1'),
    'mAP': Metric('charades/mAP'),
    'wAP': Metric('charades/wAP'),
    'frame-level accuracy': Metric('frame/top1', (1,)),
    'frame-AP at IoU 0.5, mean over 60 classes': Metric('mAP/overall'),
}


@dataclass(frozen=True)
class Features:
    """Features that a config reads, made by a ConvNet that is trained before.

    Args:
        convnet: Config of the ConvNet.
        config: Config that extracts the features with its weights.
        folder: Where they go, with ``{split}`` for the number of the split.
    """

    convnet: str
    config: str
    folder: str


@dataclass(frozen=True)
class Measurement:
    """What a row gave when somebody ran it.

    Args:
        figure: In percent, mean over the splits.
        splits: The figure of each split, in percent.
        date: Day on which the last test ended.
        versions: Version of each package that matters.
        hardware: What it ran on.
    """

    figure: float
    splits: tuple[float, ...]
    date: str
    versions: dict[str, str]
    hardware: str


@dataclass(frozen=True)
class PaperRow:
    """One row of a table that is the paper's own model or its own baseline.

    Args:
        key: Key of the system, such as ``temporal_lstm``.
        paper: Title and venue.
        table: Number of the table; where the system only is the baseline of a paper,
            behind the key of that paper.
        row: The row's name in the paper.
        dataset: Data set of the figure.
        metric: What the figure measures, one of :data:`METRICS`.
        configs: Config files to train and test, one per stream.
        figure: The paper's figure, in percent; None where it prints none that can be
            read.
        options: ``key=value`` pairs for ``--cfg-options``.
        stream_options: More of them for each config, where streams differ.
        weights: Weights of the streams where their scores are fused.
        prepare: Tools to run before, each with its arguments.
        features: Features that the configs read, one per config.
        note: What a reader has to know of the row.
        ours: What the row gave here, or None until somebody has run it.
    """

    key: str
    paper: str
    table: str
    row: str
    dataset: str
    metric: str
    configs: tuple[str, ...]
    figure: float | None = None
    options: tuple[str, ...] = ()
    stream_options: tuple[tuple[str, ...], ...] = ()
    weights: tuple[float, ...] = ()
    prepare: tuple[str, ...] = ()
    features: tuple[Features, ...] = ()
    note: str = ''
    ours: Measurement | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """Name of the row on command lines.

        Example:
            >>> PaperRow('tsn', 'p', 'stbta 2', 'Inception-v3', 'UCF101', 'm', ()).id
            'stbta-2-inception-v3-ucf101'
        """
        names = (self.table_key, self.row, self.dataset)
        return re.sub(r'[^a-z0-9_+]+', '-', ' '.join(names).lower()).strip('-')

    @property
    def table_key(self) -> str:
        """Key of the paper and number of the table."""
        known = re.match(
            r'(stbta|pyramid|temporal_lstm|convlstm|slowfast_attn) ', self.table
        )
        return self.table if known else f'{self.key} {self.table}'

    @property
    def splits(self) -> tuple[int | None, ...]:
        """Splits whose mean the figure is, None where the data has none."""
        return METRICS[self.metric].splits

    @property
    def reported(self) -> str:
        """The paper's figure as text."""
        return 'no figure' if self.figure is None else str(self.figure)

    @property
    def measured(self) -> str:
        """Our figure as text."""
        return 'not run' if self.ours is None else f'{self.ours.figure:.1f}'

    @property
    def runs(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every config of the row with all of its options."""
        own = self.stream_options or [()] * len(self.configs)
        return [
            (config, (*self.options, *pairs))
            for config, pairs in zip(self.configs, own, strict=True)
        ]


def load_rows(root: Path | None = None) -> list[PaperRow]:
    """Read every ``rows.yml``, and what rows have given from each ``ours.yml``.

    Args:
        root: Folder to search, our configs by default.

    Raises:
        ValueError: If a file has a key missing or too many, a metric is unknown, two
            rows have the same name, or a config does not exist.
    """
    rows: dict[str, PaperRow] = {}
    for path in sorted((root or configs_root()).rglob('rows.yml')):
        content = read_yaml(path)
        for key in ('key', 'paper', 'metric', 'rows'):
            if key not in content:
                raise ValueError(f'{path}: expected the key {key!r}, got none')
        shared = {key: content[key] for key in ('key', 'paper', 'metric')}
        ours = load_ours(path.parent)
        for entry in content['rows']:  # other keys hold what rows share by anchors
            row = _read_row(path, {**shared, **entry}, ours)
            if row.id in rows:
                raise ValueError(
                    f'{path}: expected rows of different names, got two {row.id}'
                )
            rows[row.id] = row
        unknown = sorted(set(ours) - set(rows))
        if unknown:
            raise ValueError(
                f'{path.parent / OURS}: expected rows of {path}, got {unknown}'
            )
    return list(rows.values())


def _read_row(
    path: Path, values: dict[str, Any], ours: dict[str, Measurement]
) -> PaperRow:
    name = values.get('row')
    for key in ('configs', 'options', 'weights', 'prepare'):
        values[key] = tuple(values.get(key, ()))
    values['stream_options'] = tuple(map(tuple, values.get('stream_options', ())))
    try:
        values['features'] = tuple(Features(**x) for x in values.get('features', ()))
        row = PaperRow(**values)
    except TypeError as error:
        raise ValueError(f'{path}: row {name!r}: {error}') from None
    if row.metric not in METRICS:
        raise ValueError(
            f'{path}: row {name!r}: expected a metric of {sorted(METRICS)}, got '
            f'{row.metric!r}'
        )
    for key in ('stream_options', 'features', 'weights'):
        given = getattr(row, key)
        if given and len(given) != len(row.configs):
            raise ValueError(
                f'{path}: row {name!r}: expected {key} for each of '
                f'{len(row.configs)} configs, got {len(given)}'
            )
    if len(row.configs) != 1 and not row.weights:
        raise ValueError(
            f'{path}: row {name!r}: expected weights of {len(row.configs)} configs, '
            'got none'
        )
    made = [name for x in row.features for name in (x.convnet, x.config)]
    for config in (*row.configs, *made):
        if not (path.parent / config).is_file():
            raise ValueError(
                f'{path}: row {name!r}: expected a config file beside it, got '
                f'{config!r}'
            )
    object.__setattr__(row, 'ours', ours.get(row.id))
    return row


def load_ours(folder: Path) -> dict[str, Measurement]:
    """Read what rows have given, by the rows' names.

    Args:
        folder: Folder of a ``rows.yml``.

    Raises:
        ValueError: If an entry has a key missing or too many.
    """
    path = folder / OURS
    if not path.is_file():
        return {}
    found = {}
    for name, entry in (read_yaml(path) or {}).items():
        try:
            found[name] = Measurement(**{**entry, 'splits': tuple(entry['splits'])})
        except (TypeError, KeyError) as error:
            raise ValueError(
                f'{path}: {name}: expected a measurement, got {error}'
            ) from None
    return found


def find_rows(rows: list[PaperRow], patterns: list[str]) -> list[PaperRow]:
    """Return the rows that names or patterns choose, in the order of the tables.

    Args:
        rows: Rows.
        patterns: Names such as ``'stbta-1-*'``.

    Raises:
        ValueError: If one chooses nothing.
    """
    chosen = set()
    for pattern in patterns:
        found = [row.id for row in rows if fnmatch.fnmatchcase(row.id, pattern)]
        if not found:
            near = difflib.get_close_matches(pattern, [row.id for row in rows], 3, 0.3)
            raise ValueError(
                f'expected the name of a row, such as {", ".join(near) or rows[0].id}, '
                f'got {pattern!r}'
            )
        chosen.update(found)
    return [row for row in rows if row.id in chosen]


def distinct_runs(rows: list[PaperRow]) -> list[tuple[Path, tuple[str, ...]]]:
    """Return every config and option set that rows name, each once, in order."""
    runs = {
        (config_path(row, config), options): None
        for row in rows
        for config, options in row.runs
    }
    return list(runs)


def load_config(path: str | Path, options: tuple[str, ...] = ()) -> Config:
    """Read a config with the options of a row, as ``--cfg-options`` would.

    Args:
        path: Config file.
        options: ``key=value`` pairs.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=DictAction, default={})
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    return cfg


def config_path(row: PaperRow, config: str) -> Path:
    """Return the path of one of a row's configs."""
    return next(configs_root().rglob(f'{row.key}/{config}'))


def rows_of_paper(rows: list[PaperRow], key: str) -> list[PaperRow]:
    """Return the rows in a system's README, by table.

    Those are its own, and those of baselines in other folders whose table is one of its
    paper, such as ``'stbta 1'``; they come first in a table.

    Args:
        rows: Rows of all systems.
        key: Key of the system.
    """
    found = [row for row in rows if row.key == key or row.table.startswith(f'{key} ')]
    return sorted(
        found, key=lambda row: (row.table.removeprefix(f'{key} '), row.key == key)
    )
