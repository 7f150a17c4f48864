"""Curves, areas, intervals and correlations by hand, and their limits."""

import numpy as np
import pytest
from scipy import stats

from mmattn.evaluation import (
    Interval,
    area_under,
    mean_interval,
    rank_agreement,
    removed_units,
    sensitivity,
    verdict,
)


def test_units_go_from_the_highest_on():
    values = np.array([[0.3, 0.9, 0.1], [0.5, 0.7, 0.2]])
    removed = removed_units(values, 3, np.random.default_rng(0))
    assert removed.astype(int).tolist() == [
        [[0, 0, 0], [0, 0, 0]],
        [[0, 1, 0], [0, 1, 0]],
        [[1, 1, 0], [1, 1, 0]],
        [[1, 1, 1], [1, 1, 1]],
    ]


def test_equal_values_go_in_random_order():
    """Else a uniform map would look at the first frames."""
    first = [
        int(removed_units(np.ones(5), 5, np.random.default_rng(seed))[1].argmax())
        for seed in range(500)
    ]
    counts = np.bincount(first, minlength=5)
    assert counts.min() > 60  # 100 expected, standard deviation 9


@pytest.mark.parametrize('steps, shares', [(2, [0, 2, 3]), (9, [0, 1, 2, 3])])
def test_steps(steps, shares):
    removed = removed_units(np.arange(3), steps, np.random.default_rng(0))
    assert removed.sum(axis=1).tolist() == shares


@pytest.mark.parametrize('values, steps', [([], 3), ([1.0], 0), ([1, np.nan], 2)])
def test_bad_units(values, steps):
    with pytest.raises(ValueError, match=r'expected values without NaN .* steps, got'):
        removed_units(np.array(values), steps, np.random.default_rng(0))


def test_area_by_hand():
    # trapezoids 0.2 * (1 + 0.6) / 2 and 0.8 * (0.6 + 0.1) / 2
    assert area_under([0, 0.2, 1], [1, 0.6, 0.1]) == pytest.approx(0.44)
    assert area_under(np.linspace(0, 1, 8), np.full(8, 0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize(
    'shares, scores', [([0, 0.5], [1, 1]), ([0, 0.7, 0.6, 1], [0] * 4), ([0, 1], [1])]
)
def test_bad_areas(shares, scores):
    with pytest.raises(ValueError, match=r'ascending from 0 to 1 .* got'):
        area_under(shares, scores)


def test_interval_is_that_of_students_t():
    values = np.random.default_rng(0).normal(size=7)
    expected = stats.t.interval(
        0.9, 6, loc=values.mean(), scale=values.std(ddof=1) / 7**0.5
    )
    found = mean_interval([*values, np.nan], level=0.9)
    assert found.videos == 7
    assert (found.low, found.high) == pytest.approx(expected)
    assert np.isnan(mean_interval([0.5]).low)
    assert mean_interval([0.5]).mean == 0.5
    assert np.isnan(mean_interval([]).mean)
    with pytest.raises(ValueError, match='level: expected above 0 and below 1, got 95'):
        mean_interval([1, 2], level=95)


@pytest.mark.parametrize(
    'low, high, expected',
    [
        (0.1, 0.2, 'yes'),
        (0.0, 0.2, 'no'),
        (-0.2, -0.1, 'misleads'),
        (1e-4, 2e-4, 'no'),  # of rounding
        (-2e-4, -1e-4, 'no'),
        (np.nan, np.nan, 'too few videos'),
    ],
)
def test_verdict(low, high, expected):
    assert verdict(Interval((low + high) / 2, low, high, 5)) == expected


def test_rank_agreement_is_spearmans():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (3, 7)), rng.integers(0, 5, (3, 7))
    expected = stats.spearmanr(first.ravel(), second.ravel()).statistic
    assert rank_agreement(first, second) == pytest.approx(expected)
    assert rank_agreement(first, -3.0 * first) == pytest.approx(-1)
    assert np.isnan(rank_agreement(first, np.ones((3, 7))))
    with pytest.raises(ValueError, match=r'one shape, got \(3, 7\) and \(2,\)'):
        rank_agreement(first, np.ones(2))


def test_sensitivity_by_hand():
    removed = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=bool)
    values = np.array([1.0, 2.0, 4.0])  # sums 3, 6, 5
    drops = np.array([0.1, 0.4, 0.1])
    expected = np.corrcoef([3, 6, 5], drops)[0, 1]
    assert sensitivity(values, removed, drops) == pytest.approx(expected)
    assert np.isnan(sensitivity(np.ones(3), removed, drops))
    assert np.isnan(sensitivity(values, removed, np.zeros(3)))
    with pytest.raises(ValueError, match=r'sets of the units \(3,\)'):
        sensitivity(values, removed[:, :2], drops)
