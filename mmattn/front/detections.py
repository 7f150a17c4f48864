"""What a detector says of the persons in a video."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mmattn.front.results import Row, Shown, class_rows, picture_tag
from mmattn.inference.detect import KeyFrame
from mmattn.visualization.detection_pictures import draw_key_frames, save_detections


@dataclass(eq=False)
class Detections(Shown):
    """Persons and their actions in frames of a video.

    Args:
        name: The video, as a path where it is a file.
        names: Names of the classes by their numbers.
        key_frames: What is found in each frame looked at.
        weights: Where the model's weights come from; None if it is not trained.
        reader: Frames of a video that is no file.
    """

    name: str
    names: Mapping[int, str]
    key_frames: Sequence[KeyFrame]
    weights: str | None = None
    reader: Any = None

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the actions with the highest scores of anybody, best first.

        Args:
            count: How many.
        """
        best: dict[int, float] = {}
        for key in self.key_frames:
            for person in key.persons:
                for action, score in person.actions:
                    best[action] = max(score, best.get(action, 0.0))
        ordered = sorted(best.items(), key=lambda pair: -pair[1])[:count]
        return [(self.names[action], score) for action, score in ordered]

    def rows(self, count: int = 5) -> Iterator[Row]:
        """Yield lines of a table: each person in each frame with the actions.

        Args:
            count: Number of actions of each person.
        """
        for key in self.key_frames:
            for index, person in enumerate(key.persons):
                box = (round(edge, 4) for edge in person.box)
                top = [(self.names[k], score) for k, score in person.actions[:count]]
                yield from class_rows(
                    top,
                    video=Path(self.name).name,
                    start=round(key.second, 3),
                    end=round(key.second, 3),
                    frame=key.number,
                    person=index,
                    **dict(zip(('x1', 'y1', 'x2', 'y2'), box, strict=True)),
                )

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return dict(
            video=Path(self.name).name,
            frames=[
                dict(
                    number=key.number,
                    second=key.second,
                    persons=[
                        dict(
                            box=list(person.box),
                            actions={self.names[k]: s for k, s in person.actions},
                        )
                        for person in key.persons
                    ],
                )
                for key in self.key_frames
            ],
        )

    def picture(self, columns: int = 4) -> np.ndarray:
        """Draw some of the frames with the persons and their actions.

        Args:
            columns: Most frames.

        Shape:
            - Output: (H, W, 3), RGB, uint8
        """
        return draw_key_frames(
            self.name,
            self.key_frames,
            self.names,
            weights=self.weights,
            num_columns=columns,
            reader=self.reader,
        )

    def save(self, out: str | Path) -> list[Path]:
        """Write a film, a sheet of frames and the numbers.

        Args:
            out: Folder; ``<name>.mp4``, ``<name>.png`` and ``<name>.json`` are written.

        Returns:
            The files.
        """
        return save_detections(
            self.name,
            self.key_frames,
            self.names,
            out,
            weights=self.weights,
            progress=False,
            reader=self.reader,
        )

    def save_film(self, out: Path) -> Path:
        """Write every frame with the persons of the nearest frame looked at.

        Args:
            out: File that ends in ``.mp4``.
        """
        with TemporaryDirectory(dir=out.parent) as folder:
            film, _, _ = self.save(folder)
            return film.replace(out)

    def __repr__(self) -> str:
        persons = sum(len(key.persons) for key in self.key_frames)
        best = ', '.join(f'{name} {score:.3f}' for name, score in self.top(3))
        return (
            f'Detections({Path(self.name).name}: {persons} persons in '
            f'{len(self.key_frames)} frames: {best or "no action"})'
        )

    def _repr_html_(self) -> str:
        return picture_tag(self.picture(), self.name)
