"""Detect the actions of persons in a video file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from mmattn.datasets.ava import read_label_map
from mmattn.datasets.base import run_steps
from mmattn.datasets.video_reader import VideoReader, open_video
from mmattn.inference.persons import PersonSource
from mmattn.inference.steps import DECODE_STEPS
from mmattn.utils.progress import progress_bar

# By the last one attention maps know of which frames they are.
META_KEYS = ('img_shape', 'img_key', 'video_id', 'timestamp', 'frame_inds')


class PersonActions(NamedTuple):
    """A person in one frame.

    Args:
        box: Left, top, right and bottom in fractions of the frame, as corrected.
        actions: Numbers and scores of the classes found, best first.
    """

    box: tuple[float, ...]
    actions: tuple[tuple[int, float], ...]


class KeyFrame(NamedTuple):
    """What is found in one frame.

    Args:
        number: Number of the frame, from 0.
        second: Its time.
        persons: The persons.
    """

    number: int
    second: float
    persons: tuple[PersonActions, ...]


@torch.no_grad()
def detect_actions(
    model: Any,
    video: str | Path,
    persons: PersonSource | None,
    *,
    every_seconds: float = 1.0,
    score_thr: float = 0.3,
    top: int = 3,
    progress: bool = True,
    reader: Any = None,
) -> list[KeyFrame]:
    """Score the actions of each person in frames at equal distances.

    Args:
        model: Model of :func:`mmattn.inference.models.load_model`.
        video: Video file.
        persons: Returns the boxes of a frame, see :mod:`mmattn.inference.persons`;
            None for a model that proposes regions itself.
        every_seconds: Distance between the frames, from second 0 on.
        score_thr: Lowest score of an action, exclusive.
        top: Most actions of one person.
        progress: Whether to show a progress bar.
        reader: Frames to read in place of the file ``video``, which then is a name.

    Raises:
        ValueError: If the video cannot be read, an argument is out of its range, or
            the model neither gets persons nor finds them itself.
    """
    if not every_seconds > 0:
        raise ValueError(f'every_seconds: expected above 0, got {every_seconds}')
    if persons is None and not getattr(model, 'with_rpn', False):
        raise ValueError(
            'persons: expected boxes for a model without region proposals, got None'
        )
    reader = open_video(video) if reader is None else reader
    pipeline = Compose(clip_steps(model.cfg)).transforms
    seconds = np.arange(0, reader.duration - 0.5 / reader.fps, every_seconds)
    labels = _labels(model.cfg)
    found = []
    for second in progress_bar(seconds.tolist(), description='frames', shown=progress):
        number = reader.frame_at(second)
        boxes = np.zeros((0, 4))
        if persons is not None:
            boxes = persons(reader.read([number])[0], second)[:, :4]
        people: tuple[PersonActions, ...] = ()
        if persons is None or len(boxes):
            info = _frame_info(Path(video), reader, second, boxes)
            if persons is None:
                del info['proposals']
            (sample,) = model.test_step(pseudo_collate([run_steps(pipeline, info)]))
            people = _actions(sample.pred_instances, labels, score_thr, top)
        found.append(KeyFrame(number, second, people))
    return found


def class_names(cfg: Config, label_file: str | Path | None = None) -> Mapping[int, str]:
    """Return the names of the classes by their numbers, ``class k`` where unknown.

    Args:
        cfg: Config of a model.
        label_file: Classes as AVA's ``pbtxt``; by default that of the config, if it
            exists.

    Raises:
        ValueError: If the file names no class.
    """
    names = {label: f'class {label}' for label in _labels(cfg).values()}
    if label_file is None:
        evaluator = cfg.get('test_evaluator') or {}
        path = evaluator.get('label_file') if isinstance(evaluator, dict) else None
        label_file = path if path and Path(path).is_file() else None
    return names if label_file is None else names | read_label_map(label_file)


def _labels(cfg: Config) -> dict[int, int]:
    """Number of the class of each column of the scores but the first."""
    columns = range(1, cfg.model.roi_head.bbox_head.num_classes)
    custom = cfg.test_dataloader.dataset.get('custom_classes')
    return dict(zip(columns, custom or columns, strict=True))


def clip_steps(cfg: Config) -> list[dict]:
    """Return the test pipeline, made to read an open video around a second.

    Args:
        cfg: Config of a detector.

    Raises:
        ValueError: If no step samples a clip, or none decodes it.
    """
    steps = cfg.test_dataloader.dataset.pipeline
    kinds = [step['type'] for step in steps]
    decoders = [k for k, kind in enumerate(kinds) if kind in DECODE_STEPS]
    samplers = [step for step in steps if 'clip_len' in step]
    if not decoders or not samplers:
        raise ValueError(
            f'test_dataloader.dataset.pipeline: expected a step with clip_len and one '
            f'of {DECODE_STEPS}, got {kinds}'
        )
    clip_len, seconds = samplers[0]['clip_len'], samplers[0].get('clip_seconds')
    if seconds is None:
        fps = cfg.test_dataloader.dataset.get('fps', 30)
        seconds = clip_len * samplers[0].get('frame_interval', 1) / fps
    sampler = dict(
        type='mmattn.SampleAroundSecond',
        clip_len=clip_len,
        clip_seconds=seconds,
        test_mode=True,
    )
    *steps, pack = steps[decoders[0] + 1 :]
    pack = dict(pack, meta_keys=META_KEYS)
    return [sampler, dict(type='mmattn.VideoDecode'), *steps, pack]


def _frame_info(
    video: Path, reader: VideoReader, second: float, boxes: np.ndarray
) -> dict[str, Any]:
    """What a data set says of a frame, without truth."""
    return dict(
        video_reader=reader,
        total_frames=len(reader),
        avg_fps=reader.fps,
        start_index=0,
        modality='RGB',
        filename=str(video),
        video_id=video.stem,
        timestamp=second,
        img_key=f'{video.stem},{second:g}',
        gt_bboxes=np.zeros((0, 4)),
        gt_labels=np.zeros((0, 1)),
        proposals=boxes,
    )


def _actions(
    found: Any, labels: Mapping[int, int], score_thr: float, top: int
) -> tuple[PersonActions, ...]:
    people = []
    rows = zip(found.bboxes.cpu().tolist(), found.scores.cpu().tolist(), strict=True)
    for box, scores in rows:
        actions = [
            (label, scores[column])
            for column, label in labels.items()
            if scores[column] > score_thr
        ]
        actions.sort(key=lambda action: -action[1])
        people.append(PersonActions(tuple(box), tuple(actions[:top])))
    return tuple(people)
