import numpy as np
import pytest
from mmaction.datasets.transforms import Flip, FormatShape, TenCrop, ThreeCrop

from mmattn.datasets import FlowFlip, FlowTenCrop, dequantize_flow, quantize_flow
from mmattn.datasets.transforms.flow import negate_levels, negate_x

H, W = 13, 17


def moving_pattern(dx, dy, num_frames=3):
    """Frames of a textured square on a resting background, and their exact flow."""
    rng = np.random.default_rng(5)
    background = rng.integers(0, 256, (H, W), dtype=np.uint8)
    texture = rng.integers(0, 256, (4, 5), dtype=np.uint8)
    left, top = (2 if dx >= 0 else 9), (2 if dy >= 0 else 8)
    frames, fields = [], []
    for number in range(num_frames):
        frame, field = background.copy(), np.zeros((H, W, 2))
        y, x = top + number * dy, left + number * dx
        frame[y : y + 4, x : x + 5] = texture
        field[y : y + 4, x : x + 5] = dx, dy
        frames.append(frame)
        fields.append(field)
    return frames, fields[:-1]


def match_blocks(first, second, radius=3):
    """Exact integer motion of each pixel: the smallest that explains its 3x3 block."""
    shifts = [
        (dx, dy)
        for dx in range(-radius, radius + 1)
        for dy in range(-radius, radius + 1)
    ]
    shifts.sort(key=lambda shift: shift[0] ** 2 + shift[1] ** 2)
    pad = radius + 1
    wide = np.pad(second.astype(int), pad, constant_values=-1)
    field = np.full((*first.shape, 2), np.nan)
    for y in range(1, first.shape[0] - 1):
        for x in range(1, first.shape[1] - 1):
            block = first[y - 1 : y + 2, x - 1 : x + 2].astype(int)
            for dx, dy in shifts:
                row, column = y + dy + pad, x + dx + pad
                there = wide[row - 1 : row + 2, column - 1 : column + 2]
                if (block == there).all():
                    field[y, x] = dx, dy
                    break
    return field


def results_of(fields, modality='Flow', **extra):
    return {
        'imgs': [field.copy() for field in fields],
        'modality': modality,
        'img_shape': fields[0].shape[:2],
        **extra,
    }


@pytest.mark.parametrize('dx, dy', [(2, 0), (-2, 1), (1, -2), (0, 2), (0, 0)])
def test_mirroring_flow_is_flow_of_mirrored_video(dx, dy):
    frames, _ = moving_pattern(dx, dy)
    mirrored = [np.ascontiguousarray(frame[:, ::-1]) for frame in frames]
    checked = 0
    for first, second, first_m, second_m in zip(
        frames, frames[1:], mirrored, mirrored[1:], strict=False
    ):
        flow, flow_m = match_blocks(first, second), match_blocks(first_m, second_m)
        known = ~np.isnan(flow_m[..., 0])
        stored = quantize_flow(np.nan_to_num(flow))
        expected = quantize_flow(np.nan_to_num(flow_m))
        found = FlowFlip(1.0)(results_of([stored]))['imgs'][0]
        np.testing.assert_array_equal(found[known], expected[known])
        checked += known.sum()
        if dx:
            assert (expected[known][:, 0] != 128).sum() >= 6
    assert checked > 100


def test_pattern_is_found_by_block_matching():
    frames, fields = moving_pattern(2, -1)
    found = match_blocks(frames[0], frames[1])
    np.testing.assert_array_equal(found[9:11, 3:6], fields[0][9:11, 3:6])
    assert fields[0][9:11, 3:6].reshape(-1, 2).tolist() == [[2, -1]] * 6


@pytest.mark.parametrize('dx, dy', [(2, 0), (-2, 1), (1, -1)])
def test_flip_negates_x_in_every_field_and_never_y(dx, dy):
    _, fields = moving_pattern(dx, dy, num_frames=4)
    stored = [quantize_flow(field) for field in fields]
    results = FlowFlip(1.0)(results_of(stored))
    assert len(results['imgs']) == 3
    assert (results['flip'], results['flip_direction']) == (True, 'horizontal')
    for field, found in zip(fields, results['imgs'], strict=True):
        mirrored = field[:, ::-1] * (-1, 1)
        np.testing.assert_array_equal(found, quantize_flow(mirrored))


def test_flip_ratio_and_unflipped_flow():
    fields = [quantize_flow(field) for field in moving_pattern(2, 1)[1]]
    results = FlowFlip(0.0)(results_of(fields))
    assert not results['flip']
    np.testing.assert_array_equal(results['imgs'], fields)
    flips = [FlowFlip(0.25)(results_of(fields))['flip'] for _ in range(400)]
    assert 70 < sum(flips) < 130


def test_flip_does_not_touch_its_input():
    field = quantize_flow(moving_pattern(2, 1)[1][0])
    before = field.copy()
    FlowFlip(1.0)({'imgs': [field], 'modality': 'Flow', 'img_shape': (H, W)})
    np.testing.assert_array_equal(field, before)


def test_rgb_and_boxes_as_host():
    rng = np.random.default_rng(0)
    imgs = [rng.integers(0, 256, (H, W, 3), dtype=np.uint8) for _ in range(2)]
    boxes = np.array([[1.0, 2.0, 5.0, 7.0]])
    ours = FlowFlip(1.0)(results_of(imgs, 'RGB', gt_bboxes=boxes))
    host = Flip(1.0)(results_of(imgs, 'RGB', gt_bboxes=boxes))
    np.testing.assert_array_equal(ours['imgs'], host['imgs'])
    np.testing.assert_array_equal(ours['imgs'][1], imgs[1][:, ::-1])
    np.testing.assert_array_equal(ours['gt_bboxes'], host['gt_bboxes'])
    assert ours['gt_bboxes'].tolist() == [[12, 2, 16, 7]]


def test_flip_boxes_with_flow():
    fields = [quantize_flow(field) for field in moving_pattern(2, 1)[1]]
    boxes = np.array([[1.0, 2.0, 5.0, 7.0]])
    results = FlowFlip(1.0)(results_of(fields, gt_bboxes=boxes))
    assert results['gt_bboxes'].tolist() == [[12, 2, 16, 7]]


def test_flip_errors():
    fields = [quantize_flow(field) for field in moving_pattern(2, 1)[1]]
    with pytest.raises(ValueError, match="expected direction='horizontal' for flow"):
        FlowFlip(1.0, 'vertical')(results_of(fields))
    with pytest.raises(ValueError, match='expected lazy=False for flow'):
        FlowFlip(1.0, lazy=True)(results_of(fields))
    with pytest.raises(ValueError, match=r'expected a flow field \(H, W, 2\)'):
        FlowFlip(1.0)(results_of([np.zeros((H, W, 3), np.uint8)]))
    with pytest.raises(ValueError, match=r'expected uint8 levels.*got float32'):
        FlowFlip(1.0)(results_of([np.zeros((H, W, 2), np.float32)]))


def test_ten_crop_negates_x_in_mirrored_crops_only():
    fields = moving_pattern(2, 1, num_frames=4)[1]
    stored = [quantize_flow(field) for field in fields]
    ours = FlowTenCrop((7, 5))(results_of(stored))
    host = TenCrop((7, 5))(results_of(stored))
    assert len(ours['imgs']) == 10 * 3
    np.testing.assert_array_equal(ours['crop_bbox'], host['crop_bbox'])
    assert ours['img_shape'] == (5, 7)
    for place, img in enumerate(ours['imgs']):
        crop, number = divmod(place, 3)
        x0, y0, x1, y1 = ours['crop_bbox'][place]
        region = fields[number][y0:y1, x0:x1]
        if crop % 2:
            region = region[:, ::-1] * (-1, 1)
        np.testing.assert_array_equal(img, quantize_flow(region))
    moving = np.concatenate(ours['imgs'][3:6])[..., 0]
    assert {115} < set(moving.reshape(-1).tolist())


def test_ten_crop_order_survives_stacking():
    stored = [quantize_flow(np.full((H, W, 2), (k, -k))) for k in (2, 3, 5, 7)]
    results = FlowTenCrop(5)(results_of(stored, num_clips=2, clip_len=2))
    stacks = FormatShape('NCHW')(results)['imgs']  # (10 crops * 2 positions, 4, 5, 5)
    assert stacks.shape == (20, 4, 5, 5)
    stacks = stacks.reshape(10, 2, 4, 25)[..., 0]
    for crop in range(10):
        sign = -1 if crop % 2 else 1
        expected = [[sign * 2, -2, sign * 3, -3], [sign * 5, -5, sign * 7, -7]]
        np.testing.assert_array_equal(
            stacks[crop], quantize_flow(np.array(expected, dtype=float))
        )


def test_ten_crop_of_rgb_as_host():
    rng = np.random.default_rng(0)
    imgs = [rng.integers(0, 256, (H, W, 3), dtype=np.uint8) for _ in range(2)]
    ours = FlowTenCrop(7)(results_of(imgs, 'RGB'))
    host = TenCrop(7)(results_of(imgs, 'RGB'))
    np.testing.assert_array_equal(ours['imgs'], host['imgs'])


def test_three_crop_of_host_leaves_flow_alone():
    stored = quantize_flow(moving_pattern(2, 1)[1][0])
    results = ThreeCrop(H)(results_of([stored]))
    for img, (x0, y0, x1, y1) in zip(
        results['imgs'], results['crop_bbox'], strict=True
    ):
        np.testing.assert_array_equal(img, stored[y0:y1, x0:x1])


def test_quantization_is_nearest_level():
    flow = np.random.default_rng(0).uniform(-20, 20, 997)
    exact = (flow + 20) * 255 / 40
    np.testing.assert_array_equal(quantize_flow(flow), np.rint(exact))
    np.testing.assert_array_equal(
        quantize_flow(flow, 31), quantize_flow(flow * 20 / 31)
    )


def test_quantization_at_zero_ties_and_bounds():
    flow = np.array([0.0, -0.0, 8.0, -8.0, 16.0, -16.0, 20.0, -20.0, 77.0, -77.0])
    levels = quantize_flow(flow)
    # 127.5 + 51 and 127.5 + 102 lie half way between two levels
    assert levels.tolist() == [128, 128, 179, 76, 230, 25, 255, 0, 255, 0]
    assert levels.dtype == np.uint8


def test_negated_level_is_level_of_negated_flow():
    bound, step = 20.0, 20 / 127.5
    flow = np.linspace(-bound, bound, 4001)
    flow = np.concatenate([flow[np.abs(flow) >= step], np.arange(-20.0, 21.0), [0.0]])
    np.testing.assert_array_equal(
        negate_levels(quantize_flow(flow)), quantize_flow(-flow)
    )
    tiny = np.linspace(-step, step, 999)
    difference = negate_levels(quantize_flow(tiny)).astype(int) - quantize_flow(-tiny)
    assert set(difference.tolist()) == {0, 1}


def test_negating_twice_changes_nothing_but_the_level_below_zero():
    levels = np.arange(256, dtype=np.uint8)
    twice = negate_levels(negate_levels(levels))
    assert np.flatnonzero(twice != levels).tolist() == [127]


def test_dequantization_inverts_and_is_off_by_half_a_level():
    levels = np.arange(256, dtype=np.uint8)
    for bound in (7.0, 20.0):
        np.testing.assert_array_equal(
            quantize_flow(dequantize_flow(levels, bound), bound), levels
        )
        flow = np.random.default_rng(0).uniform(-bound, bound, 501)
        error = np.abs(dequantize_flow(quantize_flow(flow, bound), bound) - flow)
        assert bound / 300 < error.max() <= bound / 255 * (1 + 1e-5)
    assert dequantize_flow(levels).dtype == np.float32


@pytest.mark.parametrize('bound', [0, -3.0])
def test_bound_must_be_positive(bound):
    with pytest.raises(ValueError, match='expected `bound` to be positive'):
        quantize_flow(np.zeros(3), bound)
    with pytest.raises(ValueError, match='expected `bound` to be positive'):
        dequantize_flow(np.zeros(3, np.uint8), bound)


def test_helpers_refuse_wrong_arrays():
    with pytest.raises(ValueError, match='expected finite flow'):
        quantize_flow(np.array([np.nan]))
    with pytest.raises(ValueError, match=r'expected uint8 levels.*got int64'):
        dequantize_flow(np.arange(3))
    with pytest.raises(ValueError, match='expected uint8 levels'):
        negate_levels(np.arange(3))
    with pytest.raises(ValueError, match='expected a flow field'):
        negate_x(np.zeros((3, 5), np.uint8))
