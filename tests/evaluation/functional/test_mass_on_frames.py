"""Share of attention on the frames that carry the action."""

import numpy as np
import pytest

from mmattn.evaluation import mass_on_frames


def test_mass_by_hand():
    weights = np.array([0.1, 0.4, 0.2, 0.3, 0.0])
    key = np.array([False, True, False, True, False])
    mass, uniform = mass_on_frames(weights, key)
    assert mass == pytest.approx(0.7)
    assert uniform == pytest.approx(0.4)
    assert mass_on_frames(weights * 9, key)[0] == pytest.approx(0.7)


def test_uniform_weights_give_the_uniform_share():
    key = np.arange(11) % 3 == 0
    mass, uniform = mass_on_frames(np.ones(11), key)
    assert mass == pytest.approx(uniform) == pytest.approx(4 / 11)


@pytest.mark.parametrize(
    'weights, key, message',
    [
        ([1, 2], [True], r'expected weights and key of one shape \(F,\)'),
        ([[1, 2]], [[True, False]], 'of one shape'),
        ([0, 0], [True, False], 'expected weights with a positive sum, got 0'),
    ],
)
def test_bad_arguments(weights, key, message):
    with pytest.raises(ValueError, match=message):
        mass_on_frames(np.array(weights), np.array(key))
