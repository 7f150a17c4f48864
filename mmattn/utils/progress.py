"""Progress bars that serve terminals and log files alike."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN_LOG_LINES = 10


def progress_bar(
    items: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    description: str | None = None,
    unit: str = 'it',
    shown: bool = True,
) -> tqdm:
    """Return a tqdm bar that is redrawn smoothly on a terminal and seldom in a file.

    Args:
        items: What to go through; without it call ``update`` of the bar.
        total: Number of items, where ``items`` has no length.
        description: Text in front of the bar.
        unit: Name of one item.
        shown: Whether to show anything.

    Example:
        >>> sum(progress_bar([1, 2, 3], shown=False))
        6
    """
    on_terminal = sys.stderr.isatty()
    return tqdm(
        items,
        total=total,
        desc=description,
        unit=unit,
        disable=not shown,
        mininterval=0.1 if on_terminal else SECONDS_BETWEEN_LOG_LINES,
        miniters=None if on_terminal else 1,
        ncols=None if on_terminal else 80,
    )
