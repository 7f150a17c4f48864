"""Which videos are held out for the test."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mmattn.prepare.own_videos import Clip
from mmattn.utils.text import few

SHARE = 0.25
DRAWS = 200
ADVICE = (
    'clips of one recording on both sides make figures too good: if there are such, '
    'say so by a csv with the columns path, label and group'
)


def split_videos(
    clips: Sequence[Clip], *, share: float = SHARE, seed: int = 0
) -> tuple[list[Clip], str]:
    """Say of each video whether it is for training or for the test.

    What the data say is kept. Otherwise whole groups are held out where videos have
    groups, and else the same share of each class.

    Args:
        clips: Videos.
        share: Share of the videos to hold out, between 0 and 1.
        seed: Seed of the draw.

    Returns:
        The videos in the same order, each with its ``part``, and a sentence that says
        what was done.

    Raises:
        ValueError: If there are fewer than two classes, or no split has each class on
            the training side and a video on the test side.
    """
    counts = class_counts(clips)
    if len(counts) < 2:
        raise ValueError(f'expected two classes or more, got {few(list(counts))} alone')
    if not 0 < share < 1:
        raise ValueError(f'share: expected a number between 0 and 1, got {share}')
    if any(clip.part for clip in clips):
        return _given(clips)
    if any(clip.group for clip in clips):
        return _by_group(clips, share, seed)
    return _by_class(clips, share, seed)


def class_counts(clips: Iterable[Clip]) -> Counter[str]:
    """Count the videos of each class."""
    return Counter(clip.label for clip in clips)


def _given(clips: Sequence[Clip]) -> tuple[list[Clip], str]:
    train = class_counts(clip for clip in clips if clip.part == 'train')
    missing = sorted(set(class_counts(clips)) - set(train))
    if missing:
        raise ValueError(
            f'expected videos of each class in train, got none of {few(missing)}'
        )
    held_out = sum(clip.part == 'test' for clip in clips)
    if not held_out:
        raise ValueError('expected readable videos in val, got none')
    text = (
        f'split as the folders say: {sum(train.values())} to train, {held_out} to test'
    )
    return list(clips), text


def _by_group(clips: Sequence[Clip], share: float, seed: int) -> tuple[list[Clip], str]:
    members = defaultdict(list)
    for clip in clips:
        members[clip.group].append(clip)
    names = sorted(members)
    if len(names) < 2:
        raise ValueError(
            f'expected two groups or more, got {names[0]!r} alone; leave the column '
            'group out to split by class'
        )
    rng, classes = random.Random(seed), set(class_counts(clips))
    best: tuple[int, list[str]] | None = None
    for _ in range(DRAWS):
        held = _drawn(rng.sample(names, len(names)), members, share * len(clips))
        trained = {c.label for name in names if name not in held for c in members[name]}
        if trained != classes:
            continue
        tested = {clip.label for name in held for clip in members[name]}
        if best is None or len(tested) > best[0]:
            best = len(tested), held
        if tested == classes:
            break
    if best is None:
        raise ValueError(
            f'expected groups of which some can be held out while each class is still '
            f'trained, got {len(names)} groups of {len(clips)} videos; more groups, or '
            'none, would do'
        )
    held = sorted(best[1])
    parted = [
        replace(clip, part='test' if clip.group in held else 'train') for clip in clips
    ]
    count = sum(clip.part == 'test' for clip in parted)
    text = (
        f'split by group, seed {seed}: {len(clips) - count} videos of '
        f'{len(names) - len(held)} groups to train, {count} of {len(held)} to test '
        f'({few(held)})'
    )
    return parted, text


def _drawn(order: Sequence[str], members: dict[str, list[Clip]], wanted: float) -> list:
    """Groups in this order until they have about as many videos as wanted."""
    held: list[str] = []
    count = 0
    for name in order[:-1]:
        size = len(members[name])
        if held and abs(count + size - wanted) >= abs(count - wanted):
            break
        held.append(name)
        count += size
    return held


def _by_class(clips: Sequence[Clip], share: float, seed: int) -> tuple[list[Clip], str]:
    of_class = defaultdict(list)
    for index, clip in enumerate(clips):
        of_class[clip.label].append(index)
    alone = sorted(label for label, indices in of_class.items() if len(indices) < 2)
    if alone:
        raise ValueError(
            'expected two videos or more of each class, one to train and one to test, '
            f'got one of {few(alone)}'
        )
    rng, held = random.Random(seed), set()
    for label in sorted(of_class):
        indices = of_class[label]
        count = min(max(1, round(share * len(indices))), len(indices) - 1)
        held |= set(rng.sample(indices, count))
    parted = [
        replace(clip, part='test' if index in held else 'train')
        for index, clip in enumerate(clips)
    ]
    text = (
        f'split by class, seed {seed}: {len(clips) - len(held)} videos to train, '
        f'{len(held)} to test; {ADVICE}'
    )
    return parted, text
