"""Lists of the same videos in different orders."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class VideoList(Protocol):
    """Named videos with their labels, such as a data set or the scores of one."""

    @property
    def name(self) -> str:
        """Where they come from, for messages."""

    @property
    def video_ids(self) -> Sequence[str]:
        """One name per video, unique."""

    @property
    def labels(self) -> Any:
        """Label of each video, or its labels: a list or an array."""


def align_videos(other: VideoList, first: VideoList) -> list[int]:
    """Find the videos of one list in another, after checking that the lists agree.

    Args:
        other: List to look in.
        first: List whose order counts.

    Returns:
        Position in ``other`` of each video of ``first``.

    Raises:
        ValueError: If videos or labels differ, naming the first difference.

    Example:
        >>> from types import SimpleNamespace as Videos
        >>> first = Videos(name='a', video_ids=['x', 'y'], labels=[0, 1])
        >>> other = Videos(name='b', video_ids=['y', 'x'], labels=[1, 0])
        >>> align_videos(other, first)
        [1, 0]
    """
    index = {video_id: i for i, video_id in enumerate(other.video_ids)}
    if index.keys() != set(first.video_ids):
        only = sorted(index.keys() ^ set(first.video_ids))
        raise ValueError(
            f'expected the same videos in {first.name} and {other.name}, got '
            f'{len(only)} in one only, such as {only[0]}'
        )
    order = [index[video_id] for video_id in first.video_ids]
    for video, position, label in zip(
        first.video_ids, order, first.labels, strict=True
    ):
        if not np.array_equal(other.labels[position], label):
            raise ValueError(
                f'expected the same labels in {first.name} and {other.name}, got '
                f'different ones for {video}'
            )
    return order
