"""Heat is scaled, placed and drawn where it belongs."""

import numpy as np
import pytest

from mmattn.visualization.heat_overlay import (
    CONTOUR,
    OverlayStyle,
    draw_overlay,
    place_heat,
    scale_heat,
)


def test_scales():
    heat = np.array([[[2.0, 4.0]], [[3.0, 8.0]]])
    assert scale_heat(heat).tolist() == [[[0.25, 0.5]], [[0.375, 1]]]
    assert scale_heat(heat, 'frame').tolist() == [[[0.5, 1]], [[0.375, 1]]]
    np.testing.assert_allclose(scale_heat(heat, 'range')[0], [[0, 1 / 3]])
    assert scale_heat(np.zeros((1, 1, 2))).max() == 0


def test_cells_repeat_and_points_are_interpolated():
    heat = np.array([[[0.0, 1.0]]])
    cells = place_heat(heat, (1, 4), in_cells=True)
    assert cells.tolist() == [[[0, 0, 1, 1]]]
    points = place_heat(heat, (1, 4))
    np.testing.assert_allclose(points, [[[0, 0.25, 0.75, 1]]])


def test_box():
    placed = place_heat(np.ones((1, 3, 5)), (10, 20), box=(0.25, 0.1, 0.75, 0.9))
    seen = ~np.isnan(placed[0])
    assert seen[1:9, 5:15].all()
    assert seen.sum() == 8 * 10


def test_kinds():
    images = np.full((1, 9, 9, 3), 100, dtype=np.uint8)
    heat = np.zeros((1, 9, 9))
    heat[0, 3:6, 3:6] = 1
    every = draw_overlay(images, heat, OverlayStyle('heat', alpha=1.0))
    assert (every != images).any(-1).all()
    hot = draw_overlay(images, heat, OverlayStyle('threshold'))
    assert ((hot != images).any(-1) == (heat > 0)).all()
    line = draw_overlay(images, heat, OverlayStyle('contour'))
    ring = heat > 0
    ring[0, 4, 4] = False
    assert ((line == CONTOUR).all(-1) == ring).all()


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (dict(kind='dots'), "kind: expected .* got 'dots'"),
        (dict(scale='log'), "scale: expected .* got 'log'"),
        (dict(alpha=1.5), r'alpha: expected 0 to 1, got 1\.5'),
        (dict(threshold=-1), 'threshold: expected 0 to 1, got -1'),
    ],
)
def test_bad_style(option, message):
    with pytest.raises(ValueError, match=message):
        OverlayStyle(**option)
