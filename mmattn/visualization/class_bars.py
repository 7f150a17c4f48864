"""Bars of the frame-AP of every class, for one or more runs."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from mmattn.evaluation.functional.frame_map import GROUPS, FrameAPs
from mmattn.visualization.text import pixels_of

INCHES_PER_CLASS = 0.25


def draw_class_bars(runs: Mapping[str, FrameAPs]) -> np.ndarray:
    """Draw the frame-AP of each class, runs side by side.

    Follows Fig. 3 of Spatio-temporal SlowFast self-attention network for action
    recognition. Classes are in the order of their groups, and in each group from the
    highest AP of the first run to the lowest.

    Args:
        runs: What :func:`~mmattn.evaluation.frame_aps` returned, by the name of the
            run.

    Returns:
        The picture :math:`(H, W, 3)`, RGB, uint8.

    Raises:
        ValueError: If there are no runs, or they differ in their classes.

    Example:
        >>> names = {1: 'bend', 12: 'stand'}
        >>> runs = {'ours': FrameAPs(names, {1: 0.2, 12: 0.7})}
        >>> draw_class_bars(runs).shape
        (480, 600, 3)
    """
    if not runs:
        raise ValueError('expected at least one run, got none')
    first = next(iter(runs.values()))
    for name, run in runs.items():
        if run.aps.keys() != first.aps.keys():
            only = sorted(run.aps.keys() ^ first.aps.keys())
            raise ValueError(
                f'expected the classes of {next(iter(runs))} in {name}, got {only} in '
                'one only'
            )
    order = [
        label
        for labels in GROUPS.values()
        for label in sorted(first.aps, key=lambda label: -first.aps[label])
        if label in labels
    ]
    figure = Figure(figsize=(max(6.0, INCHES_PER_CLASS * len(order)), 4.8), dpi=100)
    axes = figure.add_subplot()
    places, width = np.arange(len(order)), 0.8 / len(runs)
    for k, (name, run) in enumerate(runs.items()):
        shift = (k - (len(runs) - 1) / 2) * width
        heights = [100 * run.aps[label] for label in order]
        label = f'{name} (mean {100 * run.mean:.1f})'
        axes.bar(places + shift, heights, width, label=label)
    for labels in GROUPS.values():  # a line before each group but the first
        start = next((n for n, label in enumerate(order) if label in labels), 0)
        if start:
            axes.axvline(start - 0.5, color='gray', linewidth=0.8)
    axes.set_xticks(places, [first.names[label] for label in order], rotation=90)
    axes.set_ylabel('frame-AP (%)')
    axes.set_xlim(-0.6, len(order) - 0.4)
    axes.legend()
    figure.tight_layout()
    return pixels_of(figure)
