"""Judge the maps of a model on videos, and write what was found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmattn.datasets.base import BrokenVideoError
from mmattn.explain.clips import ScoredClip
from mmattn.explain.curves_picture import save_curves
from mmattn.explain.faithfulness import FaithfulnessOptions, VideoResult, measure
from mmattn.explain.maps import MapSource
from mmattn.explain.page import Shown, shown_frames, write_page
from mmattn.explain.table import agreements, as_json, finding, table_rows, table_text
from mmattn.explain.units import OVERS
from mmattn.inference.inputs import find_videos
from mmattn.inference.models import names_of_classes
from mmattn.inference.video_parts import find_video_parts, read_video_part
from mmattn.utils.arrays import evenly
from mmattn.utils.files import write_json, write_text
from mmattn.utils.progress import progress_bar
from mmattn.utils.text import markdown_table
from mmattn.visualization.attention_pictures import writable_folder


class ExplainReport(NamedTuple):
    """What was found, and where it stands.

    Args:
        text: The finding and the table.
        files: The files.
        broken: Messages about videos that could not be read.
        results: Results of each video.
    """

    text: str
    files: list[Path]
    broken: list[str]
    results: list[VideoResult]


def explain_videos(
    model: Any,
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    sources: Mapping[str, MapSource],
    options: FaithfulnessOptions | None = None,
    persons: Mapping[str, np.ndarray] | None = None,
    class_index: int | None = None,
    classes: Sequence[str] | str | Path | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> ExplainReport:
    """Judge the maps of a model on videos.

    Writes ``index.html``, a page that needs no network, ``explain.md`` with the finding
    and the table, ``explain.json`` with everything measured, and ``curves.png``.

    Args:
        model: Model of :func:`mmattn.inference.models.load_model`.
        videos: Files and folders of them.
        out: Folder.
        sources: What makes the maps, by method, see
            :func:`mmattn.explain.maps.map_source`.
        options: How they are judged.
        persons: For detectors, see
            :func:`mmattn.visualization.attention_pictures.draw_attention`; each person
            counts as a video.
        class_index: The class explained; the predicted one by default.
        classes: See :func:`mmattn.inference.models.names_of_classes`.
        limit: Take only so many videos, evenly spread over the list.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If a video or class does not exist, no video can be read, the model
            has no map, or an option is wrong.
    """
    options = options or FaithfulnessOptions()
    options.check()
    if limit is not None and limit < 1:
        raise ValueError(f'limit: expected at least 1, got {limit}')
    parts = find_video_parts([model], find_videos(videos, [model]), persons)
    parts = [parts[k] for k in evenly(len(parts), limit or len(parts))]
    names = names_of_classes(model, classes)
    out = writable_folder(out)
    results: list[VideoResult] = []
    broken: list[str] = []
    shown: list[Shown] = []
    for part in progress_bar(parts, description='videos', shown=progress):
        try:
            seen = read_video_part(model, part)
        except BrokenVideoError as error:
            broken.append(f'{part.video}: {error}')
            continue
        for person in range(len(seen.regions()) or 1):
            clip = ScoredClip(model, seen, class_index=class_index, person=person)
            who = f'{part.name} person {person}' if seen.regions() else part.name
            number = len(results)
            results.append(measure(clip, sources, options, name=who, number=number))
            shown.append(shown_frames(clip, part.video, names[clip.class_index]))
    rows = table_rows(results)
    settings = _settings(results, options)
    text = f'{finding(rows)}\n\n{settings}\n\n{table_text(rows)}\n'
    text += _agreement_text(results)
    content = dict(as_json(results, rows), broken=broken, options=options._asdict())
    page = out / 'index.html'
    files = [
        write_text(out / 'explain.md', text),
        write_json(out / 'explain.json', content),
        save_curves(results, out / 'curves.png'),
        write_page(page, results, rows, shown, settings=settings, broken=broken),
    ]
    return ExplainReport(text, files, broken, results)


def _settings(results: Sequence[VideoResult], options: FaithfulnessOptions) -> str:
    scores = [result.score for result in results]
    return (
        f'{len(results)} videos, mean score of the class explained '
        f'{np.mean(scores):.3f}; what is taken away is replaced by {options.replace}; '
        f'{options.steps} steps; {options.randoms} random maps of each video; gain is '
        'insertion less deletion.'
    )


def _agreement_text(results: Sequence[VideoResult]) -> str:
    lines = [
        (first, second, over, '' if np.isnan(value) else f'{value:.3f}')
        for over in OVERS
        for (first, second), value in agreements(results, over).items()
    ]
    if not lines:
        return ''
    header = ('map', 'other map', 'over', 'agreement of ranks')
    return f'\n{markdown_table(header, lines)}\n'
