"""Pointing game and attention mass in boxes."""

import numpy as np
import pytest

from mmattn.evaluation import (
    box_in_crop,
    mass_in_boxes,
    pointing_game,
    pointing_uniform,
)

NAN = [np.nan] * 4


def one_hot(h, w, *cells):
    maps = np.zeros((len(cells), h, w))
    for t, (y, x) in enumerate(cells):
        maps[t, y, x] = 1
    return maps


def test_pointing_at_the_centers_of_cells():
    maps = one_hot(3, 5, (1, 4), (1, 4), (2, 0), (0, 0), (0, 0))
    boxes = [
        [0.89, 0.4, 1, 0.6],
        [0.91, 0.4, 1, 0.6],
        [0, 0.8, 0.2, 1],
        NAN,
        [0.2, 0, 1, 1],
    ]
    got = pointing_game(maps, np.array(boxes))
    np.testing.assert_array_equal(got, [1, 0, 1, np.nan, 0])


def test_mass_is_that_of_a_fine_raster():
    """Against counting the pixels of a map drawn at 60 x 60."""
    rng = np.random.default_rng(0)
    maps = rng.random((2, 3, 5))
    boxes = np.array([[0.15, 0.3, 0.85, 0.75], [0.0, 0.5, 0.35, 1.0]])
    mass, area = mass_in_boxes(maps, boxes)
    for t in range(2):
        fine = maps[t].repeat(20, axis=0).repeat(12, axis=1)
        left, top, right, bottom = np.rint(60 * boxes[t]).astype(int)
        inside = fine[top:bottom, left:right]
        assert mass[t] == pytest.approx(inside.sum() / fine.sum())
        assert area[t] == pytest.approx(inside.size / fine.size)


def test_uniform_weights_have_the_mass_of_the_area():
    boxes = np.array([[0.1, 0.2, 0.63, 0.97], NAN])
    mass, area = mass_in_boxes(np.ones((2, 7, 7)), boxes)
    assert mass[0] == pytest.approx(area[0]) == pytest.approx(0.53 * 0.77)
    assert np.isnan(mass[1])
    assert np.isnan(area[1])


@pytest.mark.parametrize('function', [pointing_game, mass_in_boxes])
def test_wrong_shapes(function):
    with pytest.raises(ValueError, match=r'got \(2, 3\) and \(2, 4\)'):
        function(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match=r'got \(2, 3, 3\) and \(1, 4\)'):
        function(np.ones((2, 3, 3)), np.ones((1, 4)))


def test_maps_without_weight():
    with pytest.raises(ValueError, match='expected maps with positive sums, got 0'):
        mass_in_boxes(np.zeros((1, 2, 2)), np.ones((1, 4)))


def test_uniform_pointing_is_the_mean_over_all_places():
    boxes = np.array([[0.15, 0.3, 0.85, 0.75], [0.0, 0.5, 0.35, 1.0], NAN])
    cells = [(y, x) for y in range(4) for x in range(7)]
    hits = [pointing_game(one_hot(4, 7, cell, cell, cell), boxes) for cell in cells]
    got = pointing_uniform((4, 7), boxes)
    np.testing.assert_allclose(got, np.mean(hits, axis=0))


def test_boxes_in_a_crop():
    """A video of 200 x 100, of which x from 50 to 150 and y from 20 to 100 is left."""
    boxes = np.array([[60.0, 20, 100, 60], [0, 0, 75, 30], [160, 30, 190, 40], NAN])
    got = box_in_crop(boxes, (100, 200), (0.25, 0.2, 0.5, 0.8))
    np.testing.assert_allclose(got[0], [0.1, 0, 0.5, 0.5])
    np.testing.assert_allclose(got[1], [0, 0, 0.25, 0.125])
    assert np.isnan(got[2:]).all()
