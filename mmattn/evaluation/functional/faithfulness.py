"""Does a map explain a model? What is made of scores of clips with parts taken away.

A map ranks units: frames, places, or places of each frame. Deletion takes them away
from the highest on and asks how fast the score falls; insertion gives them back in the
same order and asks how fast it rises (Petsiuk et al., RISE: randomized input sampling
for explanation of black-box models, section 4.3, there for pixels of images).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

VERDICTS = ('yes', 'no', 'misleads', 'too few videos')
NEGLIGIBLE = 1e-3  # a difference of scores below this is none


class Interval(NamedTuple):
    """A mean over videos and the interval that holds it.

    Args:
        mean: The mean.
        low: Lower end of the confidence interval, NaN of a single video.
        high: Upper end.
        videos: Number of videos.
    """

    mean: float
    low: float
    high: float
    videos: int


def removed_units(
    values: np.ndarray, steps: int, rng: np.random.Generator
) -> np.ndarray:
    """Take the units of a map away, from the highest on, in equal steps.

    Units of one value go in random order: a uniform map takes them away at random.

    Args:
        values: Value of each unit, of any shape, without NaN.
        steps: Number of steps; of fewer units, as many steps as units.
        rng: Draws the order of equal values.

    Returns:
        Which units are gone, bool (steps + 1, ...): none first, all last.

    Raises:
        ValueError: If there is no unit, no step or a value is NaN.

    Example:
        >>> values = np.array([0.1, 0.7, 0.2])
        >>> removed_units(values, 3, np.random.default_rng(0)).astype(int).tolist()
        [[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]]
    """
    values = np.asarray(values, dtype=float)
    if not values.size or steps < 1 or np.isnan(values).any():
        raise ValueError(
            f'expected values without NaN and one or more steps, got {values.size} '
            f'values and {steps} steps'
        )
    flat = values.ravel()
    order = np.lexsort((rng.random(flat.size), -flat))
    rank = np.empty(flat.size, dtype=int)
    rank[order] = np.arange(flat.size)
    steps = min(steps, flat.size)
    counts = np.round(np.linspace(0, flat.size, steps + 1)).astype(int)
    return (rank < counts[:, None]).reshape(steps + 1, *values.shape)


def area_under(shares: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under a curve by the trapezoidal rule.

    Args:
        shares: Share of units, ascending from 0 to 1.
        scores: Score at each.

    Shape:
        - shares, scores: (S,)

    Raises:
        ValueError: If the shares do not ascend from 0 to 1 or do not fit the scores.

    Example:
        >>> area_under(np.array([0, 0.5, 1]), np.array([1.0, 0.0, 0.0]))
        0.25
    """
    shares, scores = np.asarray(shares, float), np.asarray(scores, float)
    ends = shares.ndim == 1 and len(shares) > 1 and (shares[0], shares[-1]) == (0, 1)
    if not ends or shares.shape != scores.shape or (np.diff(shares) < 0).any():
        raise ValueError(
            f'expected shares ascending from 0 to 1 and a score for each, got {shares} '
            f'and {scores.shape}'
        )
    return float((np.diff(shares) * (scores[1:] + scores[:-1]) / 2).sum())


def mean_interval(values: Sequence[float], *, level: float = 0.95) -> Interval:
    """Return the mean over videos with its confidence interval, by Student's t.

    Args:
        values: One value for each video; those that are NaN are left out.
        level: Confidence, above 0 and below 1.

    Raises:
        ValueError: If the level is out of range.

    Example:
        >>> [round(x, 3) for x in mean_interval([0.1, 0.2, 0.3])]
        [0.2, -0.048, 0.448, 3]
    """
    if not 0 < level < 1:
        raise ValueError(f'level: expected above 0 and below 1, got {level}')
    found = np.asarray(values, float)
    found = found[~np.isnan(found)]
    if len(found) < 2:
        mean = float(found[0]) if len(found) else float('nan')
        return Interval(mean, float('nan'), float('nan'), len(found))
    mean = float(found.mean())
    error = found.std(ddof=1) / len(found) ** 0.5
    half = float(stdtrit(len(found) - 1, (1 + level) / 2) * error)
    return Interval(mean, mean - half, mean + half, len(found))


def verdict(gain: Interval, *, negligible: float = NEGLIGIBLE) -> str:
    """Say whether a map explains more than another one.

    Args:
        gain: What it gains over the other, see :func:`mean_interval`.
        negligible: A gain between minus this and this is none.

    Returns:
        ``'yes'`` if the whole interval is above ``negligible``, ``'misleads'`` if it is
        below ``-negligible``, ``'too few videos'`` without an interval, else ``'no'``.

    Example:
        >>> verdict(Interval(0.3, 0.1, 0.5, 9)), verdict(Interval(0.3, -0.1, 0.7, 3))
        ('yes', 'no')
    """
    yes, no, misleads, too_few = VERDICTS
    if np.isnan([gain.low, gain.high]).any():
        return too_few
    if gain.low > negligible:
        return yes
    return misleads if gain.high < -negligible else no


def rank_agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps of the same units.

    Args:
        first: Value of each unit.
        second: Value of each unit.

    Returns:
        -1 to 1; NaN if all values of a map are equal, so that it ranks nothing.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> rank_agreement(np.array([0.1, 0.2, 0.9]), np.array([1.0, 2.0, 3.0]))
        1.0
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape:
        raise ValueError(f'expected one shape, got {first.shape} and {second.shape}')
    return _correlation(_ranks(first), _ranks(second))


def sensitivity(values: np.ndarray, removed: np.ndarray, drops: np.ndarray) -> float:
    """Correlate what a map gives to random sets of units with what they are worth.

    Sensitivity-n of Ancona et al., Towards better understanding of gradient-based
    attribution methods for deep neural networks, for the n of the sets.

    Args:
        values: Value of each unit.
        removed: Which units each set takes away, bool.
        drops: How much the score falls without them.

    Shape:
        - values: (...)
        - removed: (S, ...)
        - drops: (S,)

    Returns:
        Pearson's correlation, -1 to 1; NaN if either side is constant.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> removed = np.eye(3, dtype=bool)
        >>> round(sensitivity(np.array([1.0, 2, 3]), removed, np.array([2.0, 4, 6])), 6)
        1.0
    """
    values, removed = np.asarray(values, float), np.asarray(removed, bool)
    if removed.shape[1:] != values.shape or np.shape(drops) != (len(removed),):
        raise ValueError(
            f'expected sets of the units {values.shape} and a drop for each, got '
            f'{removed.shape} and {np.shape(drops)}'
        )
    given = (removed * values).reshape(len(removed), -1).sum(axis=1)
    return _correlation(given, np.asarray(drops, float))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values at the mean of theirs, (N,)."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[where.ravel()]


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    for side in (first, second):
        if np.ptp(side) <= 1e-9 * np.abs(side).max():  # rounding is no difference
            return float('nan')
    return float(np.corrcoef(first, second)[0, 1])
