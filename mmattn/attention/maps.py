"""Attention records of one video, put in order of its frames and pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mmattn.attention.records import AXES, AttentionRecord, AttentionRecords

PLACES = (('y', 'x'), ('cell_y', 'cell_x'))
UNIFORM_TOLERANCE = 0.01
Picks = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """What one attention map says of the frames of a video.

    Args:
        name: Name of the record, with what was picked of it.
        numbers: Frame numbers, ascending.
        heat: Attention of each place, in the units of the map; None if the map is not
            one of places.
        weights: Share of each frame in all attention, summing to 1; None if the map
            does not tell frames apart or has negative values.
        in_cells: Whether places are cells with borders rather than points.
        roi: Index of the region that the map is of; its places are those of the
            region, not of the frame.

    Shape:
        - numbers, weights: (F,)
        - heat: (F, h, w)
    """

    name: str
    numbers: np.ndarray
    heat: np.ndarray | None
    weights: np.ndarray | None
    in_cells: bool = False
    roi: int | None = None

    @property
    def uniform_in_space(self) -> bool:
        """Whether each frame's places are alike, see :func:`is_uniform`."""
        return self.heat is not None and all(map(is_uniform, self.heat))

    @property
    def uniform_in_time(self) -> bool:
        """Whether all frames weigh alike, see :func:`is_uniform`."""
        return self.weights is not None and is_uniform(self.weights)

    @property
    def uniform(self) -> bool:
        """Whether neither places nor frames differ, see :func:`is_uniform`."""
        places = self.heat is None or is_uniform(self.heat)
        return places and (self.weights is None or self.uniform_in_time)

    @property
    def seen_heat(self) -> np.ndarray | None:
        """Heat as pictures show it and metrics count it: negative values are none."""
        return None if self.heat is None else self.heat.clip(min=0)


def is_uniform(values: np.ndarray, *, tolerance: float = UNIFORM_TOLERANCE) -> bool:
    """Say whether values differ by no more than a share of the largest of them.

    Args:
        values: Values of any shape.
        tolerance: That share, of the largest size of a value.

    Example:
        >>> is_uniform(np.array([0.1, 0.1005])), is_uniform(np.array([0.1, 0.11]))
        (True, False)
    """
    return bool(np.ptp(values) <= tolerance * np.abs(values).max())


def sum_by_frame(
    frames: np.ndarray | Tensor, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add up values that belong to the same frame.

    Args:
        frames: Frame number of each value.
        values: Values, with any further axes.

    Shape:
        - frames: (R, T)
        - values: (R, T, ...)

    Returns:
        Sorted frame numbers (F,), sums (F, ...), and how many values each is of (F,).

    Example:
        >>> found = sum_by_frame(np.array([[3, 5], [5, 5]]), np.array([[1, 2], [3, 4]]))
        >>> [array.tolist() for array in found]
        [[3, 5], [1.0, 9.0], [1, 3]]
    """
    numbers, where = np.unique(np.asarray(frames), return_inverse=True)
    flat = values.reshape(-1, *values.shape[2:])
    sums = np.zeros((len(numbers), *flat.shape[1:]))
    np.add.at(sums, where.reshape(-1), flat)
    return numbers, sums, np.bincount(where.reshape(-1))


def with_frame_numbers(records: AttentionRecords, rows: np.ndarray) -> AttentionRecords:
    """Fill in which frames the records' rows were made from, where it follows.

    The host's recognizers do not say what the rows of a batch are.  With one video in
    the batch it follows from their number: rows are those of the input, or groups of
    ``frame`` successive ones of them, for every crop.

    Args:
        records: Records of one video.
        rows: Frame numbers of each row of the network's input.

    Shape:
        - rows: (R, T), with T = 1 where the network sees frames one by one.

    Returns:
        The records, joined over chunks; those that fit nothing are left as they are.

    Example:
        >>> gate = AttentionRecord('gate', torch.ones(2, 2), ('row', 'frame'))
        >>> rows = np.array([[0, 2, 4, 6], [8, 10, 12, 14]])
        >>> with_frame_numbers(AttentionRecords([gate]), rows)[0].frames.tolist()
        [[0, 4], [8, 12]]
    """
    found = AttentionRecords()
    for record in records.merged():
        frames = record.frames
        if frames is None:
            frames = _frames_of_rows(record, torch.as_tensor(rows))
        found.append(replace(record, frames=frames))
    return found


def attention_maps(
    record: AttentionRecord,
    *,
    picks: Picks | None = None,
    last_steps: int | None = None,
) -> list[AttentionMap]:
    """Reduce a record of one video to maps (frame, y, x), weights of frames, or both.

    All axes but frames and places are averaged, unless one index of them is picked.
    Rows that repeat a frame (crops, overlapping windows) are averaged.

    Args:
        record: The record.
        picks: Index along an axis, as in ``dict(query=2)``; negative ones count from
            the end.
        last_steps: How many last steps of the axis ``step`` to average; by default
            those that make the score, see :class:`AttentionRecord`. A picked step
            counts from the first.

    Returns:
        One map, or one for each region; none if the record does not know its frames
        or has neither frames nor places, as weights of channels.

    Raises:
        ValueError: If an axis is unknown or an index out of its range.

    Example:
        >>> maps = torch.tensor([[[[0.0, 0.1], [0.3, 0.6]]]])
        >>> frames = torch.tensor([[5]])
        >>> axes = ('row', 'frame', 'y', 'x')
        >>> record = AttentionRecord('head.w', maps, axes, frames=frames)
        >>> (found,) = attention_maps(record)
        >>> found.heat.shape, found.weights.tolist()
        ((1, 2, 2), [1.0])
    """
    check_picks(picks)
    picks = picks or {}
    if record.frames is None:
        return []
    if record.roi is not None:
        return _of_regions(record, picks, last_steps)
    every_step = 'step' in picks
    maps = (
        record.map.double().cpu() if every_step else record.scored(last_steps)
    ).numpy()
    axes = list(record.axes)
    name = record.name
    for axis, index in picks.items():
        if axis in axes:
            maps = _pick(record, maps, axes, axis, index)
            axes.remove(axis)
            name += f' {axis} {index}'
    places = next((pair for pair in PLACES if set(pair) <= set(axes)), ())
    if not _can_be_drawn(axes, places):
        return []
    kept = [axis for axis in ('row', 'frame', *places) if axis in axes]
    if 'channel' in axes and not places:  # each query's weights of all channels
        maps = maps.sum(axis=axes.index('channel'), keepdims=True)
    rest = tuple(k for k, axis in enumerate(axes) if axis not in kept)
    maps = maps.mean(axis=rest)
    axes = [axis for axis in axes if axis in kept]
    maps = maps.transpose([axes.index(axis) for axis in kept])
    per_frame = 'frame' in axes or record.frames.shape[1] == 1
    if 'frame' not in axes:  # (row, y, x): the same for all frames of the row
        count = record.frames.shape[1]
        maps = np.broadcast_to(maps[:, None], (len(maps), count, *maps.shape[1:]))
    numbers, sums, counts = sum_by_frame(record.frames, maps)
    return [
        AttentionMap(
            name,
            numbers,
            heat=sums / counts[:, None, None] if places else None,
            weights=_shares(sums) if per_frame else None,
            in_cells='cell_y' in places,
        )
    ]


def check_picks(picks: Picks | None) -> None:
    """Refuse what is no axis, or an axis that cannot be picked from.

    Raises:
        ValueError: Naming it.

    Example:
        >>> check_picks(dict(query=2))
    """
    allowed = [axis for axis in AXES if axis not in ('row', 'frame', *sum(PLACES, ()))]
    unknown = [axis for axis in picks or {} if axis not in allowed]
    if unknown:
        raise ValueError(f'picks: expected axes among {allowed}, got {unknown}')


def _frames_of_rows(record: AttentionRecord, rows: Tensor) -> Tensor | None:
    R, T = rows.shape
    count, axes = len(record.map), record.axes
    if 'frame' in axes:
        size = record.map.shape[axes.index('frame')]
        if T == 1 and R % size == 0:  # frames one by one, grouped
            frames = rows.reshape(-1, size)
        else:
            frames = rows[:, :: max(1, -(-T // size))]
        if frames.shape[1] != size:
            return None
    else:
        single = record.roi is None and count % (R * T) == 0
        frames = rows.reshape(-1, 1) if single else rows
    if count % len(frames):
        return None
    return frames.repeat(count // len(frames), 1)  # crop after crop


def _of_regions(
    record: AttentionRecord, picks: Picks, last_steps: int | None
) -> list[AttentionMap]:
    maps = []
    regions = record.roi or ()
    for roi in sorted(set(regions)):
        part = record.take([row for row, other in enumerate(regions) if other == roi])
        part = replace(part, name=f'{record.name} region {roi}', roi=None)
        found = attention_maps(part, picks=picks, last_steps=last_steps)
        maps += [replace(attention, roi=roi) for attention in found]
    return maps


def _pick(
    record: AttentionRecord, maps: np.ndarray, axes: list[str], axis: str, index: int
) -> np.ndarray:
    where = axes.index(axis)
    size = maps.shape[where]
    if not -size <= index < size:
        raise ValueError(
            f"picks.{axis}: expected {-size} to {size - 1} in the map '{record.name}', "
            f'got {index}'
        )
    return maps.take(index, axis=where)


def _can_be_drawn(axes: list[str], places: tuple[str, ...]) -> bool:
    # Of weights of channels, frames are told apart by those of attention from one
    # channel to all, but not by gates nor by weights that sum to 1 in each frame.
    return 'key' not in axes and (
        bool(places) or ('frame' in axes and ('channel' not in axes or 'query' in axes))
    )


def _shares(sums: np.ndarray) -> np.ndarray | None:
    mass = sums.reshape(len(sums), -1).sum(axis=1)
    if sums.min() < 0 or mass.sum() <= 0:
        return None
    return mass / mass.sum()
