"""The table that answers: does this map explain this model?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mmattn.evaluation.functional.faithfulness import (
    Interval,
    mean_interval,
    rank_agreement,
    verdict,
)
from mmattn.explain.faithfulness import CENTER, RANDOM, Curves, VideoResult
from mmattn.explain.maps import REDRAWN
from mmattn.explain.units import OVERS, Over
from mmattn.utils.text import markdown_table

HEADER = (
    'map',
    'over',
    'videos',
    'deletion',
    'insertion',
    'gain over random [95 %]',
    'gain over center [95 %]',
    'sensitivity',
    'head redrawn',
    'all redrawn',
    'explains the model',
)


NOTHING = Interval(float('nan'), float('nan'), float('nan'), 0)


class TableRow(NamedTuple):
    """One map over one kind of units, in all videos.

    Args:
        name: Name of the map.
        over: What is taken away.
        deletion: Area under the deletion curve.
        insertion: Area under the insertion curve.
        over_random: Gain, insertion less deletion, above that of random maps.
        over_center: The same above the map that looks at the middle.
        sensitivity: Mean correlation with what sets of units are worth.
        redrawn: Mean agreement with the map after drawing weights anew.
        uniform: Number of videos whose map is uniform.
    """

    name: str
    over: Over
    deletion: Interval
    insertion: Interval
    over_random: Interval
    over_center: Interval
    sensitivity: float
    redrawn: dict[str, float]
    uniform: int

    @property
    def videos(self) -> int:
        """Number of videos that have this map."""
        return self.deletion.videos

    @property
    def answer(self) -> str:
        """Whether the map explains the model, against random maps."""
        if self.name in (RANDOM, CENTER):
            return ''
        if self.uniform == self.videos:
            return 'no, uniform'
        found = verdict(self.over_random)
        if self.uniform:
            found += f', uniform in {self.uniform} of {self.videos}'
        return found


def table_rows(results: Sequence[VideoResult]) -> list[TableRow]:
    """Put the videos together.

    Args:
        results: Results of all videos.

    Raises:
        ValueError: If there are none.
    """
    if not results:
        raise ValueError('videos: expected one or more to explain, got none')
    rows = []
    for over in OVERS:
        names = [
            name for result in results for kind, name in result.maps if kind == over
        ]
        if not names:
            continue
        rows.append(_random_row(results, over))
        rows += [_row(results, over, name) for name in dict.fromkeys(names)]
    return rows


def agreements(
    results: Sequence[VideoResult], over: Over
) -> dict[tuple[str, str], float]:
    """Return how far the maps of a model agree: Spearman's rho, mean over videos.

    Args:
        results: Results of all videos.
        over: What a unit is.

    Returns:
        By the names of each pair of maps; NaN if one of them ranks nothing.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for result in results:
        maps = {n: m.values for (o, n), m in result.maps.items() if o == over}
        names = list(maps)
        for k, first in enumerate(names):
            for second in names[k + 1 :]:
                value = rank_agreement(maps[first], maps[second])
                found.setdefault((first, second), []).append(value)
    return {pair: mean_interval(values).mean for pair, values in found.items()}


def table_text(rows: Sequence[TableRow]) -> str:
    """Return the rows as a Markdown table.

    Args:
        rows: Rows of :func:`table_rows`.
    """
    return markdown_table(HEADER, map(row_cells, rows))


def row_cells(row: TableRow) -> tuple[str, ...]:
    """Return what stands in the columns of :data:`HEADER`.

    Args:
        row: A row of :func:`table_rows`.
    """
    return (
        row.name,
        row.over,
        str(row.videos),
        _number(row.deletion.mean),
        _number(row.insertion.mean),
        _interval(row.over_random),
        _interval(row.over_center),
        _number(row.sensitivity),
        *(_number(row.redrawn.get(what, float('nan'))) for what in REDRAWN),
        row.answer,
    )


def finding(rows: Sequence[TableRow]) -> str:
    """Say in one sentence which maps explain the model.

    Args:
        rows: Rows of :func:`table_rows`.
    """
    maps = [row for row in rows if row.answer]
    if not maps:
        return 'No map to judge.'
    good = [
        f'{row.name} over {row.over}' for row in maps if row.answer.startswith('yes')
    ]
    wrong = [f'{row.name} over {row.over}' for row in maps if 'misleads' in row.answer]
    few = [row for row in maps if 'too few' in row.answer]
    if few:
        return 'Of one video no map can be judged: give more.'
    said = (
        f'Explain the model better than chance: {", ".join(good)}.'
        if good
        else 'No map explains the model better than chance.'
    )
    return said + (f' Mislead: {", ".join(wrong)}.' if wrong else '')


def as_json(results: Sequence[VideoResult], rows: Sequence[TableRow]) -> dict[str, Any]:
    """Return everything measured as what JSON can hold; NaN becomes None.

    Args:
        results: Results of all videos.
        rows: Rows of :func:`table_rows`.
    """
    return _plain(
        dict(
            format='mmattn.explain',
            version=1,
            finding=finding(rows),
            rows=[
                {
                    **row._asdict(),
                    **{
                        key: getattr(row, key)._asdict()
                        for key in (
                            'deletion',
                            'insertion',
                            'over_random',
                            'over_center',
                        )
                    },
                    'answer': row.answer,
                }
                for row in rows
            ],
            videos=[
                dict(
                    video=result.video,
                    class_index=result.class_index,
                    score=result.score,
                    maps=[
                        dict(
                            name=name,
                            over=over,
                            uniform=found.uniform,
                            sensitivity=found.sensitivity,
                            redrawn=found.redrawn,
                            values=found.values.tolist(),
                            **_curves(found.curves),
                        )
                        for (over, name), found in result.maps.items()
                    ],
                    randoms=[
                        dict(over=over, **_curves(curves))
                        for over, several in result.randoms.items()
                        for curves in several
                    ],
                )
                for result in results
            ],
        )
    )


def _row(results: Sequence[VideoResult], over: Over, name: str) -> TableRow:
    having = [result for result in results if (over, name) in result.maps]
    found = [result.maps[over, name] for result in having]
    is_center = name == CENTER
    gains = [one.curves.gain for one in found]
    center = [result.maps[over, CENTER].curves.gain for result in having]
    chance = [result.random_gain(over) for result in having]
    redrawn = {
        what: mean_interval([one.redrawn.get(what, float('nan')) for one in found]).mean
        for what in REDRAWN
    }
    return TableRow(
        name,
        over,
        mean_interval([one.curves.deletion_area for one in found]),
        mean_interval([one.curves.insertion_area for one in found]),
        mean_interval(np.subtract(gains, chance).tolist()),
        NOTHING if is_center else mean_interval(np.subtract(gains, center).tolist()),
        mean_interval([one.sensitivity for one in found]).mean,
        redrawn,
        sum(one.uniform for one in found),
    )


def _random_row(results: Sequence[VideoResult], over: Over) -> TableRow:
    having = [result for result in results if over in result.randoms]
    center = [
        result.random_gain(over) - result.maps[over, CENTER].curves.gain
        for result in having
    ]
    areas = [
        [
            float(np.mean([getattr(curves, f'{kind}_area') for curves in several]))
            for several in (result.randoms[over] for result in having)
        ]
        for kind in ('deletion', 'insertion')
    ]
    deletion, insertion = map(mean_interval, areas)
    return TableRow(
        RANDOM,
        over,
        deletion,
        insertion,
        NOTHING,
        mean_interval(center),
        float('nan'),
        {},
        0,
    )


def _curves(curves: Curves) -> dict[str, list[float]]:
    return {key: value.tolist() for key, value in curves._asdict().items()}


def _number(value: float) -> str:
    return '' if np.isnan(value) else f'{value:.3f}'


def _interval(found: Interval) -> str:
    if np.isnan(found.mean):
        return ''
    if np.isnan(found.low):
        return f'{found.mean:+.3f}'
    return f'{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]'


def _plain(value: Any) -> Any:
    """Nested values of which NaN has become None."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and np.isnan(value) else value
