"""Draw what models attend to in videos, as pictures, films, numbers and one page."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import decord
import numpy as np

from mmattn.apis.attended import Attended, look, overlay_rows
from mmattn.apis.network_inputs import (
    center_pipeline,
    find_videos,
    read_video,
    reads_frame_folders,
    whole_frames,
)
from mmattn.apis.timelines import class_name
from mmattn.datasets.base import BrokenVideoError
from mmattn.utils.attention_layers import Picks, check_picks
from mmattn.utils.files import replaced_atomically
from mmattn.utils.progress import progress_bar
from mmattn.visualization.attention_page import AttentionPage, model_entry
from mmattn.visualization.contact_sheet import FORMATS, save_sheet
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


def draw_attention(
    models: Mapping[str, Any],
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    options: DrawOptions | None = None,
    progress: bool = True,
) -> tuple[list[Path], list[str]]:
    """Write what models attend to in videos.

    Of each video a folder is written: ``sheet.png`` (also ``.gif``, ``.mp4``) with the
    input and every map over it, ``timeline-<map>.png`` for maps that weigh frames, and
    ``attention.json`` with ``attention.npz``, the maps as they are. With several
    models, the names of these files start with the model's. ``index.html`` shows all of
    it without network or server, and ``summary.json`` lists files, scores and weights.

    Each model reads a video by its own test pipeline, with the center crop in place of
    several; maps are drawn on the frames that the network has seen.

    Args:
        models: Models of :func:`mmattn.apis.attention.load_model` by name.
        videos: Video files and folders of them, or folders of frames or flow fields
            where a model reads those.
        out: Folder.
        options: What to draw, and how.
        progress: Whether to show a progress bar.

    Returns:
        The files, and messages about videos that could not be read.

    Raises:
        ValueError: If a video, map, axis or class does not exist, or the folder cannot
            be written to.
    """
    options = options or DrawOptions()
    _check(options, models)
    frame_folders = any(reads_frame_folders(model) for model in models.values())
    paths = find_videos(videos, frame_folders=frame_folders)
    out = writable_folder(out)
    pipelines = {
        name: center_pipeline(model.cfg.test_pipeline) for name, model in models.items()
    }
    writer = _Writer(out, options, many_models=len(models) > 1)
    with writer:
        bar = progress_bar(paths, description='videos', shown=progress)
        for path, folder in zip(bar, _folder_names(paths), strict=True):
            try:
                seen = {
                    name: read_video(pipelines[name], model, path)
                    for name, model in models.items()
                }
            except BrokenVideoError as error:
                writer.add_broken(path, str(error))
                continue
            found = {}
            for name, model in models.items():
                own = look(model, seen[name], names=options.names, picks=options.picks)
                if options.whole_frame:
                    own = _on_whole_frames(own, path, seen[name].crop)
                found[name] = own
            writer.add(path, folder, found)
    return writer.files, writer.broken


def writable_folder(out: str | Path) -> Path:
    """Make a folder, and see that files can be written there.

    Args:
        out: The folder.

    Raises:
        ValueError: If they cannot.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ValueError(
            f'out: expected a folder that can be written to, got {out}: {error}'
        ) from error
    return out


class _Writer:
    """Writes the files of each video, the page and the summary."""

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

    def __enter__(self) -> '_Writer':
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
        self.broken.append(f'{video}: {message}')
        self.summary['broken'].append(dict(video=str(video), message=message))
        if self.page:
            self.page.add_broken(video.name, message)

    def add(self, video: Path, folder: str, found: Mapping[str, Attended]) -> None:
        fps = None if video.is_dir() else _frame_rate(video)
        entries, summaries = [], []
        for name, attended in found.items():
            prefix = f'{_file_name(name)}-' if self.many_models else ''
            files = self._draw(self.out / folder, prefix, video, attended, fps)
            self.files += files
            classes = self.options.classes
            top = [
                (class_name(k, classes), score)
                for k, score in attended.top(self.options.top)
            ]
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
                    )
                )
        self.summary['videos'].append(dict(video=str(video), fps=fps, models=summaries))
        if self.page:
            self.page.add(video.name, entries)

    def _draw(
        self,
        folder: Path,
        prefix: str,
        video: Path,
        attended: Attended,
        fps: float | None,
    ) -> list[Path]:
        options = self.options
        rows = overlay_rows(attended, options.style)
        numbers = list(attended.pictures)
        ((best, score),) = attended.top(1)
        outcome = f'{class_name(best, options.classes)} ({score:.2f})'
        files = [
            save_sheet(
                folder / f'{prefix}sheet.{kind}',
                rows,
                numbers,
                title=f'{video.name} · {outcome}',
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
                    title=f'{video.name} · {layer.name}',
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
            layers=layers,
            maps_not_drawn=_not_drawn(attended),
            files=[file.relative_to(self.out).as_posix() for file in files],
        )


def _check(options: DrawOptions, models: Mapping[str, Any]) -> None:
    if not models:
        raise ValueError('models: expected at least one, got none')
    if not set(options.formats) <= set(FORMATS):
        raise ValueError(
            f'formats: expected some of {FORMATS}, got {tuple(options.formats)}'
        )
    for name in ('num_columns', 'top'):
        if getattr(options, name) < 1:
            raise ValueError(f'{name}: expected at least 1, got {options}')
    check_picks(options.picks)
    if options.classes is not None:
        for model in models.values():
            class_name(model.cls_head.num_classes - 1, options.classes)


def _on_whole_frames(
    attended: Attended, video: Path, crop: tuple[float, float, float, float] | None
) -> Attended:
    if crop is None or video.is_dir():
        raise ValueError(
            'whole_frame: expected a video file, and a pipeline with a CenterCrop or '
            f'none, and without a flip, got {video}'
        )
    pictures = whole_frames(video, list(attended.pictures))
    return attended._replace(pictures=pictures, box=crop)


def _not_drawn(attended: Attended) -> list[str]:
    drawn = [layer.name for layer in attended.layers]
    return [
        record.name
        for record in attended.records
        if not any(name.startswith(record.name) for name in drawn)
    ]


def _folder_names(paths: Sequence[Path]) -> list[str]:
    """The stems of the videos, numbered where several have the same."""
    names: list[str] = []
    for path in paths:
        stem, count = path.stem, 2
        name = stem
        while name in names:
            name = f'{stem}-{count}'
            count += 1
        names.append(name)
    return names


def _file_name(name: str) -> str:
    return re.sub(r'[^\w.-]+', '_', name)


def _frame_rate(video: Path) -> float:
    return float(decord.VideoReader(str(video), num_threads=1).get_avg_fps())


def _film_rate(numbers: Sequence[int], fps: float | None) -> float:
    """Pictures per second at which a film runs as fast as its video, within limits."""
    gap = float(np.median(np.diff(numbers))) if len(numbers) > 1 else 1.0
    return min(30.0, max(1.0, (fps or 25.0) / gap))
