"""What has to be run for rows of the papers' tables, each training and test once.

A plan counts batches as the papers do: processes, samples of each and steps whose
gradients are added up make the batch of the paper, and schedules that count iterations
count its batches.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmattn.reports.rows import METRICS, Features, PaperRow

TEST_ONLY = ('test_dataloader.', 'test_evaluator.', 'test_cfg.', 'test_pipeline.')
RESULTS = 'work_dirs/rows'


@dataclass(frozen=True)
class Fit:
    """How a batch is made.

    Args:
        processes: Processes, one for each GPU.
        samples: Samples of each process in a step.
        steps: Steps whose gradients are added up.
    """

    processes: int
    samples: int
    steps: int


@dataclass(frozen=True)
class Step:
    """One command of a plan.

    Args:
        name: ``<kind>/<name>``, the step's folder below that of the results.
        config: Name or path of the config, empty where the step needs none.
        split: Official split, None where the data has none.
        options: Options of the row for the config.
        words: Other words of the command.
        needs: Names of the steps whose results it reads.
        fit: How the batch is made; its options are added to those of the row.
        fit_options: ``key=value`` pairs that do so.
    """

    name: str
    config: str = ''
    split: int | None = None
    options: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    fit: Fit = Fit(1, 1, 1)
    fit_options: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """``'tool'``, ``'train'``, ``'features'``, ``'test'`` or ``'fuse'``."""
        return self.name.partition('/')[0]


@dataclass(frozen=True)
class Goal:
    """Where the figure of a row comes from.

    Args:
        row: The row.
        steps: Step that gives the figure of each split.
    """

    row: PaperRow
    steps: tuple[str, ...]

    @property
    def metric(self) -> str:
        """Name of the figure in what a step reports."""
        return METRICS[self.row.metric].key


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which each finds what it needs, and the rows' figures.

    Args:
        steps: By name.
        goals: One for each row.
        out: Folder of the results.
        device: ``'cuda'`` or ``'cpu'``.
    """

    steps: dict[str, Step]
    goals: tuple[Goal, ...]
    out: Path
    device: str = 'cuda'

    def needed_by(self, goal: Goal) -> list[Step]:
        """Return the steps of one row in their order."""
        wanted: set[str] = set()
        waiting = list(goal.steps)
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted.add(name)
                waiting += self.steps[name].needs
        return [step for step in self.steps.values() if step.name in wanted]


def plan_rows(
    rows: Iterable[PaperRow], out: str | Path = RESULTS, *, device: str = 'cuda'
) -> Plan:
    """Plan the runs of rows; what several need is planned once.

    Args:
        rows: Rows.
        out: Folder for the results.
        device: ``'cuda'`` or ``'cpu'``.
    """
    plan = Plan({}, (), Path(out), device)
    goals = []
    for row in rows:
        steps = tuple(_steps_of_split(plan.steps, row, split) for split in row.splits)
        goals.append(Goal(row, steps))
    return replace(plan, goals=tuple(goals))


def _steps_of_split(steps: dict[str, Step], row: PaperRow, split: int | None) -> str:
    """Add the steps of a row on one split, and return the name of the last."""

    def add(step: Step) -> str:
        if steps.setdefault(step.name, step) != step:
            raise ValueError(
                f'expected one step named {step.name}, got two that differ'
            )
        return step.name

    before = tuple(
        add(
            Step(
                f'tool/{_slug(words)}_split{split}',
                split=split,
                words=tuple(words.split()),
            )
        )
        for words in row.prepare
    )

    def on(
        kind: str, config: str, options: tuple[str, ...], *needs: str, **more: Any
    ) -> str:
        name = f'{kind}/{run_name(config, options, split)}'
        return add(Step(name, config, split, options, needs=needs, **more))

    features: Sequence[Features | None] = row.features or [None] * len(row.configs)
    tests = []
    for (config, options), made in zip(row.runs, features, strict=True):
        needs = before
        if made is not None:
            convnet = on('train', made.convnet, (), *before)
            folder = made.folder.format(split=split)
            needs = (on('features', made.config, (), convnet, words=(folder,)),)
        learned = tuple(x for x in options if not x.startswith(TEST_ONLY))
        training = on('train', config, learned, *needs)
        tests.append(on('test', config, options, training))
    if not row.weights:
        return tests[0]
    weights = tuple(f'{weight:g}' for weight in row.weights)
    name = f'fuse/{Path(row.configs[0]).stem}_{_hash([*tests, *weights])}'
    return add(Step(name, split=split, words=weights, needs=tuple(tests)))


def run_name(config: str, options: Sequence[str], split: int | None) -> str:
    """Name a run after everything that sets it apart.

    Example:
        >>> run_name('a.py', (), 2)
        'a_split2'
        >>> run_name('a.py', ('x=1',), None)
        'a_9e95a87e'
    """
    name = Path(config).stem
    if split is not None:
        name += f'_split{split}'
    if options:
        name += f'_{_hash(options)}'
    return name


def _slug(text: str) -> str:
    return re.sub(r'\W+', '-', text).strip('-')


def _hash(words: Sequence[str]) -> str:
    return f'{zlib.crc32(" ".join(words).encode()):08x}'
