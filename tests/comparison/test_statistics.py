"""Means over clips whose groups depend on each other."""

import math

import numpy as np
import pytest
from scipy import stats

from mmattn.comparison.statistics import grouped_mean


def literal(values, groups):
    """Sum over all pairs of clips of one group, in float64."""
    N, G = len(values), len(set(groups))
    mean = sum(values) / N
    variance = sum(
        (values[i] - mean) * (values[j] - mean)
        for i in range(N)
        for j in range(N)
        if groups[i] == groups[j]
    )
    return mean, math.sqrt(G / (G - 1) * variance) / N


def test_values():
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=23), rng.integers(0, 7, 23)
    found = grouped_mean(values, groups)
    mean, error = literal(values, groups)
    assert found.mean == pytest.approx(mean, rel=1e-12)
    assert found.error == pytest.approx(error, rel=1e-12)
    reach = stats.t.interval(0.95, 6, loc=mean, scale=error)
    assert (found.low, found.high) == pytest.approx(reach, rel=1e-12)


def test_clips_of_their_own_give_the_usual_error():
    values = np.array([1.0, 0, 0, 1, 1, 0, 1])
    found = grouped_mean(values, np.arange(7))
    assert found.error == pytest.approx(stats.sem(values), rel=1e-12)


def test_copies_of_clips_in_their_groups_change_nothing():
    rng = np.random.default_rng(1)
    values, groups = rng.normal(size=11), np.arange(11) % 5
    twice = grouped_mean(np.repeat(values, 2), np.repeat(groups, 2))
    assert twice.error == pytest.approx(grouped_mean(values, groups).error, rel=1e-12)


def test_coverage_with_dependent_clips():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(10), 6)
    inside = 0
    for _ in range(400):
        values = rng.normal(size=10)[groups] + rng.normal(size=60)
        found = grouped_mean(values, groups)
        inside += found.low <= 0 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_one_group_measures_nothing():
    found = grouped_mean(np.ones(3), np.zeros(3))
    assert not found.measured
    assert math.isnan(found.error)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r'one number of each for every clip, got'):
        grouped_mean(np.ones(3), np.zeros(2))
