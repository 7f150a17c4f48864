"""What one model sees of one video, attends to and predicts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mmattn.apis.attention import attend
from mmattn.apis.network_inputs import NetworkInput
from mmattn.apis.timelines import class_name
from mmattn.utils.attention_layers import (
    AttentionLayer,
    Picks,
    attention_layers,
    located,
)
from mmattn.utils.attention_records import AttentionRecords
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


class Attended(NamedTuple):
    """What a model sees of a video, attends to and predicts.

    Args:
        pictures: RGB pictures (H, W, 3) by frame number, ascending.
        box: Part of the pictures that the network has seen: left, top, right and
            bottom in fractions.
        records: All records, with frame numbers where these are known.
        layers: What of the records can be drawn.
        scores: Scores of the classes, of the video (1, K) or of each region (R, K).
        regions: Regions that a detector has looked at, in fractions of the pictures.
    """

    pictures: dict[int, np.ndarray]
    box: Box
    records: AttentionRecords
    layers: list[AttentionLayer]
    scores: np.ndarray
    regions: Sequence[Box] = ()

    def top(
        self, count: int, classes: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """Return the classes of the highest scores, best first, of each region.

        Args:
            count: How many.
            classes: Names of the classes.
        """
        found = []
        for region, scores in enumerate(self.scores):
            who = f'person {region}: ' if self.regions else ''
            order = np.argsort(-scores, kind='stable')[:count].tolist()
            found += [(who + class_name(k, classes), float(scores[k])) for k in order]
        return found

    def outcome(self, classes: Sequence[str] | None = None) -> str:
        """Return the best class, of each region, with its score.

        Args:
            classes: Names of the classes.
        """
        best = self.top(1, classes)
        return ' · '.join(f'{name} ({score:.2f})' for name, score in best)


def look(
    model: Any,
    seen: NetworkInput,
    *,
    names: Sequence[str] | None = None,
    picks: Picks | None = None,
) -> Attended:
    """Predict one video and collect what can be drawn of the model's attention.

    Args:
        model: Recognizer in eval mode.
        seen: Its input.
        names: Patterns of the records wanted; all by default.
        picks: See :func:`mmattn.utils.attention_layers.attention_layers`.

    Raises:
        ValueError: If no record fits ``names``, or a pick is out of range.
    """
    ((sample, records),) = attend(model, [seen.item])
    found = sorted({record.name for record in records})
    patterns = list(names or ['*'])
    unknown = [pattern for pattern in patterns if not records.by_name(pattern)]
    if unknown:
        raise ValueError(f'names: expected some of the maps {found}, got {unknown}')
    wanted = AttentionRecords(
        record
        for record in records
        if any(record in records.by_name(pattern) for pattern in patterns)
    )
    wanted = located(wanted, seen.numbers)
    head = getattr(model, 'cls_head', None)
    last_steps = getattr(head, 'test_steps', None)
    layers = [
        layer
        for record in wanted
        for layer in attention_layers(record, picks=picks, last_steps=last_steps)
    ]
    regions = seen.regions()
    scores = sample.pred_instances.scores if regions else sample.pred_score[None]
    scores = scores.detach().float().cpu().numpy()
    return Attended(seen.pictures(), WHOLE, wanted, layers, scores, regions)


def overlay_rows(attended: Attended, style: OverlayStyle) -> list[Row]:
    """Draw the input and each layer over it, one row of pictures each.

    Frames that a map skips show its nearest frame. Weights of frames are a bar at the
    lower edge. A map of a region is drawn inside of its box.

    Args:
        attended: What to draw.
        style: How to draw heat.
    """
    images = np.stack(list(attended.pictures.values()))
    numbers = np.array(list(attended.pictures))
    rows = [('input', draw_boxes(images, attended.regions))]
    for layer in attended.layers:
        if layer.heat is None and layer.weights is None:
            continue
        nearest = np.abs(numbers[:, None] - layer.numbers).argmin(axis=1)
        drawn = images
        box = attended.box if layer.roi is None else attended.regions[layer.roi]
        if layer.heat is not None:
            heat = scale_heat(layer.heat, style.scale)[nearest]
            placed = place_heat(
                heat, images.shape[1:3], in_cells=layer.in_cells, box=box
            )
            drawn = draw_overlay(images, placed, style)
        if layer.roi is not None:
            if layer.heat is not None:
                drawn = np.where(np.isnan(placed)[..., None], images, drawn)
            drawn = draw_boxes(drawn, [box])
        if layer.weights is not None:
            drawn = weight_strips(drawn, layer.weights[nearest])
        rows.append((layer.name, drawn))
    return rows
