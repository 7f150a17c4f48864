"""Run a model on videos and collect what it attends to."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.apis import init_recognizer
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from mmattn.engine.hooks.checkpoint_guard_hook import require_weights
from mmattn.utils.attention_layers import sum_by_frame
from mmattn.utils.attention_maps import capture_attention
from mmattn.utils.attention_records import AttentionRecord, AttentionRecords
from mmattn.utils.pretrained import read_weights
from mmattn.utils.progress import progress_bar


def load_model(
    config: str | Path | Config, checkpoint: str | None, *, device: str = 'cpu'
) -> torch.nn.Module:
    """Build a recognizer for inference, with the host's ``init_recognizer``.

    Args:
        config: Config or its path.
        checkpoint: Weights; None leaves them random.
        device: Device such as ``'cuda:0'``.

    Raises:
        ValueError: If the checkpoint is that of another model; the host only warns.
    """
    model = init_recognizer(config, None, device=device)
    if checkpoint is not None:
        weights = read_weights(str(checkpoint), prefixes=('module.',))
        require_weights(model, weights, str(checkpoint))
        model.load_state_dict(weights, strict=False)  # more than needed is no fault
    return model


def attend_to_videos(
    model: Any,
    videos: Sequence[str | Path],
    *,
    names: Sequence[str] | None = None,
    progress: bool = True,
) -> Iterator[tuple[Path, ActionDataSample, AttentionRecords]]:
    """Predict video files one by one and yield what the model attended to.

    Args:
        model: Model of :func:`load_model`, whose config holds a ``test_pipeline``.
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
    items = (pipeline(video_info(Path(video))) for video in videos)
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
        last_steps: Average over this many last steps; all by default.

    Returns:
        Sorted frame numbers (F,) and weights (F,) that sum to 1.

    Raises:
        ValueError: If the record has other axes or no frame numbers.
    """
    if record.axes not in (('row', 'frame'), ('row', 'step', 'frame')):
        raise ValueError(
            f'{record.name}: expected weights of frames, got {record.axes}'
        )
    if record.frames is None:
        raise ValueError(f'{record.name}: expected frame numbers, got none')
    maps = record.map.double().numpy()
    if maps.ndim == 3:
        maps = maps[:, -last_steps if last_steps else None :].mean(axis=1)
    numbers, weights, _ = sum_by_frame(record.frames, maps)
    return numbers, weights / weights.sum()


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
