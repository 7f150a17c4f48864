"""Bars are as high as weights say, and only key frames are marked."""

import warnings

import decord
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from mmattn.visualization.text import Text, draw_texts, fit_text, text_width
from mmattn.visualization.timeline import (
    BAR,
    BORDER,
    KEY,
    UNIFORM,
    draw_timeline,
    shown_positions,
)
from mmattn.visualization.timeline_layout import (
    BAR_HEIGHT,
    bar_heights,
    timeline_layout,
)

ASPECT = 30 / 40
GREEN = (10, 200, 30)


def frames_of(count):
    return np.full((count, 30, 40, 3), GREEN, dtype=np.uint8)


def cut(picture, box):
    return picture[box.rows(), box.columns()]


def same_color(pixels, color):
    return (pixels == np.array(color)).all(-1)


def measured_heights(picture, layout):
    return [same_color(cut(picture, b), BAR)[:, 0].sum() for b in layout.bars]


def test_bars_have_the_heights_of_the_weights():
    weights = [0.1, 0.4, 0.0, 0.2, 0.05]
    picture = draw_timeline(frames_of(5), weights, uniform=False)
    layout = timeline_layout(5, ASPECT, num_lines=1)
    assert picture.shape == (layout.height, layout.width, 3)
    assert picture.dtype == np.uint8
    heights = measured_heights(picture, layout)
    assert heights == [BAR_HEIGHT // 4, BAR_HEIGHT, 0, BAR_HEIGHT // 2, BAR_HEIGHT // 8]
    for bar, height in zip(layout.bars, heights, strict=True):
        filled = same_color(cut(picture, bar), BAR)
        assert filled[BAR_HEIGHT - height :].all()
        assert not filled[: BAR_HEIGHT - height].any()


def test_bar_heights_of_zero_weights():
    assert bar_heights(np.zeros(3)).tolist() == [0, 0, 0]
    assert bar_heights(np.array([1, 2, 3]), full=30).tolist() == [10, 20, 30]
    picture = draw_timeline(frames_of(3), [0, 0, 0])
    assert measured_heights(picture, timeline_layout(3, ASPECT, num_lines=1)) == [0] * 3


@pytest.mark.parametrize('kind', [list, np.asarray, torch.tensor])
def test_kinds_of_weights_are_the_same(kind):
    values = [0.125, 0.5, 0.375]
    expected = draw_timeline(frames_of(3), values)
    assert np.array_equal(draw_timeline(frames_of(3), kind(values)), expected)


def test_only_key_frames_are_marked():
    keys = {2, 7, 16}
    picture = draw_timeline(frames_of(17), np.full(17, 1 / 17), key_frames=sorted(keys))
    layout = timeline_layout(17, ASPECT, num_lines=1)
    for frame, box in layout.thumbs:
        marked = same_color(cut(picture, box), KEY)
        inner = marked[BORDER:-BORDER, BORDER:-BORDER]
        assert not inner.any()
        assert marked.sum() == (frame in keys) * (marked.size - inner.size)
        bar = layout.bars[frame]
        below = picture[bar.y + bar.height + 1, bar.columns()]
        assert same_color(below, KEY).all() == (frame in keys)
        assert same_color(below, KEY).any() == (frame in keys)


def test_no_key_color_without_key_frames():
    picture = draw_timeline(frames_of(17), np.full(17, 1 / 17))
    assert not same_color(picture, KEY).any()


def test_thumbs_show_their_frames():
    frames = np.zeros((17, 30, 40, 3), dtype=np.uint8)
    frames[..., 1] = 15 * np.arange(17)[:, None, None]
    picture = draw_timeline(frames, np.full(17, 1 / 17))
    for frame, box in timeline_layout(17, ASPECT, num_lines=1).thumbs:
        assert same_color(cut(picture, box), (0, 15 * frame, 0)).all()


def test_uniform_line_lies_at_the_mean():
    weights = np.array([0.5, 0.25, 0.25])
    layout = timeline_layout(3, ASPECT, num_lines=1)
    box = layout.bars[0]
    picture = draw_timeline(frames_of(3), weights)
    lines = same_color(cut(picture, box), UNIFORM).any(1).nonzero()[0]
    assert lines.tolist() == [BAR_HEIGHT - round(BAR_HEIGHT * 2 / 3)]
    picture = draw_timeline(frames_of(3), weights, uniform=False)
    assert not same_color(cut(picture, box), UNIFORM).any()


def test_uniform_line_of_windows_that_each_sum_to_one():
    windows = np.concatenate([[0.5, 0.25, 0.25], [0.75, 0.25, 0.0]])
    box = timeline_layout(6, ASPECT, num_lines=1).bars[-1]
    picture = draw_timeline(frames_of(6), windows)
    lines = same_color(cut(picture, box), UNIFORM).any(1).nonzero()[0]
    assert lines.tolist() == [BAR_HEIGHT - round(BAR_HEIGHT * (1 / 3) / 0.75)]


def test_steps_are_averaged_and_shown_one_by_one():
    steps = np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    picture = draw_timeline(frames_of(3), steps, uniform=False)
    layout = timeline_layout(3, ASPECT, num_steps=2, num_lines=1)
    assert picture.shape[0] == layout.height
    assert measured_heights(picture, layout) == [36, 72, 36]
    assert BAR_HEIGHT == 72
    cells = np.array(
        [
            [cut(picture, heat)[0, 0], cut(picture, heat)[-1, 0]]
            for heat in layout.heats
        ],
        dtype=int,
    )
    brightness = cells.sum(-1).T
    assert (brightness.argsort(0) == steps.argsort(0)).all()
    assert len({tuple(c) for c in cells.reshape(-1, 3)}) == 3


def test_one_step_has_no_strip():
    one = draw_timeline(frames_of(3), [[0.5, 0.25, 0.25]])
    assert np.array_equal(one, draw_timeline(frames_of(3), [0.5, 0.25, 0.25]))


@pytest.mark.parametrize('num_frames', [1, 2, 15, 16, 30, 31, 60, 61, 107, 1999])
@pytest.mark.parametrize('num_steps', [0, 30])
def test_layout_holds_every_frame_without_overlap(num_frames, num_steps):
    layout = timeline_layout(num_frames, ASPECT, num_steps=num_steps, num_lines=3)
    assert layout.dense == (num_frames > 60)
    assert len(layout.bars) == num_frames
    assert len(layout.heats) == (num_frames if num_steps else 0)
    assert [f for f, _ in layout.thumbs] == sorted({f for f, _ in layout.thumbs})
    assert len(layout.thumbs) == (15 if layout.dense else num_frames)
    taken = np.zeros((layout.height, layout.width), dtype=int)
    for box in [*layout.bars, *layout.heats, *(box for _, box in layout.thumbs)]:
        assert box.width > 0
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height
        taken[box.rows(), box.columns()] += 1
    assert taken.max() == 1 or num_frames == 1999


@pytest.mark.parametrize('num_frames', [31, 47])
def test_rows_are_of_nearly_equal_length(num_frames):
    layout = timeline_layout(num_frames, ASPECT)
    tops = [box.y for _, box in layout.thumbs]
    lengths = [tops.count(top) for top in sorted(set(tops))]
    assert max(lengths) <= 15
    assert max(lengths) - min(lengths) < len(lengths)


def test_long_videos_show_some_frames_and_all_bars():
    weights = np.zeros(107)
    weights[53] = 0.5
    weights[106] = 0.25
    picture = draw_timeline(
        frames_of(107), weights, key_frames=[53, 106], uniform=False
    )
    layout = timeline_layout(107, ASPECT, num_lines=1)
    heights = np.array(measured_heights(picture, layout))
    assert heights.nonzero()[0].tolist() == [53, 106]
    assert heights[53] == 2 * heights[106] == BAR_HEIGHT
    shown = [frame for frame, _ in layout.thumbs]
    assert shown[7] == 53
    assert set(np.diff(shown)) <= {7, 8}
    marked = [f for f, box in layout.thumbs if same_color(cut(picture, box), KEY).any()]
    assert marked == [53]
    last = layout.bars[106]
    assert same_color(picture[last.y + last.height + 1, last.x], KEY)


@pytest.mark.parametrize('count', [7, 200])
def test_frames_that_are_shown_are_enough(count):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (count, 30, 40, 3), dtype=np.uint8)
    weights = rng.random((3, count))
    some = {k: frames[k] for k in shown_positions(count)}
    assert len(some) == min(count, 15)
    assert np.array_equal(
        draw_timeline(some, weights, key_frames=[5]),
        draw_timeline(frames, weights, key_frames=[5]),
    )
    with pytest.raises(ValueError, match='expected key_frames from 0 to'):
        draw_timeline(some, weights, key_frames=[count])


def test_words_reach_the_picture():
    weights = [0.5, 0.25, 0.25]
    plain = draw_timeline(frames_of(3), weights)
    named = draw_timeline(frames_of(3), weights, label='Archery', prediction='Diving')
    titled = draw_timeline(frames_of(3), weights, title='clip')
    numbered = draw_timeline(frames_of(3), weights, frame_numbers=[0, 15, 30])
    counted = draw_timeline(frames_of(3), weights, frame_numbers=range(3))
    assert named.shape == titled.shape
    assert not np.array_equal(named, titled)
    assert named.shape[0] > plain.shape[0]
    assert not np.array_equal(plain, numbered)
    assert np.array_equal(plain, counted)


def test_text_stays_inside_and_takes_any_character():
    picture = draw_texts(200, 40, [Text(10, 20, '$x_1$ 投げる\n%', 9.0)])
    dark = (picture.min(-1) < 128).nonzero()
    width = text_width('$x_1$ ??? %', 9.0)
    assert dark[0].min() >= 10
    assert dark[0].max() <= 30
    assert 0 <= dark[1].min() - 10 <= 3
    assert abs(dark[1].max() - 10 - width) <= 3


def test_long_text_is_cut():
    cut_text = fit_text('a long title of a clip', 9.0, 80)
    assert cut_text.endswith('…')
    assert text_width(cut_text, 9.0) <= 80
    assert 'a long title of a clip'.startswith(cut_text[:-1])
    assert fit_text('short', 9.0, 80) == 'short'


def test_inputs_and_pyplot_are_left_alone():
    frames, weights = frames_of(3), np.array([0.5, 0.25, 0.25])
    before = frames.copy(), weights.copy()
    draw_timeline(frames, weights, key_frames=[1])
    assert np.array_equal(frames, before[0])
    assert np.array_equal(weights, before[1])
    assert pyplot.get_fignums() == []


def test_real_clip(real_data):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        reader = decord.VideoReader(
            str(real_data / 'clips' / 'v_BaseballPitch_g01_c01.avi')
        )
    numbers = np.linspace(0, len(reader) - 1, 30).astype(int)
    frames = reader.get_batch(numbers).asnumpy()
    picture = draw_timeline(frames, np.full(30, 1 / 30), frame_numbers=numbers)
    layout = timeline_layout(30, 240 / 320, num_lines=1)
    assert picture.shape == (layout.height, layout.width, 3)
    for frame, box in layout.thumbs:
        shown, original = cut(picture, box).mean((0, 1)), frames[frame].mean((0, 1))
        np.testing.assert_allclose(shown, original, atol=1.5)


@pytest.mark.parametrize(
    'weights, options, error, message',
    [
        ([0.5, 0.5], {}, ValueError, r'one per frame, got \(2,\)'),
        (np.ones((3, 2)), {}, ValueError, r'\(steps, 3\).*got \(3, 2\)'),
        (np.ones((0, 3)), {}, ValueError, r'got \(0, 3\)'),
        (np.ones((1, 1, 3)), {}, ValueError, 'one per frame'),
        ([0.5, -0.1, 0.6], {}, ValueError, 'at least 0, got -0.1'),
        ([0.5, np.nan, 0.6], {}, ValueError, 'finite weights'),
        ([1, 1, 1], {'key_frames': [3]}, ValueError, r'from 0 to 2, got \[3\]'),
        ([1, 1, 1], {'key_frames': [-1]}, ValueError, 'from 0 to 2'),
        ([1, 1, 1], {'key_frames': [True, False, True]}, TypeError, 'got a mask'),
        ([1, 1, 1], {'frame_numbers': [1]}, ValueError, '3 frame_numbers, got 1'),
    ],
)
def test_what_does_not_fit_is_refused(weights, options, error, message):
    with pytest.raises(error, match=message):
        draw_timeline(frames_of(3), weights, **options)


def test_frames_that_are_no_images_are_refused():
    with pytest.raises(TypeError, match=r'expected frames as uint8.*got float64'):
        draw_timeline(frames_of(2) / 255, [1, 1])
    with pytest.raises(TypeError, match=r'\(H, W, 3\), got uint8 \(30, 40\)'):
        draw_timeline(frames_of(2)[..., 0], [1, 1])
    with pytest.raises(ValueError, match='of one size'):
        draw_timeline([frames_of(1)[0], frames_of(1)[0, :-1]], [1, 1])
    with pytest.raises(ValueError, match='at least one frame'):
        draw_timeline([], [])
