"""Boxes and lines of text on frames."""

import numpy as np

from mmattn.visualization.person_boxes import COLORS, PersonBox, draw_person_boxes

GRAY = np.full((120, 200, 3), 100, np.uint8)


def test_edges_in_colors_of_persons():
    boxes = [PersonBox((0.1, 0.25, 0.4, 0.75), ()), PersonBox((0.5, 0, 1, 1), ())]
    drawn = draw_person_boxes(GRAY, boxes)
    for x, y, number in ((20, 60, 0), (79, 60, 0), (50, 30, 0), (100, 60, 1)):
        assert tuple(drawn[y, x]) == COLORS[number], (x, y)
    assert tuple(drawn[119, 199]) == COLORS[1]
    inside_or_outside = [(50, 60), (150, 60), (90, 60), (10, 60)]
    assert all((drawn[y, x] == 100).all() for x, y in inside_or_outside)
    assert (GRAY == 100).all()


def test_text_stands_in_the_corner():
    plain = draw_person_boxes(GRAY, [PersonBox((0.2, 0.5, 0.9, 0.9), ())])
    drawn = draw_person_boxes(GRAY, [PersonBox((0.2, 0.5, 0.9, 0.9), ('run 0.9', 'b'))])
    rows, columns = np.nonzero((plain != drawn).any(axis=2))
    assert (rows.min(), columns.min()) in {(60, 40), (60, 41), (61, 41)}
    assert rows.max() == 60 + 2 * 15 - 1
    text = drawn[62:74, 46 : columns.max()]
    assert text.min() < 90
    assert (text == 255).mean() > 0.4


def test_text_is_moved_and_cut_to_stay_inside():
    at_edge = draw_person_boxes(GRAY, [PersonBox((0.95, 0.95, 1, 1), ('run 0.9',))])
    assert (at_edge[-15:, -30:] == 255).mean() > 0.3
    long = draw_person_boxes(GRAY, [PersonBox((0, 0, 1, 1), ('run ' * 50,))])
    assert long.shape == GRAY.shape


def test_text_does_not_hide_other_text():
    """The second label starts below the first one, which stays as it was."""
    one = PersonBox((0.1, 0.1, 0.9, 0.9), ('run 0.9', 'sit 0.8'))
    two = PersonBox((0.15, 0.15, 1, 1), ('run 0.7',))
    first, both = draw_person_boxes(GRAY, [one]), draw_person_boxes(GRAY, [one, two])
    assert np.array_equal(first[12:42, 20:29], both[12:42, 20:29])
    assert tuple(both[42, 31]) == COLORS[1]
    assert (both[44:56, 38:80] == 255).mean() > 0.4
    beside = PersonBox((0.7, 0.1, 1, 1), ('b',))
    assert tuple(draw_person_boxes(GRAY, [one, beside])[13, 141]) == COLORS[1]


def test_note_at_the_lower_edge():
    drawn = draw_person_boxes(GRAY, [], note='untrained')
    changed = (drawn != GRAY).any(axis=2)
    assert changed[-15:, :40].any()
    assert not changed[:-15].any()
