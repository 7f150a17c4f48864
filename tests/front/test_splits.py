"""Which videos are held out."""

from collections import Counter
from pathlib import Path

import pytest

from mmattn.front.splits import split_videos
from mmattn.prepare.own_videos import Clip


def clips_of(counts, groups=()):
    clips = [
        Clip(Path(f'{label}/{k}.mp4'), label)
        for label, count in counts.items()
        for k in range(count)
    ]
    if groups:
        clips = [Clip(c.path, c.label, groups[k]) for k, c in enumerate(clips)]
    return clips


def parts(clips, **options):
    parted, text = split_videos(clips, **options)
    assert [clip.path for clip in parted] == [clip.path for clip in clips]
    return [clip.part for clip in parted], text


def test_the_same_share_of_each_class():
    clips = clips_of(dict(a=20, b=8, c=2))
    found, text = parts(clips, share=0.25)
    held = Counter(
        c.label for c, part in zip(clips, found, strict=True) if part == 'test'
    )
    assert held == dict(a=5, b=2, c=1)
    assert 'split by class, seed 0: 22 videos to train, 8 to test' in text
    assert 'column' in text


def test_a_seed_is_a_split():
    clips = clips_of(dict(a=20, b=20))
    assert parts(clips, seed=3) == parts(clips, seed=3)
    assert parts(clips, seed=3)[0] != parts(clips, seed=4)[0]


def test_groups_stay_together_and_classes_on_both_sides():
    groups = [f'g{k % 5}' for k in range(30)]
    clips = clips_of(dict(a=10, b=10, c=10), groups)
    for seed in range(5):
        found, text = parts(clips, seed=seed)
        sides = {clip.group: set() for clip in clips}
        for clip, part in zip(clips, found, strict=True):
            sides[clip.group].add(part)
        assert all(len(side) == 1 for side in sides.values())
        assert found.count('test') == 6
        for part in ('train', 'test'):
            labels = {c.label for c, p in zip(clips, found, strict=True) if p == part}
            assert labels == {'a', 'b', 'c'}
        assert 'split by group' in text


def test_given_parts_are_kept():
    clips = [
        Clip(Path('1'), 'a', part='train'),
        Clip(Path('2'), 'b', part='train'),
        Clip(Path('3'), 'b', part='test'),
    ]
    found, text = parts(clips)
    assert found == ['train', 'train', 'test']
    assert '2 to train, 1 to test' in text


@pytest.mark.parametrize(
    'clips, message',
    [
        (clips_of(dict(a=5)), 'expected two classes or more, got a alone'),
        (clips_of(dict(a=5, b=1, c=1)), 'got one of b, c$'),
        (clips_of(dict(a=2, b=2), 'xxxx'), "two groups or more, got 'x' alone"),
        (clips_of(dict(a=2, b=2), 'xxyy'), 'got 2 groups of 4 videos'),
        (
            [Clip(Path('1'), 'a', part='train'), Clip(Path('2'), 'b', part='test')],
            'of each class in train, got none of b',
        ),
        (
            [Clip(Path('1'), 'a', part='train'), Clip(Path('2'), 'b', part='train')],
            'in val, got none',
        ),
    ],
)
def test_no_split(clips, message):
    with pytest.raises(ValueError, match=message):
        split_videos(clips)


def test_share_out_of_range():
    with pytest.raises(ValueError, match=r'share: .* got 1'):
        split_videos(clips_of(dict(a=2, b=2)), share=1)
