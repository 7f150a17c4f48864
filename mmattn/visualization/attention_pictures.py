"""Draw what models attend to in videos, as pictures, films, numbers and one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from mmattn.attention.maps import check_picks
from mmattn.datasets.base import BrokenVideoError
from mmattn.inference.inputs import find_videos
from mmattn.inference.models import names_of_classes
from mmattn.inference.video_parts import find_video_parts, read_video_part
from mmattn.utils.files import numbered_names
from mmattn.utils.progress import progress_bar
from mmattn.visualization.attention_files import AttentionFiles, DrawOptions
from mmattn.visualization.contact_sheet import FORMATS
from mmattn.visualization.drawable_attention import (
    drawable_attention,
    on_whole_frames,
)


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
        models: Models of :func:`mmattn.inference.models.load_model` by name.
        videos: Video files and folders of them, or folders of frames or flow fields
            where models read those.
        out: Folder.
        persons: For detectors, boxes of persons by ``'video,second'``, as
            :func:`mmattn.datasets.proposals.load_proposals` reads them: of each such
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
    parts = find_video_parts(list(models.values()), paths, persons)
    out = writable_folder(out)
    with AttentionFiles(out, options, many_models=len(models) > 1) as writer:
        folders = numbered_names(part.stem for part in parts)
        bar = progress_bar(parts, description='videos', shown=progress)
        for part, folder in zip(bar, folders, strict=True):
            try:
                seen = {name: read_video_part(m, part) for name, m in models.items()}
            except BrokenVideoError as error:
                writer.add_broken(part.video, str(error))
                continue
            found = {}
            for name, model in models.items():
                own = drawable_attention(
                    model,
                    seen[name],
                    names=options.names,
                    picks=options.picks,
                    classes=options.classes,
                )
                if options.whole_frame:
                    own = on_whole_frames(own, part.video)
                found[name] = own
            writer.add(part, folder, found)
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
    for model in models.values():
        names_of_classes(model, options.classes)
