"""The rows of the papers' tables as data: what to run, and what the paper reports.

Each paper's folder of configs holds a ``rows.yml``.  The tables of the READMEs are
made from it, and the tests build, train and test every row, shrunk.
"""

import argparse
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config, DictAction

BEGIN, END = '<!-- rows: begin -->', '<!-- rows: end -->'


@dataclass(frozen=True)
class PaperRow:
    """One row of a table that is the paper's own model or its own baseline.

    Args:
        key: Key of the system, such as ``temporal_lstm``.
        paper: Title and venue.
        table: Number of the table.
        row: The row's name in the paper.
        dataset: Data set of the figure.
        metric: What the figure measures.
        figure: The paper's figure, in percent; None where it prints none that can be
            read.
        ours: Our figure in percent, or None until somebody has run the row.
        configs: Config files to train and test, one per stream.
        options: ``key=value`` pairs for ``--cfg-options``.
        stream_options: More of them for each config, where streams differ.
        weights: Weights of the streams where their scores are fused.
        prepare: Commands to run before, such as feature extraction.
    """

    key: str
    paper: str
    table: str
    row: str
    dataset: str
    metric: str
    figure: float | None
    ours: float | None
    configs: tuple[str, ...]
    options: tuple[str, ...] = ()
    stream_options: tuple[tuple[str, ...], ...] = ()
    weights: tuple[float, ...] = ()
    prepare: tuple[str, ...] = ()

    @property
    def commands(self) -> list[str]:
        """Every command of the row in order, split 1.

        Runs with options have folders of their own, named after the options.
        """
        commands = list(self.prepare)
        for config, pairs in self.runs:
            stem, options = Path(config).stem, ''
            folder = f'work_dirs/{stem}'
            if pairs:
                folder += f'_{zlib.crc32(" ".join(pairs).encode()):08x}'
                options = f' --work-dir {folder} --cfg-options {" ".join(pairs)}'
            checkpoint = f'"$(cat {folder}/last_checkpoint)"'
            dump = f' --dump {stem}.pkl' if self.weights else ''
            commands.append(f'mim train mmattn {config}{options}')
            commands.append(
                f'mim test mmattn {config} --checkpoint {checkpoint}{dump}{options}'
            )
        if self.weights:
            dumps = ' '.join(f'{Path(config).stem}.pkl' for config in self.configs)
            weights = ' '.join(f'{weight:g}' for weight in self.weights)
            commands.append(f'mim run mmattn fuse_scores {dumps} --weights {weights}')
        return commands

    @property
    def reported(self) -> str:
        """The paper's figure as text."""
        return 'no figure' if self.figure is None else str(self.figure)

    @property
    def measured(self) -> str:
        """Our figure as text."""
        return 'not run' if self.ours is None else f'{self.ours:.1f}'

    @property
    def runs(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every config of the row with all of its options."""
        own = self.stream_options or [()] * len(self.configs)
        return [
            (config, (*self.options, *pairs))
            for config, pairs in zip(self.configs, own, strict=True)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain data, with its commands."""
        return dict(asdict(self), commands=self.commands)


def configs_root() -> Path:
    """Return the folder of our configs, in a checkout or an installed package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / '.mim' / 'configs'
    return installed if installed.is_dir() else package.parent / 'configs'


def load_rows(root: Path | None = None) -> list[PaperRow]:
    """Read every ``rows.yml``.

    Args:
        root: Folder to search, our configs by default.

    Raises:
        ValueError: If a file has a key missing or too many, or names a config that
            does not exist.
    """
    rows = []
    for path in sorted((root or configs_root()).rglob('rows.yml')):
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        for key in ('key', 'paper', 'metric', 'rows'):
            if key not in content:
                raise ValueError(f'{path}: expected the key {key!r}, got none')
        shared = {key: content[key] for key in ('key', 'paper', 'metric')}
        for entry in content['rows']:  # other keys hold what rows share by anchors
            values = {**shared, **entry}
            for name in ('configs', 'options', 'weights', 'prepare'):
                values[name] = tuple(values.get(name, ()))
            values['stream_options'] = tuple(
                map(tuple, entry.get('stream_options', ()))
            )
            try:
                row = PaperRow(**values)
            except TypeError as error:
                raise ValueError(f'{path}: row {entry.get("row")!r}: {error}') from None
            if row.stream_options and len(row.stream_options) != len(row.configs):
                raise ValueError(
                    f'{path}: row {row.row!r}: expected stream_options for each of '
                    f'{len(row.configs)} configs, got {len(row.stream_options)}'
                )
            for config in row.configs:
                if not (path.parent / config).is_file():
                    raise ValueError(
                        f'{path}: row {row.row!r}: expected a config file beside it, '
                        f'got {config!r}'
                    )
            rows.append(row)
    return rows


def distinct_runs(rows: list[PaperRow]) -> list[tuple[Path, tuple[str, ...]]]:
    """Return every config and option set that rows name, each once, in order."""
    runs = {
        (config_path(row, config), options): None
        for row in rows
        for config, options in row.runs
    }
    return list(runs)


def load_config(path: Path, options: tuple[str, ...] = ()) -> Config:
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


def markdown_table(rows: list[PaperRow], key: str | None = None) -> str:
    """Return rows as a Markdown table.

    Args:
        rows: Rows.
        key: Key of the system in whose README the table stands: tables of its paper
            have their number only, and links start from its folder.
    """
    lines = [
        '| table | row | data | paper reports | ours | config | options |',
        '|---|---|---|---|---|---|---|',
    ]
    for row in rows:
        folder = '' if key in (None, row.key) else f'../{row.key}/'
        configs = '<br>'.join(f'[{c}]({folder}{c})' for c in row.configs)
        table = row.table.removeprefix(f'{key} ')
        options = [f'`{option}`' for option in row.options]
        if row.weights:
            weights = ' '.join(f'{weight:g}' for weight in row.weights)
            options.insert(0, f'`fuse_scores --weights {weights}`')
        for own in row.stream_options:
            options.append('<br>' + ' '.join(f'`{option}`' for option in own))
        lines.append(
            f'| {table} | {row.row} | {row.dataset} | {row.reported} | '
            f'{row.measured} | {configs} | {" ".join(options)} |'
        )
    return '\n'.join(lines)


def with_table(readme: str, rows: list[PaperRow], key: str) -> str:
    """Return a README's text with the table between its markers made anew.

    Args:
        readme: The text.
        rows: Rows of all systems.
        key: Key of the README's system.

    Raises:
        ValueError: If the markers are missing.
    """
    if not 0 <= readme.find(BEGIN) < readme.find(END):
        raise ValueError(f'expected the markers {BEGIN} and {END} in the README')
    before, rest = readme.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    table = markdown_table(rows_of_paper(rows, key), key)
    return f'{before}{BEGIN}\n{table}\n{END}{after}'
