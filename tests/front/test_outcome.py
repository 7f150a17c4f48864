"""Accuracies of a few videos, with what they cannot tell."""

from collections import Counter

import numpy as np
import pytest

from mmattn.evaluation import Scores
from mmattn.front.outcome import judge, wilson_interval


def scores_of(predicted, labels):
    rows = np.eye(3)[predicted]
    names = tuple(f'v{k}' for k in range(len(labels)))
    return Scores('test', names, rows, np.array(labels))


@pytest.mark.parametrize(
    'right, count, low, high',
    [  # solved from |p - share| = z sqrt(p (1 - p) / n), in another program
        (0, 10, 0.0, 0.2775),
        (9, 12, 0.4677, 0.9111),
        (12, 12, 0.7575, 1.0),
    ],
)
def test_wilson(right, count, low, high):
    found = wilson_interval(right, count)
    assert found == pytest.approx((low, high), abs=1e-4)
    for p in found:
        if 0 < p < 1:  # the ends are where the share is just z deviations away
            z = abs(p - right / count) / np.sqrt(p * (1 - p) / count)
            assert z == pytest.approx(1.95996, abs=1e-4)


def test_beside_the_most_frequent_class():
    labels = [0] * 8 + [1] * 2
    outcome = judge(scores_of(labels, labels), Counter(a=30, b=9), ['a', 'b', 'c'])
    assert (outcome.right, outcome.accuracy, outcome.frequent_share) == (10, 1.0, 0.8)
    text = str(outcome)
    assert 'accuracy 100.0 % (10 of 10 videos; 95 % interval 72 to 100 %)' in text
    assert 'the most frequent class, a, alone would give 80.0 %' in text
    assert text.endswith('so few videos cannot tell the two apart')


def test_the_class_that_is_frequent_in_training_counts():
    outcome = judge(scores_of([1] * 9, [1] * 9), Counter(a=3, b=2), ['a', 'b', 'c'])
    assert outcome.frequent_share == 0
    assert 'tell the two apart' not in str(outcome)
