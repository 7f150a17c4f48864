"""Maps come into the order of a video's frames, by hand-computed cases."""

import numpy as np
import pytest
import torch

from mmattn.attention.maps import attention_maps, with_frame_numbers
from mmattn.attention.records import AttentionRecord, AttentionRecords


def record(maps, axes, frames=None, **info):
    maps = torch.as_tensor(maps, dtype=torch.float32)
    frames = None if frames is None else torch.tensor(frames)
    return AttentionRecord('m', maps, axes, frames=frames, **info)


def frames_found(maps_shape, axes, rows):
    records = AttentionRecords([record(torch.ones(maps_shape), axes)])
    frames = with_frame_numbers(records, np.array(rows))[0].frames
    return None if frames is None else frames.tolist()


def test_rows_of_host_recognizers():
    single = [[0], [3], [5], [9]]
    clips = [[0, 2, 4, 6], [8, 10, 12, 14]]
    assert frames_found((4, 7, 5), ('row', 'y', 'x'), single) == single
    assert frames_found((2, 2), ('row', 'frame'), single) == [[0, 3], [5, 9]]
    assert frames_found((2, 2, 7, 5), ('row', 'frame', 'y', 'x'), clips) == [
        [0, 4],
        [8, 12],
    ]
    assert frames_found((2, 7, 5), ('row', 'y', 'x'), clips) == clips
    assert frames_found((8, 7, 5), ('row', 'y', 'x'), clips) == [
        [n] for n in range(0, 16, 2)
    ]
    twice = frames_found((4, 2), ('row', 'frame'), clips)
    assert twice == [[0, 4], [8, 12]] * 2
    assert frames_found((3, 7, 5), ('row', 'y', 'x'), clips) is None
    assert frames_found((2, 3), ('row', 'frame'), clips) is None


def test_frames_that_repeat_are_averaged_and_shares_sum_to_one():
    maps = [[[[1.0, 3.0]], [[2.0, 0.0]]], [[[4.0, 2.0]], [[0.0, 8.0]]]]
    (attention,) = attention_maps(
        record(maps, ('row', 'frame', 'y', 'x'), [[0, 1], [1, 2]])
    )
    assert attention.numbers.tolist() == [0, 1, 2]
    assert attention.heat.tolist() == [[[1, 3]], [[3, 1]], [[0, 8]]]
    np.testing.assert_allclose(attention.weights, [4 / 20, 8 / 20, 8 / 20])


def test_other_axes_are_averaged_or_picked():
    maps = torch.arange(2 * 3 * 2.0).view(1, 2, 3, 2)  # row, query, frame, step
    axes = ('row', 'query', 'frame', 'step')
    drawn = record(maps, axes, [[4, 6, 8]])
    mean = maps.mean(dim=(1, 3))[0]
    (attention,) = attention_maps(drawn)
    assert attention.heat is None
    np.testing.assert_allclose(attention.weights, mean / mean.sum(), rtol=1e-6)
    (attention,) = attention_maps(drawn, picks=dict(query=1), last_steps=1)
    expected = maps[0, 1, :, 1]
    np.testing.assert_allclose(attention.weights, expected / expected.sum(), rtol=1e-6)
    assert attention.name == 'm query 1'


def test_places_before_frames_in_the_axes():
    maps = torch.arange(2 * 3 * 5.0).view(1, 2, 5, 3)  # row, y, x, frame
    (attention,) = attention_maps(record(maps, ('row', 'y', 'x', 'frame'), [[0, 1, 2]]))
    np.testing.assert_allclose(attention.heat, maps[0].permute(2, 0, 1))


def test_a_map_of_a_whole_clip_says_nothing_of_single_frames():
    (attention,) = attention_maps(record([[[1.0, 2.0]]], ('row', 'y', 'x'), [[3, 4]]))
    assert attention.weights is None
    assert attention.heat.tolist() == [[[1, 2]], [[1, 2]]]


def test_cells_negative_values_and_regions():
    axes = ('row', 'frame', 'channel', 'cell_y', 'cell_x')
    (attention,) = attention_maps(record(torch.ones(1, 1, 2, 3, 3), axes, [[0]]))
    assert attention.in_cells
    assert attention.heat.shape == (1, 3, 3)
    (attention,) = attention_maps(record([[1.0, -1.0]], ('row', 'frame'), [[0, 1]]))
    assert attention.weights is None
    regions = attention_maps(
        record([[1.0, 3.0], [1.0, 1.0]], ('row', 'frame'), [[0, 1]] * 2, roi=(7, 2))
    )
    assert [attention.roi for attention in regions] == [2, 7]
    assert [attention.weights.tolist() for attention in regions] == [
        [0.5, 0.5],
        [0.25, 0.75],
    ]


@pytest.mark.parametrize(
    ('axes', 'shape'),
    [
        (('row', 'channel'), (2, 3)),
        (('row', 'frame', 'channel'), (2, 1, 3)),
        (('row', 'query', 'key'), (2, 3, 5)),
    ],
)
def test_not_drawn(axes, shape):
    assert attention_maps(record(torch.ones(shape), axes, [[0], [1]])) == []


def test_bad_picks():
    drawn = record(torch.ones(1, 2, 3), ('row', 'query', 'frame'), [[0, 1, 2]])
    with pytest.raises(ValueError, match=r"picks: expected axes .* got \['frame'\]"):
        attention_maps(drawn, picks=dict(frame=1))
    with pytest.raises(ValueError, match=r'picks\.query: expected -2 to 1 .* got 2'):
        attention_maps(drawn, picks=dict(query=2))


@pytest.mark.parametrize(
    'weights', [[1.0, -0.5], [-1.0, -2.0], [0.0, 0.0], [-0.5, 0.0]]
)
def test_weights_without_shares(weights):
    """One negative value is enough, whatever the sum is; so are zeros alone."""
    (attention,) = attention_maps(record([weights], ('row', 'frame'), [[0, 1]]))
    assert attention.weights is None
