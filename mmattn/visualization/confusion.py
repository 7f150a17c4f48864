"""Picture of a confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure


def draw_confusion(matrix: np.ndarray, *, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix, large enough for its labels.

    Each row is divided by its sum: the color of a cell is the share of the videos of
    the row's class that are taken for the column's. The host's plot does not run under
    numpy 2 without warnings.

    Args:
        matrix: Numbers of videos, (K, K), true classes in rows.
        classes: Names of the K classes.

    Raises:
        ValueError: If there is not one name per class.

    Example:
        >>> figure = draw_confusion(np.eye(2), classes=['run', 'walk'])
        >>> figure.axes[0].get_xlabel()
        'predicted class'
    """
    if len(classes) != len(matrix):
        raise ValueError(
            f'classes: expected {len(matrix)} names, one per class, got {len(classes)}'
        )
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(5.0, 0.14 * len(matrix))  # inches
    figure = Figure(figsize=(side, side))
    axes = figure.add_subplot()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap='viridis')
    figure.colorbar(image, ax=axes, shrink=0.8)
    places = range(len(classes))
    axes.set_xticks(places, classes, fontsize=7, rotation=90)
    axes.set_yticks(places, classes, fontsize=7)
    axes.set_xlabel('predicted class')
    axes.set_ylabel('true class')
    return figure
