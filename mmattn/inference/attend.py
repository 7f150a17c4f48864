"""Run a model on videos and collect what it attends to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import Compose, pseudo_collate

from mmattn.attention.capture import capture_attention
from mmattn.attention.maps import attention_maps
from mmattn.attention.records import AttentionRecord, AttentionRecords
from mmattn.datasets.base import run_steps
from mmattn.utils.progress import progress_bar


def attend_to_videos(
    model: Any,
    videos: Sequence[str | Path],
    *,
    names: Sequence[str] | None = None,
    progress: bool = True,
) -> Iterator[tuple[Path, ActionDataSample, AttentionRecords]]:
    """Predict video files one by one and yield what the model attended to.

    Args:
        model: Model of :func:`mmattn.inference.models.load_model`, whose config holds a
            ``test_pipeline``.
        videos: Paths of video files.
        names: Patterns of the records wanted, such as ``'cls_head.*'``; all by
            default.
        progress: Whether to show a progress bar.

    Yields:
        The path, the prediction and the records of one video.

    Raises:
        ValueError: If a path is no file.
    """
    for video in videos:
        if not Path(video).is_file():
            raise ValueError(f'expected a video file, got {str(video)!r}')
    pipeline = Compose(model.cfg.test_pipeline)
    items = (run_steps(pipeline.transforms, video_info(Path(v))) for v in videos)
    results = attend(model, items, names=names)
    bar = progress_bar(results, total=len(videos), description='videos', shown=progress)
    for video, (sample, records) in zip(videos, bar, strict=True):
        yield Path(video), sample, records


def attend(
    model: Any,
    items: Iterable[dict[str, Any]],
    *,
    names: Sequence[str] | None = None,
) -> Iterator[tuple[ActionDataSample, AttentionRecords]]:
    """Predict items of a data set one by one and yield what the model attended to.

    Args:
        model: A recognizer in eval mode.
        items: What a test pipeline gives: ``inputs`` and ``data_samples``.
        names: Patterns of the records wanted; all by default.
    """
    for item in items:
        batch = pseudo_collate([item])
        with torch.no_grad(), capture_attention(model, names=names) as records:
            (sample,) = model.test_step(batch)
        yield sample, records


def frame_weights(record: AttentionRecord, *, last_steps: int | None = None) -> Any:
    """Return the weight of every frame of one video as (numbers, weights).

    Windows of a video may overlap and crops repeat its frames: their weights are
    averaged per frame, and weights of W windows are divided by W, so that they add up
    to 1 over the video.

    Args:
        record: Record with axes ``('row', 'frame')`` or ``('row', 'step', 'frame')``
            and frame numbers.
        last_steps: Average over this many last steps; by default those that make the
            score.

    Returns:
        Sorted frame numbers (F,) and weights (F,) that sum to 1.

    Raises:
        ValueError: If the record has other axes, no frame numbers, or weights that
            have no shares.
    """
    if record.axes not in (('row', 'frame'), ('row', 'step', 'frame')):
        raise ValueError(
            f'{record.name}: expected weights of frames, got {record.axes}'
        )
    if record.frames is None:
        raise ValueError(f'{record.name}: expected frame numbers, got none')
    (attention,) = attention_maps(replace(record, roi=None), last_steps=last_steps)
    if attention.weights is None:
        raise ValueError(
            f'{record.name}: expected weights of at least 0, not all 0, got '
            f'{record.map.min():.3g} to {record.map.max():.3g}'
        )
    return attention.numbers, attention.weights


def video_info(video: Path) -> dict[str, Any]:
    """Return what a test pipeline needs of a video file.

    Args:
        video: The file.
    """
    return dict(
        filename=str(video),
        video_id=video.stem,
        label=-1,
        start_index=0,
        modality='RGB',
    )
