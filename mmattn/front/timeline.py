"""What a model says of a long video, part by part."""

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmattn.front.results import (
    Row,
    Shown,
    class_rows,
    picture_tag,
    top_classes,
)
from mmattn.utils.files import write_csv, write_json
from mmattn.visualization.contact_sheet import save_picture
from mmattn.visualization.labels_over_time import draw_labels_over_time

COLUMNS = (
    *('video', 'start', 'end', 'frame'),
    *('person', 'x1', 'y1', 'x2', 'y2'),
    *('rank', 'class', 'score'),
)


class Segment(NamedTuple):
    """A part of a video.

    Args:
        start: Second at which it starts.
        end: Second at which it ends.
        scores: Score of each class, (K,).
    """

    start: float
    end: float
    scores: np.ndarray


class Span(NamedTuple):
    """Successive parts that show the same class.

    Args:
        start: Second at which it starts.
        end: Second at which it ends.
        label: Name of the class.
        score: Its mean score.
    """

    start: float
    end: float
    label: str
    score: float


@dataclass(eq=False)
class Timeline(Shown):
    """What a model says of a video over time.

    Args:
        name: The video.
        classes: Names of the classes.
        segments: Its parts in order, which may overlap.
    """

    name: str
    classes: Sequence[str]
    segments: Sequence[Segment]

    @property
    def scores(self) -> np.ndarray:
        """Scores of the classes in each part, (S, K)."""
        return np.stack([segment.scores for segment in self.segments])

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the classes with the highest mean scores, best first.

        Args:
            count: How many.
        """
        return top_classes(self.scores.mean(axis=0), self.classes, count)

    @property
    def label(self) -> str:
        """Name of the class with the highest mean score."""
        return self.top(1)[0][0]

    def at(self, second: float) -> Segment:
        """Return the part whose middle is nearest to a time.

        Args:
            second: The time.
        """
        middles = np.array([(part.start + part.end) / 2 for part in self.segments])
        return self.segments[int(np.abs(middles - second).argmin())]

    def spans(self) -> list[Span]:
        """Return successive parts of one class as one, each second once.

        Where parts overlap, the border is in the middle of what both cover.

        Example:
            >>> run, hop = np.array([1, 0]), np.array([0, 1])
            >>> parts = [Segment(0, 2, run), Segment(1, 3, hop)]
            >>> [span[:3] for span in Timeline('a', ['run', 'hop'], parts).spans()]
            [(0, 1.5, 'run'), (1.5, 3, 'hop')]
        """
        found: list[Span] = []
        best = [int(part.scores.argmax()) for part in self.segments]
        for first, last in runs_of(best):
            parts = self.segments[first : last + 1]
            start = found[-1].end if found else parts[0].start
            end = parts[-1].end
            if last + 1 < len(self.segments):
                end = (end + self.segments[last + 1].start) / 2
            score = np.mean([part.scores[best[first]] for part in parts])
            found.append(Span(start, end, self.classes[best[first]], float(score)))
        return found

    def rows(self, count: int = 5) -> Iterator[Row]:
        """Yield lines of a table: each part with its classes.

        Args:
            count: Number of classes of each.
        """
        for part in self.segments:
            top = top_classes(part.scores, self.classes, count)
            start, end = round(part.start, 3), round(part.end, 3)
            yield from class_rows(top, video=self.name, start=start, end=end)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return dict(
            video=self.name,
            label=self.label,
            classes=list(self.classes),
            segments=[
                dict(
                    start=round(part.start, 6),
                    end=round(part.end, 6),
                    label=self.classes[int(part.scores.argmax())],
                    scores=part.scores.astype(np.float64).round(6).tolist(),
                )
                for part in self.segments
            ],
            spans=[span._asdict() for span in self.spans()],
        )

    def picture(self, count: int = 5) -> np.ndarray:
        """Draw the scores of the classes over time.

        Args:
            count: How many classes, those with the highest score anywhere.

        Shape:
            - Output: (H, W, 3), RGB, uint8
        """
        return draw_labels_over_time(
            [(part.start, part.end) for part in self.segments],
            self.scores,
            self.classes,
            count=count,
            title=self.name,
        )

    def save(self, out: str | Path) -> list[Path]:
        """Write ``<name>.json``, ``<name>.csv`` and ``<name>.png``.

        Args:
            out: Folder.

        Returns:
            The files.
        """
        folder, stem = Path(out), Path(self.name).stem
        return [
            write_json(folder / f'{stem}.json', self.as_dict()),
            write_table(folder / f'{stem}.csv', self.rows()),
            save_picture(folder / f'{stem}.png', self.picture()),
        ]

    def __repr__(self) -> str:
        spans = ', '.join(
            f'{clock(span.start)}-{clock(span.end)} {span.label}'
            for span in self.spans()[:4]
        )
        more = '' if len(self.spans()) <= 4 else ', ...'
        return f'Timeline({self.name}: {len(self.segments)} parts: {spans}{more})'

    def _repr_html_(self) -> str:
        lines = ''.join(
            f'<tr><td>{clock(span.start)}</td><td>{clock(span.end)}</td>'
            f'<td>{html.escape(span.label)}</td><td>{span.score:.3f}</td></tr>'
            for span in self.spans()
        )
        return f'{picture_tag(self.picture(), self.name)}<table>{lines}</table>'


def runs_of(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return first and last position of each run of equal values.

    Args:
        values: The values.

    Example:
        >>> runs_of([3, 3, 1, 3])
        [(0, 1), (2, 2), (3, 3)]
    """
    places = groupby(range(len(values)), key=values.__getitem__)
    runs = [list(run) for _, run in places]
    return [(run[0], run[-1]) for run in runs]


def clock(seconds: float) -> str:
    """Return a time as people write it.

    Args:
        seconds: The time.

    Example:
        >>> clock(7.25), clock(3671.5)
        ('0:07.2', '1:01:11.5')
    """
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f'{hours}:{minutes:02d}' if hours else f'{minutes}'
    return f'{start}:{tenths // 10:02d}.{tenths % 10}'


def write_table(path: Path, rows: Iterable[Row]) -> Path:
    """Write lines as csv, whole or not at all.

    Args:
        path: The file; its folder is made.
        rows: The lines, see :data:`COLUMNS`.
    """
    lines = ([row.get(name, '') for name in COLUMNS] for row in rows)
    return write_csv(path, [COLUMNS, *lines])
