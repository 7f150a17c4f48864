"""Deletion and insertion of each map of one video."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mmattn.attention.maps import AttentionMap
from mmattn.evaluation.functional.faithfulness import (
    area_under,
    rank_agreement,
    removed_units,
    sensitivity,
)
from mmattn.explain.clips import ScoredClip
from mmattn.explain.maps import REDRAWN, MapSource, redrawn
from mmattn.explain.remembered import remembered_frames
from mmattn.explain.replacements import REPLACEMENTS, Replacer
from mmattn.explain.units import (
    OVERS,
    Over,
    center_values,
    unit_shape,
    unit_values,
)
from mmattn.utils.arguments import require_choice
from mmattn.visualization.heat_overlay import WHOLE

RANDOM, CENTER = 'random', 'center'
SET_SHARE = 4  # one unit in so many is in a set of sensitivity-n
MIN_FRAMES = 2


class FaithfulnessOptions(NamedTuple):
    """How faithfulness is measured.

    Args:
        overs: What is taken away: some of ``'space'``, ``'time'`` and ``'both'``.
        replace: What stands in its place, see
            :class:`~mmattn.explain.replacements.Replacer`.
        steps: Steps of each curve.
        randoms: Random maps that each map is compared with.
        cells: Cells along the shorter side of a frame.
        sets: Random sets of units for the sensitivity, 0 for none.
        redraw: Whether to draw the weights anew and compare the maps.
        seed: Of all that is random.
    """

    overs: Sequence[Over] = OVERS
    replace: str = 'blur'
    steps: int = 10
    randoms: int = 3
    cells: int = 7
    sets: int = 24
    redraw: bool = True
    seed: int = 0

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: Naming it.
        """
        for over in self.overs:
            require_choice('over', over, OVERS)
        require_choice('replace', self.replace, REPLACEMENTS)
        for name, least in dict(steps=1, randoms=1, cells=1, sets=0).items():
            if getattr(self, name) < least:
                raise ValueError(
                    f'{name}: expected at least {least}, got {getattr(self, name)}'
                )


class Curves(NamedTuple):
    """Scores while units are taken away, and while they are given back.

    Args:
        shares: Share of the units, from 0 to 1, (S + 1,).
        deletion: Score without that share, the highest first.
        insertion: Score with that share alone, the highest first.
    """

    shares: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve; low is good."""
        return area_under(self.shares, self.deletion)

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve; high is good."""
        return area_under(self.shares, self.insertion)

    @property
    def gain(self) -> float:
        """Insertion less deletion, -1 to 1; about 0 for a random map."""
        return self.insertion_area - self.deletion_area


@dataclass
class MapResult:
    """What one map of one video shows over one kind of units.

    Args:
        values: Value of each unit.
        curves: Its curves.
        uniform: Whether the map is uniform, see
            :func:`mmattn.attention.maps.is_uniform`.
        sensitivity: Correlation of what it gives to sets of units with their worth.
        redrawn: Agreement with the map after drawing weights anew.
    """

    values: np.ndarray
    curves: Curves
    uniform: bool = False
    sensitivity: float = float('nan')
    redrawn: dict[str, float] = field(default_factory=dict)


@dataclass
class VideoResult:
    """What all maps of one video show.

    Args:
        video: Its name.
        class_index: The class explained.
        score: Its probability.
        maps: By what is taken away and name of the map.
        randoms: Curves of the random maps, by what is taken away.
    """

    video: str
    class_index: int
    score: float
    maps: dict[tuple[Over, str], MapResult]
    randoms: dict[Over, list[Curves]]

    def random_gain(self, over: Over) -> float:
        """Mean gain of the random maps.

        Args:
            over: What is taken away.
        """
        return float(np.mean([curves.gain for curves in self.randoms[over]]))


def measure(
    clip: ScoredClip,
    sources: Mapping[str, MapSource],
    options: FaithfulnessOptions,
    *,
    name: str = '',
    number: int = 0,
) -> VideoResult:
    """Measure the maps of one video.

    Args:
        clip: The video.
        sources: What makes its maps, by method.
        options: How.
        name: Name of the video.
        number: Its number: each video has random maps of its own.

    Raises:
        ValueError: If an option is wrong, the clip has one frame where frames are taken
            away, or two maps have one name.
    """
    options.check()
    rng = np.random.default_rng([options.seed, number])
    replacer = Replacer(clip.frames, options.replace, seed=options.seed)
    maps = maps_of(clip, sources)
    others = _redrawn_maps(clip, sources, options) if options.redraw else {}
    result = VideoResult(name, clip.class_index, clip.score, {}, {})
    for over in options.overs:
        if over != 'space' and len(clip.numbers) < MIN_FRAMES:
            continue
        same = remembered_frames(clip.model) if over == 'time' else nullcontext()
        with same:
            _measure_over(over, result, clip, maps, others, options, replacer, rng)
    return result


def _measure_over(
    over: Over,
    result: VideoResult,
    clip: ScoredClip,
    maps: Mapping[str, AttentionMap],
    others: Mapping[str, Mapping[str, AttentionMap]],
    options: FaithfulnessOptions,
    replacer: Replacer,
    rng: np.random.Generator,
) -> None:
    """Add what is found over one kind of units."""
    count, grid = len(clip.numbers), cell_grid(clip, options.cells)
    shape = unit_shape(over, count, grid)
    result.randoms[over] = [
        curves_of(clip, replacer, rng.random(shape), options.steps, rng)
        for _ in range(options.randoms)
    ]
    sets = _random_sets(shape, options.sets, rng)
    drops = clip.score - clip.scores([replacer(one) for one in sets])
    center = center_values(over, count, grid)
    for map_name, attention in {CENTER: None, **maps}.items():
        values = center if attention is None else values_of(clip, attention, over, grid)
        if values is None:
            continue
        found = MapResult(
            values,
            curves_of(clip, replacer, values, options.steps, rng),
            uniform=attention is not None and map_is_uniform(attention, over),
            sensitivity=sensitivity(values, sets, drops) if len(sets) else np.nan,
        )
        for what, changed in others.items():
            if map_name in changed:
                second = values_of(clip, changed[map_name], over, grid)
                if second is not None:
                    found.redrawn[what] = rank_agreement(values, second)
        result.maps[over, map_name] = found


def curves_of(
    clip: ScoredClip,
    replacer: Replacer,
    values: np.ndarray,
    steps: int,
    rng: np.random.Generator,
) -> Curves:
    """Take the units of a map away, and give them back.

    Args:
        clip: The clip.
        replacer: What stands in their place.
        values: Value of each unit.
        steps: Number of steps.
        rng: Draws the order of equal values.
    """
    removed = removed_units(values, steps, rng)
    shares = removed.reshape(len(removed), -1).mean(axis=1)
    deletion = clip.scores([replacer(gone) for gone in removed])
    middle = clip.scores([replacer(~gone) for gone in removed[1:-1]])
    insertion = np.array([deletion[-1], *middle, deletion[0]])
    return Curves(shares, deletion, insertion)


def cell_grid(clip: ScoredClip, cells: int) -> tuple[int, int]:
    """Rows and columns of about square cells.

    Args:
        clip: The clip.
        cells: Cells along the shorter side.
    """
    height, width = clip.frames.shape[-2:]
    side = min(height, width) / cells
    return max(1, round(height / side)), max(1, round(width / side))


def maps_of(
    clip: ScoredClip, sources: Mapping[str, MapSource]
) -> dict[str, AttentionMap]:
    """Return the maps of a clip by name.

    Args:
        clip: The clip.
        sources: What makes them.

    Raises:
        ValueError: If two have one name.
    """
    found: dict[str, AttentionMap] = {}
    for source in sources.values():
        for attention in source(clip):
            if attention.name in (*found, RANDOM, CENTER):
                raise ValueError(
                    f'maps: expected different names, got {attention.name!r}'
                )
            found[attention.name] = attention
    return found


def values_of(
    clip: ScoredClip, attention: AttentionMap, over: Over, grid: tuple[int, int]
) -> np.ndarray | None:
    """Values of a clip's units, see :func:`~mmattn.explain.units.unit_values`.

    Args:
        clip: The clip.
        attention: The map.
        over: What a unit is.
        grid: Rows and columns of cells.
    """
    box = WHOLE if attention.roi is None else clip.seen.regions()[attention.roi]
    height, width = clip.frames.shape[-2:]
    return unit_values(
        attention, clip.numbers, over=over, size=(height, width), grid=grid, box=box
    )


def map_is_uniform(attention: AttentionMap, over: Over) -> bool:
    """Say whether a map is uniform in what is taken away.

    Args:
        attention: The map.
        over: What a unit is.
    """
    places, frames = attention.uniform_in_space, attention.uniform_in_time
    return dict(space=places, time=frames, both=places and frames)[over]


def _random_sets(
    shape: tuple[int, ...], sets: int, rng: np.random.Generator
) -> np.ndarray:
    """Random sets of a quarter of the units, bool (S, ...)."""
    size = int(np.prod(shape))
    count = max(1, size // SET_SHARE)
    ranks = rng.random((sets, size)).argsort(axis=1).argsort(axis=1)
    return (ranks < count).reshape(sets, *shape)


def _redrawn_maps(
    clip: ScoredClip, sources: Mapping[str, MapSource], options: FaithfulnessOptions
) -> dict[str, dict[str, AttentionMap]]:
    found = {}
    for what in REDRAWN:
        other = clip.with_model(redrawn(clip.model, what, seed=options.seed))
        found[what] = maps_of(other, sources)
    return found
