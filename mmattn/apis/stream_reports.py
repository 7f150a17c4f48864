"""Reports on streams and their fusion: figures, classes, confusion."""

import argparse
import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmattn.evaluation.functional import (
    Scores,
    accuracies,
    class_accuracies,
    confusion_matrix,
    fuse_scores,
    load_scores,
    search_weights,
)
from mmattn.utils.files import replaced_atomically
from mmattn.visualization.confusion import draw_confusion

Report = dict[str, dict[str, float]]


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
        'top-1 accuracy chooses the weights',
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


def read_class_names(path: str | Path | None, num_classes: int) -> list[str]:
    """Read the names of classes, by default their numbers.

    Args:
        path: Text file with a name per line, or None.
        num_classes: Number of names expected.

    Raises:
        ValueError: If the file has another number of names.
    """
    if path is None:
        return [str(index) for index in range(num_classes)]
    names = Path(path).read_text(encoding='utf-8').splitlines()
    if len(names) != num_classes:
        raise ValueError(f'{path}: expected {num_classes} classes, got {len(names)}')
    return names


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
        out: Folder for ``report.json``, ``classes.csv`` and ``confusion.png``; None
            writes nothing.

    Returns:
        Top-1, top-5 and mean class accuracy (0 to 1) of each stream and the fusion.

    Raises:
        ValueError: If the streams do not fit each other, the weights or the names.
    """
    fused = fuse_scores(streams, weights)
    names = read_class_names(classes, fused.scores.shape[1])
    columns = [*streams, fused]
    report = {stream.name: accuracies(stream) for stream in columns}
    if out is not None:
        folder = Path(out)
        _write_json(folder / 'report.json', report, weights)
        matrices = {stream.name: confusion_matrix(stream) for stream in columns}
        write_class_table(folder / 'classes.csv', names, matrices)
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
    lines = [f'{"top-1":>8}{"top-5":>8}{"class":>8}']
    for name, figures in report.items():
        lines.append(''.join(f'{100 * f:8.2f}' for f in figures.values()) + f' {name}')
    return '\n'.join(lines)


def write_class_table(
    path: Path, names: Sequence[str], matrices: dict[str, np.ndarray]
) -> None:
    """Write the accuracy of each class in percent, one column per stream.

    Args:
        path: CSV file.
        names: Names of the K classes.
        matrices: Confusion matrix (K, K) of each stream.
    """
    columns = {name: class_accuracies(matrix) for name, matrix in matrices.items()}
    videos = next(iter(matrices.values())).sum(axis=1)
    with replaced_atomically(path) as part, part.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['class', 'videos', *columns])
        for k, name in enumerate(names):
            shares = [column[k] for column in columns.values()]
            cells = ['' if np.isnan(s) else f'{100 * s:.2f}' for s in shares]
            writer.writerow([name, int(videos[k]), *cells])


def _write_json(path: Path, report: Report, weights: Sequence[float]) -> None:
    content = dict(weights=[float(weight) for weight in weights], **report)
    with replaced_atomically(path) as part:
        part.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
