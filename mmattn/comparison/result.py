"""What a comparison found: a table, a csv and a page."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmattn.comparison.statistics import Difference, grouped_mean
from mmattn.utils.files import write_csv, write_text
from mmattn.utils.text import markdown_table
from mmattn.visualization.templates import render_page

HEADER = (
    'system', 'form', 'twin, %', 'system, %', 'gain, %', '95 % interval',
    'attention kept', 'gain in all folds, %', 'middle third, %', 'parameters',
    'multiply-adds', 'ms per clip',
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What a model costs beside the trunk, for one clip on this machine.

    Args:
        parameters: Numbers that are learned.
        multiply_adds: Of convolutions and matrix products.
        milliseconds: Shortest of five runs.
    """

    parameters: int
    multiply_adds: int
    milliseconds: float


@dataclass(frozen=True)
class Row:
    """A system in one form, beside its twin.

    Args:
        system: Its name.
        form: 'paper' or 'tuned'.
        twin: Accuracy of its twin without attention.
        accuracy: Accuracy of the system.
        gain: Paired difference, with its interval; None for a system without attention.
        by_class: Gain in each class.
        cost: Cost of the system.
        twin_cost: Cost of the twin.
        middle: Share of the attention over frames on the middle third, None without.
        seed_spread: Standard deviation of the accuracy over the seeds.
        kept: Folds in which the tuned form kept its attention, and all folds; None for
            a form that has no choice.
        always: Gain of the tuned form if it keeps its attention in all folds.
    """

    system: str
    form: str
    twin: Difference
    accuracy: Difference
    gain: Difference | None
    by_class: list[float]
    cost: Cost | None = None
    twin_cost: Cost | None = None
    middle: float | None = None
    seed_spread: float = math.nan
    kept: tuple[int, int] | None = None
    always: Difference | None = None

    def cells(self) -> list[str]:
        """Cells of the table under ``HEADER``."""
        gain, cost = self.gain, self.cost
        return [
            self.system,
            self.form,
            '' if gain is None else _percent(self.twin.mean),
            _with_error(self.accuracy),
            '' if gain is None else _with_error(gain, signed=True),
            ''
            if gain is None
            else f'{_rounded(gain.low):+.1f} to {_rounded(gain.high):+.1f}',
            '{} of {}'.format(*self.kept) if self.kept else '',
            _with_error(self.always, signed=True) if self.always else '',
            '' if self.middle is None else _percent(self.middle),
            '' if cost is None else f'{cost.parameters:,}',
            '' if cost is None else f'{cost.multiply_adds:,}',
            '' if cost is None else f'{cost.milliseconds:.1f}',
        ]


def paired_row(
    system: str,
    form: str,
    twin: np.ndarray,
    right: np.ndarray,
    *,
    labels: np.ndarray,
    groups: np.ndarray,
    num_classes: int,
) -> Row:
    """Row of a system beside its twin, clip by clip.

    Args:
        system: Its name.
        form: Its form.
        twin: How often each clip was right, of 1, by the twin.
        right: The same by the system.
        labels: Class of each clip.
        groups: Group of each clip.
        num_classes: Classes; the gain in one without clips is nan.

    Shape:
        - twin, right, labels, groups: (N,).
    """
    gains = right - twin
    members = [gains[labels == k] for k in range(num_classes)]
    return Row(
        system=system,
        form=form,
        twin=grouped_mean(twin, groups),
        accuracy=grouped_mean(right, groups),
        gain=grouped_mean(gains, groups),
        by_class=[float(x.mean()) if len(x) else math.nan for x in members],
    )


@dataclass(frozen=True)
class Comparison:
    """All rows, and what they were measured on.

    Args:
        rows: The rows.
        classes: Names of the classes.
        num_clips: Clips.
        num_groups: Groups of clips.
        grouped: Whether groups were given; else each clip is one.
        num_folds: Folds of the cross-validation.
        seeds: Trainings of each model on each fold.
        most_frequent: Share of the most frequent class.
        minutes: Processor time of the trainings.
    """

    rows: list[Row] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    num_clips: int = 0
    num_groups: int = 0
    grouped: bool = False
    num_folds: int = 0
    seeds: int = 0
    most_frequent: float = math.nan
    minutes: float = math.nan

    def table(self) -> str:
        """Return the table as Markdown, with a sentence for each row below it."""
        table = markdown_table(HEADER, (row.cells() for row in self.rows))
        return '\n'.join([table, '', self.describe(), *self.sentences()])

    def describe(self) -> str:
        """Say what was measured."""
        groups = f'{self.num_groups} groups' if self.grouped else 'no groups'
        text = (
            f'{self.num_clips} clips, {groups}, {len(self.classes)} classes, the most '
            f'frequent {_percent(self.most_frequent)} %; {self.num_folds} folds, '
            f'{self.seeds} seed{"s" * (self.seeds != 1)}.'
        )
        if not math.isnan(self.minutes):
            text += f' {self.minutes:.1f} CPU minutes of training.'
        return text

    def sentences(self) -> list[str]:
        """Say of each system whether its gain can be measured."""
        return [_sentence(row, self) for row in self.rows if row.gain is not None]

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``compare.csv``, ``compare.md`` and ``compare.html``.

        Args:
            folder: Folder to write to.

        Returns:
            The files.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f'compare.{suffix}' for suffix in ('csv', 'md', 'html')]
        write_csv(paths[0], self._records())
        for path, text in zip(paths[1:], (self.table(), self._page()), strict=True):
            write_text(path, text + '\n')
        return paths

    def _records(self) -> list[list[str]]:
        header = [*HEADER, 'gain', 'error', 'low', 'high', 'spread of seeds']
        header += [f'gain in {name}' for name in self.classes]
        records = [header]
        for row in self.rows:
            gain = row.gain
            numbers = ['nan'] * 4
            if gain is not None:
                found = (gain.mean, gain.error, gain.low, gain.high)
                numbers = [f'{100 * x:.3f}' for x in found]
            numbers += [f'{100 * x:.3f}' for x in (row.seed_spread, *row.by_class)]
            records.append([*row.cells(), *numbers])
        return records

    def _page(self) -> str:
        by_class = [
            [row.system, row.form, *(f'{_rounded(x):+.1f}' for x in row.by_class)]
            for row in self.rows
            if row.gain is not None
        ]
        return render_page(
            'compare',
            title='Systems against their twins without attention',
            sentences=self.sentences(),
            described=self.describe(),
            header=HEADER,
            rows=[row.cells() for row in self.rows],
            classes=self.classes,
            by_class=by_class,
        )


def _sentence(row: Row, found: Comparison) -> str:
    gain = row.gain
    assert gain is not None
    name = ' '.join(part for part in (row.system, row.form) if part)
    if row.kept and not row.kept[0]:
        return f'{name}: in no fold do the training clips speak for its attention.'
    if not gain.measured:
        return f'{name}: no difference can be measured with {found.num_clips} clips.'
    verb = 'gains' if gain.mean > 0 else 'loses'
    return f'{name}: {verb} {abs(100 * gain.mean):.1f} % against its twin.'


def _percent(value: float) -> str:
    return f'{_rounded(value):.1f}'


def _rounded(value: float) -> float:
    return round(100 * value, 1) + 0.0  # no -0.0


def _with_error(value: Difference, *, signed: bool = False) -> str:
    mean = f'{_rounded(value.mean):+.1f}' if signed else _percent(value.mean)
    return f'{mean} ± {100 * value.error:.1f}'
