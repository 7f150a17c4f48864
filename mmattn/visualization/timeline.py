"""Frames of a video in a row, with the weight that a model gives to each."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib import colormaps
from torch import Tensor

from mmattn.visualization.text import Text, draw_texts, fit_text, text_width
from mmattn.visualization.timeline_layout import (
    AXIS_WIDTH,
    BAR_HEIGHT,
    GAP,
    LINE_HEIGHT,
    MARGIN,
    NUMBER_HEIGHT,
    VALUE_HEIGHT,
    Box,
    TimelineLayout,
    bar_heights,
    timeline_layout,
)

BAR = (66, 114, 168)
KEY = (230, 120, 0)
UNIFORM = (60, 60, 60)
BASELINE = (200, 200, 200)

BORDER = 4
TICK_HEIGHT = 5
SWATCH_WIDTH = 24
SMALL, NORMAL, LARGE = 8.0, 9.5, 12.0


def draw_timeline(
    frames: Mapping[int, np.ndarray] | Sequence[np.ndarray] | np.ndarray,
    weights: Sequence[float] | np.ndarray | Tensor,
    *,
    key_frames: Sequence[int] | np.ndarray | None = None,
    frame_numbers: Sequence[int] | np.ndarray | Tensor | None = None,
    title: str | None = None,
    label: str | None = None,
    prediction: str | None = None,
    uniform: bool = True,
) -> np.ndarray:
    """Draw the frames of a video with a bar of weight under each.

    Weights of several steps are averaged in the bars and shown one by one in a strip
    under them.  Several windows of one video are given one after the other.

    Args:
        frames: RGB frames, 0 to 255; of a long video a mapping from the positions of
            :func:`shown_positions` will do.
        weights: Attention weights, not negative.
        key_frames: Positions (0 to T - 1) of the frames that show the action, where
            the ground truth is known; they get an orange border and tick.
        frame_numbers: Numbers written under the frames; None counts from 0.
        title: First line of text.
        label: Name of the true class.
        prediction: Name of the predicted class.
        uniform: Whether to draw a line at the weight that each frame would have if
            the same total were spread evenly.

    Shape:
        - frames: :math:`(T, H, W, 3)`
        - weights: :math:`(T)` or :math:`(steps, T)`
        - frame_numbers: :math:`(T)`

    Returns:
        The picture :math:`(H', W', 3)`, RGB, uint8.

    Raises:
        TypeError: If the frames are no uint8 images.
        ValueError: If lengths differ, a weight is negative or no number, or a key
            frame is out of range.

    Example:
        >>> video = np.zeros((4, 24, 32, 3), dtype=np.uint8)
        >>> draw_timeline(video, [0.1, 0.2, 0.6, 0.1], key_frames=[2]).shape
        (236, 580, 3)
    """
    images = _checked_frames(frames)
    count = np.shape(weights)[-1] if isinstance(frames, Mapping) else len(images)
    steps = _checked_weights(weights, count)
    keys = _checked_keys(key_frames, count)
    numbers = _checked_numbers(frame_numbers, count)
    mean = steps.mean(0)
    legend = _legend(steps, mean, bool(keys), uniform)
    outcome = [('label', label), ('prediction', prediction)]
    outcome_line = ' · '.join(f'{key}: {text}' for key, text in outcome if text)
    lines = [line for line in (title, outcome_line) if line]
    shape = next(iter(images.values())).shape
    layout = timeline_layout(
        count,
        shape[0] / shape[1],
        num_steps=len(steps) if len(steps) > 1 else 0,
        num_lines=len(lines) + bool(legend),
    )
    texts = _header_texts(layout, lines, bool(title))
    texts += _bar_texts(layout, mean, numbers)
    texts += _axis_texts(layout, mean, len(steps))
    swatches, legend_texts = _place_legend(legend, len(lines))
    canvas = draw_texts(layout.width, layout.height, texts + legend_texts)
    _paint_bars(canvas, layout, mean, keys)
    if uniform:
        _paint_uniform(canvas, layout, mean)
    _paint_heat(canvas, layout, steps)
    for kind, place in swatches:
        _paint_swatch(canvas, kind, place)
    for frame, place in layout.thumbs:
        _paint_thumb(canvas, images[frame], place, frame in keys)
    return canvas


def shown_positions(count: int) -> list[int]:
    """Return which frames of a timeline are shown, at most 60.

    Args:
        count: Number of frames, at least 1.

    Example:
        >>> shown_positions(3), len(shown_positions(45000))
        ([0, 1, 2], 15)
    """
    return [position for position, _ in timeline_layout(count, 1.0).thumbs]


def _checked_frames(
    frames: Mapping[int, np.ndarray] | Sequence[np.ndarray] | np.ndarray,
) -> dict[int, np.ndarray]:
    pairs = frames.items() if isinstance(frames, Mapping) else enumerate(frames)
    images = {position: np.asarray(frame) for position, frame in pairs}
    if not images:
        raise ValueError('expected at least one frame, got none')
    first = next(iter(images.values()))
    for image in images.values():
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise TypeError(
                'expected frames as uint8 arrays (H, W, 3), got '
                f'{image.dtype} {image.shape}'
            )
        if image.shape != first.shape:
            raise ValueError(
                f'expected frames of one size, got {first.shape} and {image.shape}'
            )
    return images


def _checked_weights(
    weights: Sequence[float] | np.ndarray | Tensor, count: int
) -> np.ndarray:
    """Return the weights as (steps, T), float64."""
    if isinstance(weights, Tensor):
        weights = weights.detach().cpu().double().numpy()
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim not in (1, 2) or values.shape[-1] != count or not values.size:
        raise ValueError(
            f'expected weights ({count},) or (steps, {count}), one per frame, got '
            f'{values.shape}'
        )
    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError(
            f'expected finite weights of at least 0, got {values.min()} to '
            f'{values.max()}'
        )
    return np.atleast_2d(values)


def _checked_keys(
    key_frames: Sequence[int] | np.ndarray | None, count: int
) -> set[int]:
    keys = np.asarray([] if key_frames is None else key_frames)
    if keys.dtype == bool:
        raise TypeError('expected key_frames as positions, got a mask')
    if keys.size and (keys.min() < 0 or keys.max() >= count):
        raise ValueError(
            f'expected key_frames from 0 to {count - 1}, got {sorted(keys.tolist())}'
        )
    return {int(key) for key in keys}


def _checked_numbers(
    frame_numbers: Sequence[int] | np.ndarray | Tensor | None, count: int
) -> list[int]:
    if frame_numbers is None:
        return list(range(count))
    numbers = [int(number) for number in frame_numbers]
    if len(numbers) != count:
        raise ValueError(f'expected {count} frame_numbers, got {len(numbers)}')
    return numbers


def _format(value: float, top: float) -> str:
    return f'{value:.3f}' if 0.01 <= top < 100 or value == 0 else f'{value:.1e}'


def _legend(
    steps: np.ndarray, mean: np.ndarray, has_keys: bool, uniform: bool
) -> list[tuple[str, str]]:
    """Return pairs of a kind of swatch and its text."""
    bar = 'weight' if len(steps) == 1 else f'mean weight of {len(steps)} steps'
    legend = [('bar', bar)]
    if uniform:
        legend.append(('uniform', f'uniform {_format(mean.mean(), mean.max())}'))
    if has_keys:
        legend.append(('key', 'key frame'))
    if len(steps) > 1:
        legend.append(('heat', f'steps, 0 to {_format(steps.max(), steps.max())}'))
    return legend


def _place_legend(
    legend: list[tuple[str, str]], line: int
) -> tuple[list[tuple[str, Box]], list[Text]]:
    x, y = MARGIN, MARGIN // 2 + line * LINE_HEIGHT
    swatches, texts = [], []
    for kind, words in legend:
        swatches.append((kind, Box(x, y + LINE_HEIGHT // 2 - 5, SWATCH_WIDTH, 10)))
        x += SWATCH_WIDTH + GAP
        texts.append(Text(x, y + LINE_HEIGHT // 2, words, SMALL))
        x += text_width(words, SMALL) + 3 * GAP
    return swatches, texts


def _header_texts(
    layout: TimelineLayout, lines: list[str], has_title: bool
) -> list[Text]:
    texts = []
    for index, line in enumerate(lines):
        is_title = has_title and index == 0
        size = LARGE if is_title else NORMAL
        words = fit_text(line, size, layout.width - 2 * MARGIN, bold=is_title)
        y = MARGIN // 2 + index * LINE_HEIGHT + LINE_HEIGHT // 2
        texts.append(Text(MARGIN, y, words, size, bold=is_title))
    return texts


def _bar_texts(
    layout: TimelineLayout, mean: np.ndarray, numbers: list[int]
) -> list[Text]:
    texts = []
    for frame, _ in layout.thumbs:
        bar = layout.bars[frame]
        x, y = bar.x + bar.width // 2, bar.y + bar.height + NUMBER_HEIGHT - 9
        texts.append(Text(x, y, str(numbers[frame]), SMALL, align='center'))
        if not layout.dense:
            words = _format(mean[frame], mean.max())
            y = bar.y - VALUE_HEIGHT // 2
            texts.append(Text(x, y, words, SMALL, align='center'))
    return texts


def _axis_texts(layout: TimelineLayout, mean: np.ndarray, num_steps: int) -> list[Text]:
    texts = []
    x = MARGIN + AXIS_WIDTH - GAP
    for top in sorted({bar.y for bar in layout.bars}):
        words = _format(mean.max(), mean.max())
        texts.append(Text(x, top + 4, words, SMALL, align='right'))
        texts.append(Text(x, top + BAR_HEIGHT - 4, '0', SMALL, align='right'))
        texts.append(Text(x, top + BAR_HEIGHT + 13, 'frame', SMALL, align='right'))
    for top, height in sorted({(heat.y, heat.height) for heat in layout.heats}):
        texts.append(Text(x, top + 5, 'step 1', SMALL, align='right'))
        texts.append(Text(x, top + height - 5, f'{num_steps}', SMALL, align='right'))
    return texts


def _fill(canvas: np.ndarray, place: Box, color: tuple[int, int, int]) -> None:
    canvas[place.rows(), place.columns()] = color


def _paint_bars(
    canvas: np.ndarray, layout: TimelineLayout, mean: np.ndarray, keys: set[int]
) -> None:
    heights = bar_heights(mean)
    for frame, (bar, height) in enumerate(zip(layout.bars, heights, strict=True)):
        bottom = bar.y + bar.height
        _fill(canvas, Box(bar.x, bottom - height, bar.width, height), BAR)
        _fill(canvas, Box(bar.x, bottom, bar.width, 1), BASELINE)
        if frame in keys:
            width = max(2, bar.width)
            _fill(canvas, Box(bar.x, bottom, width, TICK_HEIGHT), KEY)


def _paint_uniform(
    canvas: np.ndarray, layout: TimelineLayout, mean: np.ndarray
) -> None:
    if mean.max() == 0:
        return
    height = round(BAR_HEIGHT * mean.mean() / mean.max())
    for top in {bar.y for bar in layout.bars}:
        row = [bar for bar in layout.bars if bar.y == top]
        start, end = row[0].x, row[-1].x + row[-1].width
        _dash(canvas, Box(start, top + BAR_HEIGHT - height, end - start, 1))


def _dash(canvas: np.ndarray, place: Box) -> None:
    for x in range(place.x, place.x + place.width, 8):
        end = min(x + 5, place.x + place.width)
        canvas[place.rows(), x:end] = UNIFORM


def _heat_colors(values: np.ndarray) -> np.ndarray:
    return colormaps['viridis'](values, bytes=True)[..., :3]


def _paint_heat(canvas: np.ndarray, layout: TimelineLayout, steps: np.ndarray) -> None:
    scale = steps.max() if steps.max() > 0 else 1.0
    for frame, heat in enumerate(layout.heats):
        step = np.arange(heat.height) * len(steps) // heat.height
        colors = _heat_colors(steps[step, frame] / scale)
        canvas[heat.rows(), heat.columns()] = colors[:, None]


def _paint_swatch(canvas: np.ndarray, kind: str, place: Box) -> None:
    if kind == 'uniform':
        _dash(canvas, Box(place.x, place.y + place.height // 2, place.width, 1))
    elif kind == 'heat':
        ramp = _heat_colors(np.linspace(0, 1, place.width))
        canvas[place.rows(), place.columns()] = ramp
    else:
        _fill(canvas, place, {'bar': BAR, 'key': KEY}[kind])


def _paint_thumb(
    canvas: np.ndarray, image: np.ndarray, place: Box, is_key: bool
) -> None:
    size = (place.width, place.height)
    thumb = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if is_key:
        _fill(canvas, place, KEY)
        inner = slice(BORDER, -BORDER)
        canvas[place.rows(), place.columns()][inner, inner] = thumb[inner, inner]
    else:
        canvas[place.rows(), place.columns()] = thumb
