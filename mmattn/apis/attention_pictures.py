"""Draw what models attend to in videos, as pictures, films, numbers and one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from mmattn.apis.attended import Attended, look
from mmattn.apis.attention_files import AttentionFiles, DrawOptions
from mmattn.apis.moments import Moment, find_moments, is_detector, read_moment
from mmattn.apis.network_inputs import find_videos, whole_frames
from mmattn.apis.timelines import class_name
from mmattn.datasets.base import BrokenVideoError
from mmattn.utils.attention_layers import check_picks
from mmattn.utils.progress import progress_bar
from mmattn.visualization.contact_sheet import FORMATS
from mmattn.visualization.heat_overlay import Box


def draw_attention(
    models: Mapping[str, Any],
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    persons: Mapping[str, np.ndarray] | None = None,
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
            where models read those.
        out: Folder.
        persons: For detectors, boxes of persons by ``'video,second'``, as
            :func:`mmattn.datasets.detection.load_proposals` reads them: of each such
            second a clip is drawn, with the maps of each person in the box.
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
    paths = find_videos(videos, list(models.values()))
    moments = find_moments(list(models.values()), paths, persons)
    out = writable_folder(out)
    with AttentionFiles(out, options, many_models=len(models) > 1) as writer:
        bar = progress_bar(moments, description='videos', shown=progress)
        for moment, folder in zip(bar, _folder_names(moments), strict=True):
            try:
                seen = {name: read_moment(m, moment) for name, m in models.items()}
            except BrokenVideoError as error:
                writer.add_broken(moment.video, str(error))
                continue
            found = {}
            for name, model in models.items():
                own = look(model, seen[name], names=options.names, picks=options.picks)
                if options.whole_frame:
                    own = _on_whole_frames(own, moment.video, seen[name].crop)
                found[name] = own
            writer.add(moment, folder, found)
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
            head = model.roi_head.bbox_head if is_detector(model) else model.cls_head
            class_name(head.num_classes - 1, options.classes)


def _on_whole_frames(attended: Attended, video: Path, crop: Box | None) -> Attended:
    if crop is None or video.is_dir():
        raise ValueError(
            'whole_frame: expected a video file, and a pipeline with a CenterCrop or '
            f'none, and without a flip, got {video}'
        )
    pictures = whole_frames(video, list(attended.pictures))
    left, top, right, bottom = crop
    scale = np.array([right - left, bottom - top] * 2)
    shift = np.array([left, top] * 2)
    regions = [tuple((box * scale + shift).tolist()) for box in attended.regions]
    return attended._replace(pictures=pictures, box=crop, regions=regions)


def _folder_names(moments: Sequence[Moment]) -> list[str]:
    """The stems of the videos, numbered where several have the same."""
    names: list[str] = []
    for moment in moments:
        stem, count = moment.stem, 2
        name = stem
        while name in names:
            name = f'{stem}-{count}'
            count += 1
        names.append(name)
    return names
