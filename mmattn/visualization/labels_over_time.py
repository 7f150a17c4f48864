"""Scores of classes over the time of a video."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mmattn.visualization.text import pixels_of

LINE = 0.4  # inches of a class


def draw_labels_over_time(
    parts: Sequence[tuple[float, float]],
    scores: np.ndarray,
    classes: Sequence[str],
    *,
    count: int = 5,
    title: str = '',
) -> np.ndarray:
    """Draw a line for each class, darker where its score is higher.

    Args:
        parts: Start and end of each part of the video, in seconds.
        scores: Scores of the classes in each part.
        classes: Names of the classes.
        count: How many classes, those with the highest score anywhere.
        title: First line of text.

    Shape:
        - scores: (S, K)
        - Output: (H, W, 3), RGB, uint8

    Example:
        >>> scores = np.array([[0.9, 0.1], [0.2, 0.8]])
        >>> draw_labels_over_time([(0, 2), (2, 4)], scores, ['run', 'hop']).shape
        (180, 1000, 3)
    """
    order = np.argsort(-scores.max(axis=0), kind='stable')[:count]
    figure = Figure(figsize=(10, 1 + LINE * len(order)), dpi=100, layout='constrained')
    axes = figure.add_subplot()
    middles = np.array([(start + end) / 2 for start, end in parts])
    borders = np.concatenate(
        [[parts[0][0]], (middles[1:] + middles[:-1]) / 2, [parts[-1][1]]]
    )
    drawn = axes.pcolormesh(
        borders,
        np.arange(len(order) + 1),
        scores[:, order].T,
        cmap='Blues',
        vmin=0,
        vmax=max(1.0, float(scores.max())),
    )
    axes.set_yticks(np.arange(len(order)) + 0.5, [classes[k] for k in order])
    axes.invert_yaxis()
    axes.set_xlabel('seconds')
    axes.set_title(title, parse_math=False)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    figure.colorbar(drawn, ax=axes, label='score')
    return pixels_of(figure)
