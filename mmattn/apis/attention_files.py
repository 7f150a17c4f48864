"""Files that show what models attend to: pictures, films, numbers and one page."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmattn.apis.attended import Attended, overlay_rows
from mmattn.apis.moments import Moment, frame_rate
from mmattn.utils.attention_layers import Picks
from mmattn.utils.files import replaced_atomically
from mmattn.visualization.attention_page import AttentionPage, model_entry
from mmattn.visualization.contact_sheet import save_sheet
from mmattn.visualization.export import save_records
from mmattn.visualization.heat_overlay import OverlayStyle
from mmattn.visualization.timeline import save_timeline

FORMAT = 'mmattn.attention_pictures'
VERSION = 1


class DrawOptions(NamedTuple):
    """What is drawn, and how.

    Args:
        names: Patterns of the maps, such as ``'backbone.*'``; None for all.
        picks: Index along an axis that is averaged otherwise, as in
            ``dict(query=2)``; see
            :func:`mmattn.utils.attention_layers.attention_layers`.
        style: How heat is drawn.
        formats: Some of ``'png'`` (a sheet of frames), ``'gif'`` and ``'mp4'``.
        whole_frame: Whether to draw on the whole frames of video files rather than on
            the network's input.
        num_columns: Most frames on a sheet.
        top: Number of classes listed.
        classes: Names of the classes.
        page: Whether to write the page ``index.html``.
    """

    names: Sequence[str] | None = None
    picks: Picks | None = None
    style: OverlayStyle = OverlayStyle()
    formats: Sequence[str] = ('png',)
    whole_frame: bool = False
    num_columns: int = 8
    top: int = 5
    classes: Sequence[str] | None = None
    page: bool = True


class AttentionFiles:
    """Write the files of each video, the page and the summary.

    Args:
        out: Folder.
        options: What to draw, and how.
        many_models: Whether names of files start with that of the model.
    """

    def __init__(self, out: Path, options: DrawOptions, *, many_models: bool) -> None:
        self.out = out
        self.options = options
        self.many_models = many_models
        self.files: list[Path] = []
        self.broken: list[str] = []
        self.summary: dict[str, Any] = dict(
            format=FORMAT, version=VERSION, videos=[], broken=[]
        )
        self.page = None
        if options.page:
            page = out / 'index.html'
            self.page = AttentionPage(page, title='Attention', style=options.style)

    def __enter__(self) -> 'AttentionFiles':
        if self.page:
            self.page.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.page:
            self.page.__exit__(*error)
        if error[0] is not None:
            return
        path = self.out / 'summary.json'
        with replaced_atomically(path) as part:
            text = json.dumps(self.summary, allow_nan=False, indent=1)
            part.write_text(text, 'utf-8')
        self.files += [self.page.path, path] if self.page else [path]

    def add_broken(self, video: Path, message: str) -> None:
        """Say that a video could not be read.

        Args:
            video: The video.
            message: Why.
        """
        self.broken.append(f'{video}: {message}')
        self.summary['broken'].append(dict(video=str(video), message=message))
        if self.page:
            self.page.add_broken(video.name, message)

    def add(self, moment: Moment, folder: str, found: Mapping[str, Attended]) -> None:
        """Write the files of a video and show it on the page.

        Args:
            moment: The video, or a second of it.
            folder: Name of its folder.
            found: What is drawn of each model.
        """
        fps = frame_rate(moment.video)
        entries, summaries = [], []
        for name, attended in found.items():
            prefix = f'{_file_name(name)}-' if self.many_models else ''
            files = self._draw(self.out / folder, prefix, moment.name, attended, fps)
            self.files += files
            top = attended.top(self.options.top, self.options.classes)
            summaries.append(self._summary(name, attended, top, files))
            if self.page:
                entries.append(
                    model_entry(
                        name,
                        attended.pictures,
                        attended.layers,
                        top,
                        fps=fps,
                        box=attended.box,
                        regions=attended.regions,
                    )
                )
        self.summary['videos'].append(
            dict(
                video=str(moment.video),
                second=moment.second,
                fps=fps,
                models=summaries,
            )
        )
        if self.page:
            self.page.add(moment.name, entries)

    def _draw(
        self,
        folder: Path,
        prefix: str,
        title: str,
        attended: Attended,
        fps: float | None,
    ) -> list[Path]:
        options = self.options
        rows = overlay_rows(attended, options.style)
        numbers = list(attended.pictures)
        outcome = attended.outcome(options.classes)
        files = [
            save_sheet(
                folder / f'{prefix}sheet.{kind}',
                rows,
                numbers,
                title=f'{title} · {outcome}',
                num_columns=options.num_columns,
                fps=_film_rate(numbers, fps),
            )
            for kind in options.formats
        ]
        for layer in attended.layers:
            if layer.weights is None:
                continue
            seen = np.array(numbers)
            nearest = seen[np.abs(layer.numbers[:, None] - seen).argmin(axis=1)]
            files.append(
                save_timeline(
                    folder / f'{prefix}timeline-{_file_name(layer.name)}.png',
                    [attended.pictures[number] for number in nearest.tolist()],
                    layer.weights,
                    frame_numbers=layer.numbers,
                    title=f'{title} · {layer.name}',
                    prediction=outcome,
                )
            )
        json_file = folder / f'{prefix}attention.json'
        save_records(attended.records, json_file, fps=fps)
        return [*files, json_file, json_file.with_suffix('.npz')]

    def _summary(
        self,
        name: str,
        attended: Attended,
        top: Sequence[tuple[str, float]],
        files: Sequence[Path],
    ) -> dict[str, Any]:
        layers = [
            dict(
                name=layer.name,
                frames=layer.numbers.tolist(),
                weights=None if layer.weights is None else layer.weights.tolist(),
                heat_shape=None if layer.heat is None else list(layer.heat.shape),
            )
            for layer in attended.layers
        ]
        return dict(
            name=name,
            top=[dict(name=label, score=score) for label, score in top],
            box=list(attended.box),
            regions=[list(box) for box in attended.regions],
            layers=layers,
            maps_not_drawn=_not_drawn(attended),
            files=[file.relative_to(self.out).as_posix() for file in files],
        )


def _not_drawn(attended: Attended) -> list[str]:
    drawn = [layer.name for layer in attended.layers]
    return [
        record.name
        for record in attended.records
        if not any(name.startswith(record.name) for name in drawn)
    ]


def _file_name(name: str) -> str:
    return re.sub(r'[^\w.-]+', '_', name)


def _film_rate(numbers: Sequence[int], fps: float | None) -> float:
    """Pictures per second at which a film runs as fast as its video, within limits."""
    gap = float(np.median(np.diff(numbers))) if len(numbers) > 1 else 1.0
    return min(30.0, max(1.0, (fps or 25.0) / gap))
