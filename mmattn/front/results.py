"""What a model says of a video: to read, to save and to look at."""

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmattn.attention.records import AttentionRecords
from mmattn.inference.inputs import NetworkInput
from mmattn.utils.files import write_json
from mmattn.visualization.contact_sheet import save_picture
from mmattn.visualization.export import save_records
from mmattn.visualization.jpeg import jpeg_base64
from mmattn.visualization.seen_clip import draw_seen_clip

VERSION = 1
Row = dict[str, Any]  # a line of a table


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of a video that a model has seen.

    Args:
        numbers: Their numbers in the video, ascending.
        seconds: When each is shown; None where frames came without a rate.
        scores: Scores of the classes in each; None where the model scores clips only.

    Shape:
        - numbers, seconds: (F,)
        - scores: (F, K)
    """

    numbers: np.ndarray
    seconds: np.ndarray | None = None
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        scored = 'none scored' if self.scores is None else 'each scored'
        first, last = self.numbers[0], self.numbers[-1]
        return f'Frames({len(self)} from {first} to {last}, {scored})'


class Shown:
    """Base of results that have a picture."""

    def picture(self) -> np.ndarray:
        """Draw the result."""
        raise NotImplementedError

    def show(self) -> None:
        """Show the picture, in the notebook or in a window."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            get_ipython = None
        if get_ipython is not None and get_ipython() is not None:
            display(self)
        else:
            Image.fromarray(self.picture()).show()


@dataclass(eq=False)
class Prediction(Shown):
    """What a model says of one video.

    Args:
        name: The video.
        classes: Names of the classes.
        scores: Score of each class, (K,).
        frames: The frames that the model has seen.
        attention: What it attends to; empty where it hands out none.
        read_input: Reads the model's input again, for pictures.
    """

    name: str
    classes: Sequence[str]
    scores: np.ndarray
    frames: Frames
    attention: AttentionRecords = field(default_factory=AttentionRecords)
    read_input: Callable[[], NetworkInput] | None = None

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the classes with the highest scores, best first.

        Args:
            count: How many.

        Example:
            >>> frames = Frames(np.arange(2))
            >>> Prediction('a', ['run', 'hop'], np.array([0.25, 0.75]), frames).top(1)
            [('hop', 0.75)]
        """
        return top_classes(self.scores, self.classes, count)

    @property
    def label(self) -> str:
        """Name of the class with the highest score."""
        return self.top(1)[0][0]

    def rows(self, count: int = 5) -> Iterator[Row]:
        """Yield lines of a table: the video, then each frame that has scores.

        Args:
            count: Number of classes of each.
        """
        yield from class_rows(self.top(count), video=self.name)
        if self.frames.scores is None:
            return
        for k, number in enumerate(self.frames.numbers.tolist()):
            seconds = self.frames.seconds
            second = None if seconds is None else round(float(seconds[k]), 3)
            top = top_classes(self.frames.scores[k], self.classes, count)
            yield from class_rows(
                top, video=self.name, start=second, end=second, frame=number
            )

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the attention as plain data."""
        frames = self.frames
        return dict(
            video=self.name,
            label=self.label,
            scores=dict(zip(self.classes, _plain(self.scores), strict=True)),
            frames=dict(
                numbers=frames.numbers.tolist(),
                seconds=None if frames.seconds is None else _plain(frames.seconds),
                scores=None if frames.scores is None else _plain(frames.scores),
            ),
        )

    def picture(self, columns: int = 8) -> np.ndarray:
        """Draw the frames, and over them what the model attends to.

        Args:
            columns: Most frames.

        Shape:
            - Output: (H, W, 3), RGB, uint8

        Raises:
            ValueError: If the frames are gone.
        """
        if self.read_input is None:
            raise ValueError(f'{self.name}: expected frames to draw, got none any more')
        best = ' · '.join(f'{name} ({score:.2f})' for name, score in self.top(3))
        return draw_seen_clip(
            self.read_input(),
            self.attention,
            title=f'{self.name}: {best}',
            columns=columns,
        )

    def save(self, out: str | Path) -> list[Path]:
        """Write scores, attention and a picture.

        Args:
            out: Folder; ``<name>.json`` and ``<name>.png`` are written, and, where the
                model hands out attention, ``<name>-attention.json`` and ``.npz``.

        Returns:
            The files.
        """
        folder, stem = Path(out), Path(self.name).stem
        files = [write_json(folder / f'{stem}.json', self.as_dict())]
        if self.attention:
            maps = folder / f'{stem}-attention.json'
            files += [save_records(self.attention, maps), maps.with_suffix('.npz')]
        return [*files, save_picture(folder / f'{stem}.png', self.picture())]

    def __repr__(self) -> str:
        best = ', '.join(f'{name} {score:.3f}' for name, score in self.top(3))
        names = [record.name for record in self.attention]
        maps = f', attention: {", ".join(names)}' if names else ''
        return f'Prediction({self.name}: {best}; {self.frames!r}{maps})'

    def _repr_html_(self) -> str:
        lines = ''.join(
            f'<tr><td>{html.escape(name)}</td><td>{score:.3f}</td></tr>'
            for name, score in self.top()
        )
        table = f'<table>{lines}</table>'
        if self.read_input is None:
            return f'<b>{html.escape(self.name)}</b>{table}'
        return f'{picture_tag(self.picture(), self.name)}{table}'


def top_classes(
    scores: np.ndarray, classes: Sequence[str], count: int
) -> list[tuple[str, float]]:
    """Return the classes with the highest scores, best first.

    Args:
        scores: Score of each class, (K,).
        classes: Names of the classes.
        count: How many.

    Raises:
        ValueError: If ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f'top: expected at least 1, got {count}')
    order = np.argsort(-scores, kind='stable')[:count].tolist()
    return [(classes[k], float(scores[k])) for k in order]


def class_rows(top: Sequence[tuple[str, float]], **known: Any) -> Iterator[Row]:
    """Yield a line of a table for each class.

    Args:
        top: Names and scores, best first.
        **known: What else stands in each line.
    """
    for rank, (name, score) in enumerate(top, 1):
        yield {**known, 'rank': rank, 'class': name, 'score': round(score, 6)}


def picture_tag(picture: np.ndarray, name: str) -> str:
    """Return a picture as an element of HTML.

    Args:
        picture: RGB picture, uint8.
        name: What it shows.
    """
    source = f'data:image/jpeg;base64,{jpeg_base64(picture)}'
    return f'<img alt="{html.escape(name)}" src="{source}" style="max-width:100%">'


def _plain(array: np.ndarray) -> Any:
    return np.round(array.astype(np.float64), 6).tolist()
