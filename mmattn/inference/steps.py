"""Test pipelines, made to read what there is and to crop once or as at test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.config import Config

from mmattn.utils.arguments import require_choice

MOST_FRAMES = 3000  # of one clip, which all lie in memory
OPEN_STEPS = (
    'mmattn.VideoInit',
    'DecordInit',
    'PyAVInit',
    'OpenCVInit',
    'PIMSInit',
)
DECODE_STEPS = (
    'mmattn.VideoDecode',
    'DecordDecode',
    'PyAVDecode',
    'OpenCVDecode',
    'PIMSDecode',
    'RawFrameDecode',
)
READING_STEPS = (*DECODE_STEPS, 'mmattn.ComputeFlow')
STORED = 'RawFrameDecode'
CROPS = ('test', 'center')
CENTER = {'TenCrop': 'CenterCrop', 'ThreeCrop': 'CenterCrop'}
CENTER['mmattn.FlowTenCrop'] = 'CenterCrop'


def frame_steps(cfg: Config, *, crops: str = 'test') -> list[Any]:
    """Return the steps of a test pipeline, made to read any frames that are given.

    Args:
        cfg: Config of a recognizer.
        crops: ``'test'`` for the crops of the pipeline, ``'center'`` for the one in the
            middle in their place.

    Raises:
        ValueError: If the config has no such pipeline, or it reads no RGB frames.
    """
    steps = test_steps(cfg)
    kinds = [step['type'] for step in steps]
    if not set(kinds) & set(READING_STEPS):
        raise ValueError(
            f'test_pipeline: expected a step that decodes frames {READING_STEPS}, '
            f'got {kinds}: a model of another input cannot read videos'
        )
    loader = cfg.get('test_dataloader') or {}
    modality = loader.get('dataset', {}).get('modality', 'RGB')
    if modality != 'RGB':
        raise ValueError(
            f'expected a model of RGB frames for videos, got one of {modality}: give '
            'it folders of that'
        )
    found: list[Any] = []
    for step in cropped(steps, crops):
        if step['type'] in OPEN_STEPS:
            continue  # the video is open
        if step['type'] in READING_STEPS:
            found.append(_FrameLimit())
        if step['type'] in DECODE_STEPS:
            step = dict(type='mmattn.VideoDecode')
        found.append(step)
    return found


def stored_steps(cfg: Config, io_backend: str, *, crops: str = 'test') -> list[Any]:
    """Return the steps of a test pipeline that reads frames stored one by one.

    Args:
        cfg: Config of a recognizer.
        io_backend: Where they are, ``'disk'`` or ``'zip'``.
        crops: See :func:`frame_steps`.
    """
    steps = cropped(test_steps(cfg), crops)
    for step in steps:
        if step['type'] == STORED:
            step['io_backend'] = io_backend
    return steps


def cropped(steps: Sequence[dict[str, Any]], crops: str) -> list[dict[str, Any]]:
    """Return steps with the crops that are wanted.

    Args:
        steps: Configs of the steps.
        crops: See :func:`frame_steps`.

    Raises:
        ValueError: If ``crops`` is neither.

    Example:
        >>> cropped([dict(type='TenCrop', crop_size=224)], 'center')
        [{'type': 'CenterCrop', 'crop_size': 224}]
    """
    require_choice('crops', crops, CROPS)
    names = CENTER if crops == 'center' else {}
    return [{**step, 'type': names.get(step['type'], step['type'])} for step in steps]


def test_steps(cfg: Config) -> list[Any]:
    """Return the test pipeline of a config.

    Args:
        cfg: The config.

    Raises:
        ValueError: If it has none.
    """
    loader = cfg.get('test_dataloader') or {}
    steps = cfg.get('test_pipeline') or loader.get('dataset', {}).get('pipeline')
    if not steps:
        raise ValueError(
            'test_pipeline: expected the steps that read a video, got none'
        )
    return steps


class _FrameLimit:
    """Step that refuses to decode more frames than memory holds."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        count = len(np.unique(results['frame_inds']))
        if count > MOST_FRAMES:
            raise ValueError(
                f'{results["filename"]}: expected at most {MOST_FRAMES} frames at '
                f'once, got {count}: mmattn predict --every SECONDS reads parts'
            )
        return results
