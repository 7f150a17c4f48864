"""Attention maps as modules handed them out, with what is known of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor

AXES = {
    'row': 'first axis of every map: what the module sees as its batch',
    'step': 'steps of a recurrent model that looks at the same frames again',
    'scale': 'levels of a feature pyramid',
    'head': 'attention heads',
    'query': 'positions that attend, flattened',
    'key': 'positions that are attended to, where they are no frames or pixels',
    'channel': 'feature channels',
    'roi': 'regions of one row, where rows are not regions themselves',
    'frame': 'frames, or groups of neighboring frames',
    'y': 'rows of the feature map, top to bottom',
    'x': 'columns of the feature map, left to right',
    'cell_y': 'cells into which the height is cut',
    'cell_x': 'cells into which the width is cut',
}
ROW_INFO = ('sample', 'crop', 'window', 'roi')
TENSORS = ('frames', 'boxes')  # what else is known of rows


@dataclass(frozen=True, eq=False)
class AttentionRecord:
    """The maps that one module handed out in one forward.

    Args:
        name: Qualified name of the module and name of the map, as in
            ``'cls_head.frame_weights'``.
        map: Detached maps.
        axes: One name of :data:`AXES` per axis of ``map``.
        sample: Index of the video in the batch, per row; None if unknown.
        crop: Index of the crop of that video, per row.
        roi: Index of the region of that video, per row.
        frames: Numbers of the video frames along the axis ``frame``; without this
            axis, of the frames that the row was made from.
        window: Index of the window of that video, per row.
        boxes: Left, top, right and bottom of the region that each row is of, in
            fractions of the frames as the network sees them.
        last_steps: How many last steps of the axis ``step`` make the score of a video;
            None for all.

    Shape:
        - map: :math:`(rows, ...)`
        - frames: :math:`(rows, T)`
        - boxes: :math:`(rows, 4)`
    """

    name: str
    map: Tensor
    axes: tuple[str, ...]
    sample: tuple[int, ...] | None = None
    crop: tuple[int, ...] | None = None
    roi: tuple[int, ...] | None = None
    frames: Tensor | None = None
    window: tuple[int, ...] | None = None
    boxes: Tensor | None = None
    last_steps: int | None = None

    def __repr__(self) -> str:
        sizes = zip(self.axes, self.map.shape, strict=True)
        shape = ', '.join(f'{axis} {size}' for axis, size in sizes)
        return f'{type(self).__name__}({self.name!r}: {shape})'

    def scored(self, last_steps: int | None = None) -> Tensor:
        """Return the map of the steps that make the score of a video, in float64.

        Args:
            last_steps: How many last steps; those of the model by default.

        Raises:
            ValueError: If there are not so many steps.
        """
        maps = self.map.detach().cpu().double()
        count = self.last_steps if last_steps is None else last_steps
        if 'step' not in self.axes or count is None:
            return maps
        axis = self.axes.index('step')
        size = maps.shape[axis]
        if not 1 <= count <= size:
            raise ValueError(
                f'last_steps: expected 1 to {size} of the map {self.name!r}, got '
                f'{count}'
            )
        return maps.narrow(axis, size - count, count)

    def take(self, rows: Sequence[int]) -> 'AttentionRecord':
        """Return a record of some of the rows.

        Args:
            rows: Indices of the rows to keep, in the order wanted.
        """
        kept: dict[str, Any] = {
            key: tuple(getattr(self, key)[row] for row in rows)
            for key in ROW_INFO
            if getattr(self, key) is not None
        }
        index = torch.tensor(rows, dtype=torch.long)
        for key in TENSORS:
            value = getattr(self, key)
            kept[key] = None if value is None else value[index]
        return replace(self, map=self.map[index.to(self.map.device)], **kept)


class AttentionRecords(list[AttentionRecord]):
    """Records in the order in which they were handed out.

    Example:
        >>> maps = torch.arange(6.0).view(3, 2)
        >>> record = AttentionRecord('head.w', maps, ('row', 'frame'), (0, 0, 1))
        >>> AttentionRecords([record]).by_sample(1)[0].map
        tensor([[4., 5.]])
    """

    def by_name(self, pattern: str) -> 'AttentionRecords':
        """Return the records whose name fits.

        Args:
            pattern: Shell pattern, as in ``'backbone.*'``.
        """
        return AttentionRecords(r for r in self if fnmatchcase(r.name, pattern))

    def matching(self, patterns: Sequence[str] | None) -> 'AttentionRecords':
        """Return the records whose names fit any of several patterns.

        Args:
            patterns: Shell patterns; all records without any.

        Raises:
            ValueError: If a pattern fits no record.
        """
        unknown = [x for x in patterns or () if not self.by_name(x)]
        if unknown:
            names = sorted({record.name for record in self})
            raise ValueError(f'names: expected some of the maps {names}, got {unknown}')
        return AttentionRecords(
            record
            for record in self
            if any(fnmatchcase(record.name, x) for x in patterns or ['*'])
        )

    def by_sample(self, index: int) -> 'AttentionRecords':
        """Return the rows of one video; records without such rows are left out.

        Args:
            index: Index of the video in the batch.

        Raises:
            ValueError: If a record does not know its videos.
        """
        found = AttentionRecords()
        for record in self:
            if record.sample is None:
                raise ValueError(
                    f"expected sample indices in the record '{record.name}', got none: "
                    'run its module inside attention_rows(sample=...)'
                )
            rows = [row for row, sample in enumerate(record.sample) if sample == index]
            if rows:
                found.append(record.take(rows))
        return found

    def merged(self) -> 'AttentionRecords':
        """Join records of the same name row after row, as after a trunk in chunks.

        Only records that agree in every axis but ``row`` and in what they know of
        their rows are joined; others of the same name stay apart.
        """
        groups: dict[tuple, list[AttentionRecord]] = {}
        for record in self:
            groups.setdefault(_kind(record), []).append(record)
        return AttentionRecords(_join(group) for group in groups.values())


def _kind(record: AttentionRecord) -> tuple:
    known = tuple(getattr(record, key) is not None for key in (*ROW_INFO, 'boxes'))
    width = None if record.frames is None else record.frames.shape[1]
    shape, steps = record.map.shape[1:], record.last_steps
    return record.name, record.axes, shape, known, width, steps


def _join(group: list[AttentionRecord]) -> AttentionRecord:
    first = group[0]
    joined: dict[str, Any] = {
        key: tuple(value for record in group for value in getattr(record, key))
        for key in ROW_INFO
        if getattr(first, key) is not None
    }
    for key in TENSORS:
        parts = [getattr(r, key) for r in group if getattr(r, key) is not None]
        joined[key] = torch.cat(parts) if parts else None
    return replace(first, map=torch.cat([record.map for record in group]), **joined)
