"""Files that show what models attend to: pictures, films, numbers and one page."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmattn.attention.maps import AttentionMap, Picks
from mmattn.evaluation.functional.attention import read_ground_truth
from mmattn.inference.inputs import is_frames
from mmattn.inference.video_parts import VideoPart, frame_rate
from mmattn.utils.arrays import evenly
from mmattn.utils.files import write_json
from mmattn.visualization.attention_page import AttentionPage, model_entry
from mmattn.visualization.contact_sheet import save_picture, save_sheet
from mmattn.visualization.drawable_attention import (
    DrawableAttention,
    on_whole_frames,
    overlay_rows,
)
from mmattn.visualization.export import save_records
from mmattn.visualization.heat_overlay import OverlayStyle
from mmattn.visualization.timeline import draw_timeline, shown_positions

FORMAT = 'mmattn.attention_pictures'
VERSION = 1
MOST_FRAMES = 120  # of a video on the page


class DrawOptions(NamedTuple):
    """What is drawn, and how.

    Args:
        names: Patterns of the maps, such as ``'backbone.*'``; None for all.
        picks: Index along an axis that is averaged otherwise, as in
            ``dict(query=2)``; see
            :func:`mmattn.attention.maps.attention_maps`.
        style: How heat is drawn.
        formats: Some of ``'png'`` (a sheet of frames), ``'gif'`` and ``'mp4'``.
        whole_frame: Whether to draw on the whole frames of video files rather than on
            the network's input; by default on the page alone, where they can be read.
        num_columns: Most frames on a sheet.
        top: Number of classes listed.
        classes: Names of the classes, or a text file with a name per line; by default
            those that the models' checkpoints tell.
        ground_truth: Folder of files ``<video>.npz``, see
            :func:`mmattn.evaluation.functional.attention.read_ground_truth`; timelines
            mark their key frames and name their class.
        page: Whether to write the page ``index.html``.
    """

    names: Sequence[str] | None = None
    picks: Picks | None = None
    style: OverlayStyle = OverlayStyle()
    formats: Sequence[str] = ('png',)
    whole_frame: bool | None = None
    num_columns: int = 8
    top: int = 5
    classes: Sequence[str] | str | Path | None = None
    ground_truth: str | Path | None = None
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
        path = write_json(self.out / 'summary.json', self.summary)
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

    def add(
        self, part: VideoPart, folder: str, found: Mapping[str, DrawableAttention]
    ) -> None:
        """Write the files of a video and show it on the page.

        Args:
            part: The video, or a second of it.
            folder: Name of its folder.
            found: What is drawn of each model.
        """
        fps = frame_rate(part.video)
        entries, summaries = [], []
        for name, attended in found.items():
            prefix = f'{_file_name(name)}-' if self.many_models else ''
            files = self._draw(self.out / folder, prefix, part, attended, fps)
            self.files += files
            top = attended.top(self.options.top)
            summaries.append(self._summary(name, attended, top, files))
            if self.page:
                shown = self._on_page(attended, part.video)
                entries.append(
                    model_entry(
                        name,
                        shown.pictures,
                        shown.maps,
                        top,
                        outcome=shown.outcome(),
                        fps=fps,
                        box=shown.box,
                        regions=shown.regions,
                    )
                )
        self.summary['videos'].append(
            dict(
                video=str(part.video),
                second=part.second,
                fps=fps,
                models=summaries,
            )
        )
        if self.page:
            self.page.add(part.name, entries)

    def _on_page(self, attended: DrawableAttention, video: Path) -> DrawableAttention:
        numbers = list(attended.pictures)
        kept = [numbers[k] for k in evenly(len(numbers), MOST_FRAMES)]
        whole = self.options.whole_frame is None and attended.crop is not None
        if whole and not is_frames(video):
            return on_whole_frames(attended, video, kept)
        return attended._replace(pictures={k: attended.pictures[k] for k in kept})

    def _draw(
        self,
        folder: Path,
        prefix: str,
        part: VideoPart,
        attended: DrawableAttention,
        fps: float | None,
    ) -> list[Path]:
        options, title = self.options, part.name
        draw = partial(overlay_rows, attended, options.style)
        numbers = list(attended.pictures)
        outcome = attended.outcome()
        files = [
            save_sheet(
                folder / f'{prefix}sheet.{kind}',
                draw,
                attended.captions(),
                title=f'{title} · {outcome}',
                num_columns=options.num_columns,
                fps=_film_rate(numbers, fps),
            )
            for kind in options.formats
        ]
        truth = {}
        if options.ground_truth is not None:
            truth = read_ground_truth(options.ground_truth, part.video.stem)
        for attention in attended.maps:
            if attention.weights is not None:
                path = folder / f'{prefix}timeline-{_file_name(attention.name)}.png'
                save_picture(path, _timeline(attended, attention, title, truth))
                files.append(path)
        json_file = folder / f'{prefix}attention.json'
        save_records(attended.records, json_file, fps=fps)
        return [*files, json_file, json_file.with_suffix('.npz')]

    def _summary(
        self,
        name: str,
        attended: DrawableAttention,
        top: Sequence[tuple[str, float]],
        files: Sequence[Path],
    ) -> dict[str, Any]:
        maps = [
            dict(
                name=attention.name,
                frames=attention.numbers.tolist(),
                weights=None
                if attention.weights is None
                else attention.weights.tolist(),
                heat_shape=None
                if attention.heat is None
                else list(attention.heat.shape),
                uniform=attention.uniform,
            )
            for attention in attended.maps
        ]
        return dict(
            name=name,
            top=[dict(name=label, score=score) for label, score in top],
            frames=[
                dict(frame=number, name=label, score=score)
                for number, (label, score) in attended.frame_classes().items()
            ],
            box=list(attended.box),
            regions=[list(box) for box in attended.regions],
            maps=maps,
            maps_not_drawn=_not_drawn(attended),
            files=[file.relative_to(self.out).as_posix() for file in files],
        )


def _timeline(
    attended: DrawableAttention,
    attention: AttentionMap,
    title: str,
    truth: Mapping[str, np.ndarray],
) -> np.ndarray:
    assert attention.weights is not None
    seen = np.array(list(attended.pictures))
    alike = ' (uniform)' if attention.uniform_in_time else ''
    keys = truth.get('key')
    return draw_timeline(
        {
            place: attended.pictures[_nearest(seen, attention.numbers[place])]
            for place in shown_positions(len(attention.numbers))
        },
        attention.weights,
        key_frames=None if keys is None else np.flatnonzero(keys[attention.numbers]),
        frame_numbers=attention.numbers,
        title=f'{title} · {attention.name}{alike}',
        label=attended.classes[int(truth['label'])] if 'label' in truth else None,
        prediction=attended.outcome(),
    )


def _not_drawn(attended: DrawableAttention) -> list[str]:
    drawn = [attention.name for attention in attended.maps]
    return [
        record.name
        for record in attended.records
        if not any(name.startswith(record.name) for name in drawn)
    ]


def _nearest(numbers: np.ndarray, number: int) -> int:
    return int(numbers[np.abs(numbers - number).argmin()])


def _file_name(name: str) -> str:
    return re.sub(r'[^\w.-]+', '_', name)


def _film_rate(numbers: Sequence[int], fps: float | None) -> float:
    """Pictures per second at which a film runs as fast as its video, within limits."""
    gap = float(np.median(np.diff(numbers))) if len(numbers) > 1 else 1.0
    return min(30.0, max(1.0, (fps or 25.0) / gap))
