"""What one model sees of one video, attends to and predicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmattn.attention.maps import (
    AttentionMap,
    Picks,
    attention_maps,
    with_frame_numbers,
)
from mmattn.attention.records import AttentionRecords
from mmattn.inference.attend import attend
from mmattn.inference.inputs import NetworkInput, is_frames, whole_frames
from mmattn.inference.models import names_of_classes
from mmattn.visualization.contact_sheet import Row
from mmattn.visualization.heat_overlay import (
    WHOLE,
    Box,
    OverlayStyle,
    draw_boxes,
    draw_overlay,
    place_heat,
    scale_heat,
    weight_strips,
)


class DrawableAttention(NamedTuple):
    """What a model sees of a video, attends to and predicts.

    Args:
        pictures: RGB pictures (H, W, 3) by frame number, ascending.
        box: Part of the pictures that the network has seen: left, top, right and
            bottom in fractions.
        records: All records, with frame numbers where these are known.
        maps: What of the records can be drawn.
        scores: Scores of the classes, of the video (1, K) or of each region (R, K).
        regions: Regions that a detector has looked at, in fractions of the pictures.
        frame_scores: Scores of the classes by frame number, of a head that predicts
            each frame.
        classes: Names of the classes.
        crop: Part of the original frames that the network has seen; None where it is
            not known.
    """

    pictures: dict[int, np.ndarray]
    box: Box
    records: AttentionRecords
    maps: list[AttentionMap]
    scores: np.ndarray
    regions: Sequence[Box] = ()
    frame_scores: Mapping[int, np.ndarray] | None = None
    classes: Sequence[str] = ()
    crop: Box | None = None

    def frame_classes(self) -> dict[int, tuple[str, float]]:
        """Return the class and its score of each frame that a head has predicted."""
        return {
            number: (self.classes[int(scores.argmax())], float(scores.max()))
            for number, scores in (self.frame_scores or {}).items()
        }

    def captions(self) -> list[int | str]:
        """Return the number of each picture, with class and score where known."""
        known = self.frame_classes()
        return [
            f'{number}: {known[number][0]} {known[number][1]:.2f}'
            if number in known
            else number
            for number in self.pictures
        ]

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the classes of the highest scores, best first, of each region.

        Args:
            count: How many.
        """
        found = []
        for region, scores in enumerate(self.scores):
            who = f'person {region}: ' if self.regions else ''
            order = np.argsort(-scores, kind='stable')[:count].tolist()
            found += [(who + self.classes[k], float(scores[k])) for k in order]
        return found

    def outcome(self) -> str:
        """Return the best class, of each region, with its score."""
        return ' · '.join(f'{name} ({score:.2f})' for name, score in self.top(1))


def drawable_attention(
    model: Any,
    seen: NetworkInput,
    *,
    names: Sequence[str] | None = None,
    picks: Picks | None = None,
    classes: Sequence[str] | str | Path | None = None,
) -> DrawableAttention:
    """Predict one video and collect what can be drawn of the model's attention.

    Args:
        model: Recognizer in eval mode.
        seen: Its input.
        names: Patterns of the records wanted; all by default.
        picks: See :func:`mmattn.attention.maps.attention_maps`.
        classes: See :func:`mmattn.inference.models.names_of_classes`.

    Raises:
        ValueError: If no record fits ``names``, a pick is out of range, or ``classes``
            are not those of the model.
    """
    ((sample, records),) = attend(model, [seen.item])
    wanted = with_frame_numbers(records.matching(names), seen.numbers)
    maps = [
        attention
        for record in wanted
        for attention in attention_maps(record, picks=picks)
    ]
    regions = seen.regions()
    scores = sample.pred_instances.scores if regions else sample.pred_score[None]
    scores = scores.detach().float().cpu().numpy()
    return DrawableAttention(
        seen.pictures(),
        WHOLE,
        wanted,
        maps,
        scores,
        regions,
        _frame_scores(sample, seen),
        names_of_classes(model, classes),
        seen.crop,
    )


def _frame_scores(sample: Any, seen: NetworkInput) -> dict[int, np.ndarray] | None:
    """Scores of each frame by its number; the first time counts, if it was repeated."""
    if 'pred_frame_scores' not in sample:
        return None
    scores = sample.pred_frame_scores.detach().float().cpu().numpy()
    numbers = seen.numbers.reshape(-1).tolist()
    pairs = list(zip(numbers, scores, strict=True))
    return dict(sorted(dict(reversed(pairs)).items()))


def on_whole_frames(
    attended: DrawableAttention, video: Path, numbers: Sequence[int] | None = None
) -> DrawableAttention:
    """Put the frames of a video file as they are in place of the network's input.

    Args:
        attended: What is drawn.
        video: The file.
        numbers: Numbers of the frames to draw on; all by default.

    Raises:
        ValueError: If it is no file, or the crop is not known.
    """
    if attended.crop is None or is_frames(video):
        raise ValueError(
            'whole_frame: expected a video file, and a pipeline with a CenterCrop or '
            f'none, and without a flip, got {video}'
        )
    left, top, right, bottom = attended.crop
    scale = np.array([right - left, bottom - top] * 2)
    shift = np.array([left, top] * 2)
    return attended._replace(
        pictures=whole_frames(video, numbers or list(attended.pictures)),
        box=attended.crop,
        regions=[tuple((box * scale + shift).tolist()) for box in attended.regions],
    )


def overlay_rows(
    attended: DrawableAttention,
    style: OverlayStyle,
    positions: Sequence[int] | np.ndarray | None = None,
) -> list[Row]:
    """Draw the input and each map over it, one row of pictures each.

    Frames that a map skips show its nearest frame. Weights of frames are a bar at the
    lower edge. A map of a region is drawn inside of its box. A map that is uniform, see
    :func:`mmattn.attention.maps.is_uniform`, is called so.

    Args:
        attended: What to draw.
        style: How to draw heat, scaled by all frames.
        positions: Which of the pictures to draw, by their places; all by default.
    """
    numbers = np.array(list(attended.pictures))
    numbers = numbers if positions is None else numbers[np.asarray(positions)]
    images = np.stack([attended.pictures[number] for number in numbers.tolist()])
    rows = [Row('input', draw_boxes(images, attended.regions))]
    for attention in attended.maps:
        if attention.heat is None and attention.weights is None:
            continue
        nearest = np.abs(numbers[:, None] - attention.numbers).argmin(axis=1)
        drawn = images
        box = attended.box if attention.roi is None else attended.regions[attention.roi]
        if attention.heat is not None:
            heat = scale_heat(attention.heat, style.scale)[nearest]
            placed = place_heat(
                heat, images.shape[1:3], in_cells=attention.in_cells, box=box
            )
            drawn = draw_overlay(images, placed, style)
        if attention.roi is not None:
            if attention.heat is not None:
                drawn = np.where(np.isnan(placed)[..., None], images, drawn)
            drawn = draw_boxes(drawn, [box])
        if attention.weights is not None:
            top = float(attention.weights.max())
            drawn = weight_strips(drawn, attention.weights[nearest], top=top)
        name = f'{attention.name} (uniform)' if attention.uniform else attention.name
        rows.append(Row(name, drawn, _bar_ends(attention, style)))
    return rows


def _bar_ends(attention: AttentionMap, style: OverlayStyle) -> tuple[str, str] | None:
    """What the ends of the colors stand for, in the units of the map."""
    if attention.heat is None or style.kind == 'contour':
        return None
    low = attention.heat.min() if style.scale == 'range' else 0.0
    high = (
        "a frame's largest" if style.scale == 'frame' else f'{attention.heat.max():.3g}'
    )
    return f'{low:.3g}', high
