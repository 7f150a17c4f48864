"""Reports on streams and their fusion: figures, classes, confusion."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmattn.evaluation import (
    Scores,
    accuracies,
    charades_map,
    class_accuracies,
    confusion_matrix,
    fuse_scores,
    load_scores,
    search_weights,
)
from mmattn.utils.files import replaced_atomically, write_csv, write_json
from mmattn.utils.text import read_class_names
from mmattn.visualization.confusion import draw_confusion

Report = dict[str, dict[str, float]]
HEADS = {'top1': 'top-1', 'top5': 'top-5', 'mean_class': 'class'}


def add_fusion_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a tool that fuses streams."""
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        '--weights',
        nargs='+',
        type=float,
        help='one per stream, such as 1 1.5 or 1 2; equal by default',
    )
    weights.add_argument(
        '--search-on',
        nargs=2,
        metavar='DUMP',
        help='dumps of two streams on validation videos, other than the tested, whose '
        'top-1 accuracy, or mAP, chooses the weights',
    )
    parser.add_argument('--classes', help='text file with a class name per line')


def chosen_weights(
    streams: Sequence[Scores],
    weights: Sequence[float] | None,
    search_on: Sequence[str] | None,
) -> tuple[float, ...]:
    """Return the weights that the options of :func:`add_fusion_options` ask for.

    Args:
        streams: Streams to fuse.
        weights: Weights as given; None for equal ones.
        search_on: Dumps of the streams on validation videos, or None.

    Raises:
        ValueError: If a validation video is a tested one, or as
            :func:`~mmattn.evaluation.search_weights` says.
    """
    if not search_on:
        return tuple(weights or [1.0] * len(streams))
    validation = [load_scores(path) for path in search_on]
    tested = {video for stream in streams for video in stream.video_ids}
    both = sorted(tested.intersection(*(stream.video_ids for stream in validation)))
    if both:
        raise ValueError(
            f'search_on: expected videos other than the tested, got {len(both)} in '
            f'both, such as {both[0]}'
        )
    if len(streams) != 2:
        raise ValueError(f'search_on: expected two streams, got {len(streams)}')
    return search_weights(validation)


def report_fusion(
    streams: Sequence[Scores],
    weights: Sequence[float],
    *,
    classes: str | Path | None = None,
    out: str | Path | None = None,
) -> Report:
    """Fuse streams, and write figures, a table of classes and a confusion picture.

    Args:
        streams: Streams with different names, all of the same videos and classes.
        weights: One non-negative weight per stream.
        classes: Text file with a class name per line.
        out: Folder for ``report.json``, ``classes.csv`` and, unless videos may have
            several labels, ``confusion.png``; None writes nothing.

    Returns:
        Top-1, top-5 and mean class accuracy (0 to 1) of each stream and the fusion, or
        mAP and wAP of several labels.

    Raises:
        ValueError: If the streams do not fit each other, the weights or the names.
    """
    fused = fuse_scores(streams, weights)
    names = read_class_names(classes, fused.scores.shape[1])
    columns = [*streams, fused]
    report = {stream.name: accuracies(stream) for stream in columns}
    if out is not None:
        folder = Path(out)
        content = dict(weights=[float(weight) for weight in weights], **report)
        write_json(folder / 'report.json', content, allow_nan=True)
        if fused.multi_label:
            found = {s.name: charades_map(s.scores, s.labels) for s in columns}
            figures = {name: result.per_class for name, result in found.items()}
            counts = fused.labels.sum(axis=0)
            write_class_table(folder / 'classes.csv', names, counts, figures)
            return report
        matrices = {stream.name: confusion_matrix(stream) for stream in columns}
        figures = {name: class_accuracies(matrix) for name, matrix in matrices.items()}
        counts = matrices[fused.name].sum(axis=1)
        write_class_table(folder / 'classes.csv', names, counts, figures)
        with replaced_atomically(folder / 'confusion.png') as part:
            figure = draw_confusion(matrices[fused.name], classes=names)
            figure.savefig(part, format='png', bbox_inches='tight', dpi=120)
    return report


def renamed(scores: Scores, name: str) -> Scores:
    """Return the scores under another name."""
    return dataclasses.replace(scores, name=name)


def text_table(report: Report) -> str:
    """Return a report as a table of percentages.

    Example:
        >>> print(text_table({'rgb': dict(top1=0.5, top5=1.0, mean_class=0.25)}))
           top-1   top-5   class
           50.00  100.00   25.00 rgb
    """
    keys = next(iter(report.values()))
    lines = [''.join(f'{HEADS.get(key, key):>8}' for key in keys)]
    for name, figures in report.items():
        lines.append(''.join(f'{100 * f:8.2f}' for f in figures.values()) + f' {name}')
    return '\n'.join(lines)


def write_class_table(
    path: Path,
    names: Sequence[str],
    videos: np.ndarray,
    columns: dict[str, np.ndarray],
) -> None:
    """Write the accuracy or AP of each class in percent, one column per stream.

    Args:
        path: CSV file.
        names: Names of the K classes.
        videos: Number of videos of each class (K,).
        columns: Figures (K,) of each stream, 0 to 1.
    """
    rows: list[list[object]] = [['class', 'videos', *columns]]
    for k, name in enumerate(names):
        shares = [column[k] for column in columns.values()]
        cells = ['' if np.isnan(s) else f'{100 * s:.2f}' for s in shares]
        rows.append([name, int(videos[k]), *cells])
    write_csv(path, rows)
