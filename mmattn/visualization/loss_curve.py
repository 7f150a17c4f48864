"""Loss against epoch, from the log of a run."""

import json
from pathlib import Path
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmattn.utils.text import read_lines


class LossCurve(NamedTuple):
    """Losses of a run.

    Args:
        unit: ``'epoch'`` or ``'iteration'``.
        train: Pairs (epoch or iteration, loss) of the training.
        val: The same of the validation, empty without one.
    """

    unit: str
    train: list[tuple[int, float]]
    val: list[tuple[int, float]]


def find_log(path: str | Path) -> Path:
    """Return the log of scalars of a run.

    Args:
        path: The file ``scalars.json``, or a folder above it, such as the work dir; of
            several runs in it, the newest is taken.

    Raises:
        ValueError: If there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    found = sorted(path.rglob('vis_data/scalars.json'))  # folders are named by time
    if not found:
        raise ValueError(
            f"{path}: expected a run's vis_data/scalars.json in it, got none"
        )
    return found[-1]


def read_losses(path: str | Path) -> LossCurve:
    r"""Read the losses of a run's log.

    The training loss of an epoch is the mean of its log lines; with iterations, each
    line counts.  Of a resumed run the last line of an epoch's validation is taken.

    Args:
        path: A file ``scalars.json``, which MMEngine writes.

    Raises:
        ValueError: If the file is no such log, or holds no training loss.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), 'scalars.json')
        >>> lines = ['{"loss": 3, "epoch": 1, "step": 20}']
        >>> lines += ['{"loss": 1, "epoch": 1, "step": 40}']
        >>> lines += ['{"val_loss": 2.5, "step": 1}']
        >>> _ = path.write_text('\n'.join(lines))
        >>> read_losses(path)
        LossCurve(unit='epoch', train=[(1, 2.0)], val=[(1, 2.5)])
    """
    train: dict[int, list[float]] = {}
    val: dict[int, float] = {}
    unit = 'iteration'
    for line in read_lines(path):
        try:
            entry = json.loads(line)
            if 'loss' in entry and 'epoch' in entry:
                unit = 'epoch'
            if 'loss' in entry:
                step = entry.get('epoch', entry['step'])
                train.setdefault(int(step), []).append(float(entry['loss']))
            elif 'val_loss' in entry:
                val[int(entry['step'])] = float(entry['val_loss'])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f'{path}: expected lines of scalars as MMEngine writes them, got '
                f'{line[:80]!r} ({error!r})'
            ) from error
    if not train:
        raise ValueError(f"{path}: expected lines with 'loss', got none")
    means = [(step, sum(losses) / len(losses)) for step, losses in train.items()]
    return LossCurve(unit, sorted(means), sorted(val.items()))


def save_losses(curve: LossCurve, path: str | Path, *, title: str = '') -> None:
    """Draw the losses of training and validation.

    Args:
        curve: Losses of :func:`read_losses`.
        path: Picture to write, png, pdf or svg.
        title: Title of the picture.
    """
    figure = Figure(figsize=(6, 4), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, pairs in (('training', curve.train), ('validation', curve.val)):
        if pairs:
            axes.plot(*zip(*pairs, strict=True), marker='o', markersize=3, label=name)
    axes.set_xlabel(curve.unit)
    axes.set_ylabel('loss')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
