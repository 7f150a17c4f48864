"""Deletion and insertion curves as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmattn.evaluation.functional.faithfulness import mean_interval
from mmattn.explain.faithfulness import CENTER, RANDOM, Curves, VideoResult
from mmattn.explain.units import OVERS, Over

KINDS = {'deletion': 'taken away, highest first', 'insertion': 'given back alone'}
GRAY = {RANDOM: ('0.45', '--'), CENTER: ('0.45', ':')}
POINTS = np.linspace(0, 1, 101)


def save_curves(results: Sequence[VideoResult], path: str | Path) -> Path:
    """Draw the mean curves of all videos, with their 95 % intervals.

    Args:
        results: Results of all videos.
        path: File to write.

    Raises:
        ValueError: If there are no curves.
    """
    overs = [over for over in OVERS if any(over in r.randoms for r in results)]
    if not overs:
        raise ValueError('videos: expected curves to draw, got none')
    figure = Figure(figsize=(9, 3.2 * len(overs)), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(overs), 2, sharex=True, sharey=True, squeeze=False)
    for line, over in zip(axes, overs, strict=True):
        for axis, kind in zip(line, KINDS, strict=True):
            _draw(axis, results, over, kind)
        line[1].legend(fontsize=7, loc='upper left', bbox_to_anchor=(1, 1))
    for axis in axes[-1]:
        axis.set_xlabel('share of units')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def curves_by_map(
    results: Sequence[VideoResult], over: Over, kind: str
) -> dict[str, np.ndarray]:
    """Return the curve of each video, at 101 shares from 0 to 1, by map.

    Args:
        results: Results of all videos.
        over: What is taken away.
        kind: ``'deletion'`` or ``'insertion'``.

    Shape:
        - each: (videos, 101)
    """
    found: dict[str, list[np.ndarray]] = {}
    for result in results:
        if over in result.randoms:
            several = [_at_points(curves, kind) for curves in result.randoms[over]]
            found.setdefault(RANDOM, []).append(np.mean(several, axis=0))
        for (own, name), one in result.maps.items():
            if own == over:
                found.setdefault(name, []).append(_at_points(one.curves, kind))
    return {name: np.stack(curves) for name, curves in found.items()}


def _draw(axis: object, results: Sequence[VideoResult], over: Over, kind: str) -> None:
    for name, curves in curves_by_map(results, over, kind).items():
        bands = [mean_interval(column) for column in curves.T]
        color, style = GRAY.get(name, (None, '-'))
        (line,) = axis.plot(  # type: ignore[attr-defined]
            POINTS, [band.mean for band in bands], style, color=color, label=name
        )
        if name not in GRAY:
            low, high = [b.low for b in bands], [b.high for b in bands]
            axis.fill_between(  # type: ignore[attr-defined]
                POINTS, low, high, color=line.get_color(), alpha=0.15, linewidth=0
            )
    axis.set_title(f'over {over}: {KINDS[kind]}', fontsize=9)  # type: ignore[attr-defined]
    axis.set_ylim(0, 1)  # type: ignore[attr-defined]
    axis.set_ylabel('score')  # type: ignore[attr-defined]


def _at_points(curves: Curves, kind: str) -> np.ndarray:
    return np.interp(POINTS, curves.shares, getattr(curves, kind))
