"""What a network has seen of a clip, and what it attends to, as one picture."""

import numpy as np

from mmattn.attention.maps import AttentionMap, attention_maps
from mmattn.attention.records import AttentionRecord, AttentionRecords
from mmattn.inference.inputs import NetworkInput
from mmattn.utils.arrays import evenly
from mmattn.visualization.contact_sheet import draw_sheet
from mmattn.visualization.drawable_attention import DrawableAttention, overlay_rows
from mmattn.visualization.heat_overlay import WHOLE, OverlayStyle


def draw_seen_clip(
    clip: NetworkInput,
    attention: AttentionRecords,
    *,
    title: str = '',
    columns: int = 8,
) -> np.ndarray:
    """Draw frames in a row, and below them each attention map over the same frames.

    Of several crops the first is drawn.

    Args:
        clip: What the network has seen.
        attention: What it attends to, with frame numbers.
        title: First line of text.
        columns: Most frames, evenly taken.

    Returns:
        The picture (H', W', 3), RGB, uint8.

    Raises:
        ValueError: If the input is no RGB video nor flow in uint8.
    """
    pictures = clip.pictures()
    maps: list[AttentionMap] = []
    for record in attention:
        maps += attention_maps(_first_crop(record, clip.num_crops))
    attended = DrawableAttention(pictures, WHOLE, attention, maps, np.zeros((0, 0)))
    kept = evenly(len(pictures), columns)
    rows = [
        row._replace(pictures=row.pictures[kept])
        for row in overlay_rows(attended, OverlayStyle())
    ]
    numbers = [list(pictures)[k] for k in kept]
    return draw_sheet(rows, numbers, title=title)


def _first_crop(record: AttentionRecord, num_crops: int) -> AttentionRecord:
    if record.crop is not None:
        first = min(record.crop)
        return record.take([k for k, crop in enumerate(record.crop) if crop == first])
    count, rest = divmod(len(record.map), num_crops)
    return record if rest else record.take(range(count))
