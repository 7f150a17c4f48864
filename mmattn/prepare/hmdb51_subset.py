"""Lists of a part of HMDB51's classes, from the official files of its splits."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from mmattn.utils.arguments import require_choice
from mmattn.utils.text import read_lines

# The first ten; with cartwheel and brush_hair, the two that the report names.
TEN_CLASSES = (
    'brush_hair',
    'cartwheel',
    'catch',
    'chew',
    'clap',
    'climb',
    'climb_stairs',
    'dive',
    'draw_sword',
    'dribble',
)
REPORT_SIZES = (730, 220, 78)  # videos for training, validation and test
POOLS = ('official', 'all')

Lists = dict[str, list[tuple[str, int]]]


def read_split(path: str | Path) -> dict[str, int]:
    """Read a file such as ``cartwheel_test_split1.txt``.

    Args:
        path: File with lines ``<video> <use>``.

    Returns:
        Use of each video: 1 for training, 2 for test, 0 for neither.

    Raises:
        ValueError: If the file is missing or malformed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"expected HMDB51's file of a split, got no file {path}")
    uses = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        name, _, use = line.strip().rpartition(' ')
        if not name or use not in ('0', '1', '2'):
            raise ValueError(
                f"{path}, line {number}: expected '<video> <0, 1 or 2>', got {line!r}"
            )
        uses[name.strip()] = int(use)
    return uses


def subset_lists(
    annotations: str | Path,
    *,
    classes: Sequence[str] = TEN_CLASSES,
    split: int = 1,
    pool: str = 'official',
    sizes: Sequence[int] = REPORT_SIZES,
    seed: int = 0,
) -> Lists:
    """Divide the videos of some classes into training, validation and test.

    With ``pool='official'`` training has the training videos of the split, and its test
    videos are divided between validation and test in the ratio of ``sizes[1:]``: clips
    of one source video, which the split keeps together, are then never in training and
    elsewhere too. ``'all'`` divides all videos of the classes in the ratio of ``sizes``
    at random, which is nearest to the report's counts and mixes such clips.  Both
    divide each class on its own, so that every list has all classes.

    Args:
        annotations: Folder of the official files.
        classes: Names of the classes; the index is the label.
        split: Number of the split, 1 to 3.
        pool: ``'official'`` or ``'all'``.
        sizes: Videos of training, validation and test, of which the ratio counts.
        seed: Seed of the division.

    Returns:
        Pairs (``class/video``, label) under 'train', 'val' and 'test'.

    Raises:
        ValueError: If an option is out of range or a file is missing or malformed.
    """
    require_choice('pool', pool, POOLS)
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f'sizes: expected three positive numbers, got {sizes}')
    if not classes or len(set(classes)) != len(classes):
        raise ValueError(f'classes: expected different names, got {list(classes)}')
    lists: Lists = {'train': [], 'val': [], 'test': []}
    for label, name in enumerate(classes):
        path = Path(annotations) / f'{name}_test_split{split}.txt'
        uses = read_split(path)
        if pool == 'all':
            parts = _divided(sorted(uses), sizes, f'{seed} {name}')
        else:
            train, held_out = ([v for v in uses if uses[v] == use] for use in (1, 2))
            parts = [train, *_divided(sorted(held_out), sizes[1:], f'{seed} {name}')]
        for key, videos in zip(lists, parts, strict=True):
            lists[key] += [(f'{name}/{video}', label) for video in sorted(videos)]
    return lists


def _divided(videos: list[str], sizes: Sequence[int], seed: str) -> list[list[str]]:
    """Shuffle and cut into parts in the ratio of ``sizes``."""
    videos = random.Random(seed).sample(videos, len(videos))
    ends = [round(len(videos) * sum(sizes[:n]) / sum(sizes)) for n in range(len(sizes))]
    ends.append(len(videos))
    return [videos[a:b] for a, b in pairwise(ends)]
