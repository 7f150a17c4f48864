"""The page of an explanation: table, curves, and every video with parts taken away."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmattn.explain.clips import ScoredClip
from mmattn.explain.curves_picture import KINDS, POINTS, curves_by_map
from mmattn.explain.faithfulness import CENTER, RANDOM, VideoResult
from mmattn.explain.table import HEADER, TableRow, finding, row_cells
from mmattn.explain.units import OVERS, Over
from mmattn.inference.inputs import is_frames, of_longest_side, whole_frames
from mmattn.utils.arrays import evenly
from mmattn.utils.files import write_text
from mmattn.visualization.heat_overlay import WHOLE, Box
from mmattn.visualization.jpeg import jpeg_base64
from mmattn.visualization.templates import held_json, render_page

MAX_FRAMES = 4  # of a video
LONGEST = 320  # pixels of a frame's longer side
NUM_COLORS = 7
COLORS = {RANDOM: ('var(--none)', 'dashed'), CENTER: ('var(--none)', 'dotted')}


class Shown(NamedTuple):
    """What the page shows of a video.

    Args:
        pictures: Frames (H, W, 3), RGB, uint8, by number.
        places: Position of each among the clip's frames.
        box: Part of them that the network sees.
        label: Name of the class explained.
    """

    pictures: dict[int, np.ndarray]
    places: list[int]
    box: Box
    label: str


def shown_frames(clip: ScoredClip, video: Path, label: str) -> Shown:
    """Take some frames of a video, the original ones where these can be read.

    Args:
        clip: The video as the network sees it.
        video: File or folder.
        label: Name of the class explained.
    """
    places = evenly(len(clip.numbers), MAX_FRAMES)
    numbers = clip.numbers[places].tolist()
    if is_frames(video) or clip.seen.crop is None:
        own = clip.seen.pictures()
        box = WHOLE
        found = {number: of_longest_side(own[number], LONGEST) for number in numbers}
    else:
        found, box = whole_frames(video, numbers, longest=LONGEST), clip.seen.crop
    return Shown(found, places, box, label)


def write_page(
    path: str | Path,
    results: Sequence[VideoResult],
    rows: Sequence[TableRow],
    shown: Sequence[Shown],
    *,
    settings: str,
    broken: Sequence[str] = (),
) -> Path:
    """Write the page, which loads nothing.

    Args:
        path: File to write.
        results: Results of all videos.
        rows: Rows of the table.
        shown: Frames of the same videos.
        settings: How it was measured, in one sentence.
        broken: Messages about videos that could not be read.
    """
    page = render_page(
        'explain',
        title='Do the maps explain the model?',
        finding=finding(rows),
        settings=settings,
        header=HEADER,
        rows=[_table_row(rows, k) for k in range(len(rows))],
        charts=[_charts(results, over) for over in OVERS if _has(results, over)],
        videos=[
            held_json(_video(result, frames))
            for result, frames in zip(results, shown, strict=True)
        ],
        broken=list(broken),
    )
    return write_text(path, page)


def _has(results: Sequence[VideoResult], over: Over) -> bool:
    return any(over in result.randoms for result in results)


def _table_row(rows: Sequence[TableRow], k: int) -> dict[str, Any]:
    row = rows[k]
    last = k + 1 < len(rows) and rows[k + 1].over != row.over
    kind = row.answer.split(',')[0] if row.answer else ''
    known = kind if kind in ('yes', 'misleads') else 'no'
    return dict(cells=row_cells(row), kind=known, last=last)


def _charts(results: Sequence[VideoResult], over: Over) -> dict[str, Any]:
    names = list(curves_by_map(results, over, 'deletion'))
    colored = [name for name in names if name not in COLORS]
    looks = {
        name: COLORS.get(name)
        or (f'var(--c{colored.index(name) % NUM_COLORS})', 'solid')
        for name in names
    }
    legend = [dict(name=n, color=looks[n][0], dash=looks[n][1]) for n in names]
    charts = []
    for kind, title in KINDS.items():
        curves = curves_by_map(results, over, kind)
        lines = [
            dict(one, points=_points(curves[str(one['name'])].mean(axis=0)))
            for one in legend
        ]
        charts.append(dict(title=title, lines=lines))
    return dict(over=over, legend=legend, charts=charts)


def _points(scores: np.ndarray) -> str:
    return ' '.join(
        f'{36 + 374 * x:.1f},{180 - 170 * y:.1f}'
        for x, y in zip(POINTS[::4], scores[::4], strict=True)
    )


def _video(result: VideoResult, shown: Shown) -> dict[str, Any]:
    first = next(iter(shown.pictures.values()))
    return dict(
        name=result.video,
        label=shown.label,
        score=result.score,
        width=first.shape[1],
        height=first.shape[0],
        box=[float(edge) for edge in shown.box],
        numbers=list(shown.pictures),
        images=[jpeg_base64(picture) for picture in shown.pictures.values()],
        maps=[
            dict(
                key=f'{name} over {over}',
                uniform=found.uniform,
                deletion=_at_steps(found.curves.shares, found.curves.deletion),
                insertion=_at_steps(found.curves.shares, found.curves.insertion),
                **_ranks(found.values, over, shown.places),
            )
            for (over, name), found in result.maps.items()
        ],
    )


def _at_steps(shares: np.ndarray, scores: np.ndarray) -> list[float]:
    """A curve at equal steps, rounded for the page."""
    at = np.interp(np.linspace(0, 1, len(shares)), shares, scores)
    return [round(float(score), 4) for score in at]


def _ranks(values: np.ndarray, over: Over, places: Sequence[int]) -> dict[str, Any]:
    """Share of units that go before each one, of the frames shown."""
    order = np.argsort(-values.ravel(), kind='stable')
    flat = np.empty(values.size)
    flat[order] = np.arange(values.size) / values.size
    rank = flat.reshape(values.shape)
    if over == 'space':
        return dict(grid=list(values.shape), ranks=[_rounded(rank)])
    if over == 'time':
        return dict(grid=[1, 1], ranks=[[round(float(rank[k]), 4)] for k in places])
    grid = list(values.shape[1:])
    return dict(grid=grid, ranks=[_rounded(rank[k]) for k in places])


def _rounded(rank: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in rank.ravel()]
