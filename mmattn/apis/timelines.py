"""Draw which frames of a video a model attends to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import decord
import numpy as np
from mmaction.structures import ActionDataSample

from mmattn.apis.attention import attend_to_videos, frame_weights
from mmattn.utils.attention_records import AttentionRecord
from mmattn.visualization.export import save_records
from mmattn.visualization.timeline import save_timeline


def draw_timelines(
    model: Any,
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    classes: Sequence[str] | None = None,
    ground_truth: str | Path | None = None,
    record_name: str = '*frame_weights',
) -> list[Path]:
    """Write a timeline picture and the numbers behind it for each video.

    Args:
        model: Model of :func:`mmattn.apis.attention.load_model`.
        videos: Video files.
        out: Folder; ``<stem>.png``, ``<stem>.json`` and ``<stem>.npz`` are written.
        classes: Names of the classes.
        ground_truth: Folder with ``<stem>.npz`` files that hold ``label`` and ``key``
            (which frames carry the action), as the synthetic videos have.
        record_name: Pattern of the record to draw.

    Returns:
        The pictures.

    Raises:
        ValueError: If a video or its ground truth is no file, a class has no name or
            the model hands out no such record.
    """
    out, pictures = Path(out), []
    for video, sample, records in attend_to_videos(model, videos):
        drawn = records.by_name(record_name)
        if not drawn:
            found = [record.name for record in records]
            raise ValueError(f'expected a record {record_name}, got {found}')
        truth = _read_truth(ground_truth, video.stem)
        picture = out / f'{video.stem}.png'
        last_steps = getattr(model.cls_head, 'test_steps', None)
        _draw(picture, video, sample, drawn[0], truth, classes, last_steps)
        fps = decord.VideoReader(str(video), num_threads=1).get_avg_fps()
        save_records(records, out / f'{video.stem}.json', fps=fps)
        pictures.append(picture)
    return pictures


def _draw(
    picture: Path,
    video: Path,
    sample: ActionDataSample,
    record: AttentionRecord,
    truth: dict[str, np.ndarray] | None,
    classes: Sequence[str] | None,
    last_steps: int | None,
) -> None:
    numbers, weights = frame_weights(record, last_steps=last_steps)
    reader = decord.VideoReader(str(video), num_threads=1)
    frames = reader.get_batch(numbers.tolist()).asnumpy()
    predicted = int(sample.pred_label)
    score = float(sample.pred_score[predicted])
    label = None if truth is None else class_name(int(truth['label']), classes)
    save_timeline(
        picture,
        frames,
        weights,
        key_frames=None
        if truth is None
        else np.flatnonzero(truth['key'][numbers]).tolist(),
        frame_numbers=numbers,
        title=video.name,
        label=label,
        prediction=f'{class_name(predicted, classes)} ({score:.2f})',
    )


def _read_truth(folder: str | Path | None, stem: str) -> dict[str, np.ndarray] | None:
    if folder is None:
        return None
    path = Path(folder) / f'{stem}.npz'
    if not path.is_file():
        raise ValueError(f'ground_truth: expected a file {path}, got none')
    with np.load(path) as content:
        return {name: content[name] for name in ('label', 'key')}


def class_name(index: int, classes: Sequence[str] | None) -> str:
    """Return the name of a class, or its number if there are no names.

    Args:
        index: Number of the class.
        classes: Names of all classes.

    Raises:
        ValueError: If there are too few names.
    """
    if classes is None:
        return f'class {index}'
    if index >= len(classes):
        raise ValueError(
            f'classes: expected a name for class {index}, got {len(classes)} names'
        )
    return classes[index]
