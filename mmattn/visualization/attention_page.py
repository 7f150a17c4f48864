"""One HTML page that shows what models attend to, without network or server."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
from matplotlib import colormaps

from mmattn.attention.maps import AttentionMap
from mmattn.inference.inputs import of_longest_side
from mmattn.visualization.heat_overlay import WHOLE, Box, OverlayStyle
from mmattn.visualization.jpeg import jpeg_base64
from mmattn.visualization.templates import held_json, render_page

THUMBNAIL = 160  # pixels of its longer side


class AttentionPage:
    """Writer of a page, one video after the other.

    The page holds pictures and maps itself, loads nothing, and shows two models or
    maps side by side. What it holds is written at once, so that memory does not grow
    with the number of videos.

    Args:
        path: File to write. It appears when the page is complete.
        title: Heading.
        style: How overlays are drawn at first; the page can change it.

    Example:
        >>> frames = {0: np.zeros((24, 32, 3), dtype=np.uint8)}
        >>> with AttentionPage('page.html', title='Two clips') as page:
        ...     page.add('a.mp4', [model_entry('m', frames, [], [('run', 0.9)])])
        >>> 'a.mp4' in Path('page.html').read_text('utf-8')
        True
    """

    def __init__(
        self, path: str | Path, *, title: str, style: OverlayStyle | None = None
    ) -> None:
        self.path = Path(path)
        self.title = title
        self.style = style or OverlayStyle()
        self._part = self.path.with_name(self.path.name + '.part')
        self._file: TextIO | None = None
        self._tail = ''

    def __enter__(self) -> 'AttentionPage':
        page = render_page('attention', title=self.title)
        head, self._tail = page.split('<!-- videos -->\n')
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open('w', encoding='utf-8')
        self._file.write(head)
        colors = colormaps['jet'](np.arange(256), bytes=True)[:, :3]
        settings = dict(
            colors=colors.tolist(),
            kind=self.style.kind,
            scale=self.style.scale,
            alpha=self.style.alpha,
            threshold=self.style.threshold,
        )
        self._write('settings', settings)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        self._file.write(self._tail)
        self._file.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink()

    def add(self, video: str, models: Sequence[dict[str, Any]]) -> None:
        """Add a video.

        Args:
            video: Its name.
            models: Entries of :func:`model_entry`; the first one's outcome and middle
                frame stand for the video where it is chosen.
        """
        first = models[0]
        self._write(
            'video',
            dict(name=video, models=[dict(x, thumbnail=None) for x in models]),
            name=video,
            found=first['outcome'],
            picture=first['thumbnail'],
        )

    def add_broken(self, video: str, message: str) -> None:
        """Say that a video could not be read.

        Args:
            video: Its name.
            message: Why.
        """
        self._write('broken', dict(name=video, message=message))

    def _write(self, kind: str, content: dict[str, Any], **known: str) -> None:
        assert self._file is not None
        data = dict(kind=kind, **known)
        attributes = ' '.join(f'data-{k}="{html.escape(v)}"' for k, v in data.items())
        self._file.write(
            f'<script type="application/json" {attributes}>'
            f'{held_json(content)}</script>\n'
        )


def model_entry(
    name: str,
    pictures: dict[int, np.ndarray],
    maps: Sequence[AttentionMap],
    top: Sequence[tuple[str, float]],
    *,
    outcome: str = '',
    fps: float | None = None,
    box: Box = WHOLE,
    regions: Sequence[Box] = (),
) -> dict[str, Any]:
    """Return what a page holds of one model on one video.

    Args:
        name: Name of the model.
        pictures: RGB pictures by frame number, all of one size.
        maps: Attention to show.
        top: Names and scores of the best classes.
        outcome: What the model says, in short.
        fps: Frames per second of the video; None shows no times.
        box: Part of the pictures that the network has seen.
        regions: Boxes of the regions that maps belong to, by their index.
    """
    numbers = np.array(sorted(pictures))
    height, width = pictures[int(numbers[0])].shape[:2]
    middle = pictures[int(numbers[len(numbers) // 2])]
    return dict(
        name=name,
        outcome=outcome,
        thumbnail=jpeg_base64(of_longest_side(middle, THUMBNAIL)),
        width=width,
        height=height,
        box=[float(edge) for edge in box],
        fps=fps,
        numbers=numbers.tolist(),
        images=[jpeg_base64(pictures[number]) for number in numbers.tolist()],
        top=[dict(name=label, score=round(score, 6)) for label, score in top],
        maps=[_map_entry(attention, numbers, regions) for attention in maps],
    )


def _map_entry(
    attention: AttentionMap, numbers: np.ndarray, regions: Sequence[Box]
) -> dict[str, Any]:
    at = np.abs(numbers[:, None] - attention.numbers).argmin(axis=1)
    name = f'{attention.name} (uniform)' if attention.uniform else attention.name
    entry: dict[str, Any] = dict(name=name, cells=attention.in_cells)
    if attention.weights is not None:
        entry['numbers'] = attention.numbers.tolist()
        entry['weights'] = [float(f'{weight:.5g}') for weight in attention.weights]
    if attention.roi is not None:
        entry['box'] = [float(edge) for edge in regions[attention.roi]]
    if attention.heat is not None:
        low, high = float(attention.heat.min()), float(attention.heat.max())
        span = high - low if high > low else 1.0
        levels = ((attention.heat[at] - low) / span * 255).round().astype(np.uint8)
        entry['heat'] = dict(
            height=levels.shape[1],
            width=levels.shape[2],
            low=low,
            high=high,
            levels=base64.b64encode(levels.tobytes()).decode('ascii'),
        )
    return entry
