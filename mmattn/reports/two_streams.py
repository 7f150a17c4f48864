"""Test two streams, and join their configs into one."""

import copy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmattn.evaluation import Scores, load_scores
from mmattn.reports.rows import load_config
from mmattn.utils.configs import find_config


def listed_videos(config: str | Path, options: Sequence[str] = ()) -> Scores:
    """Return the test list of a config as scores that are all 0.

    With it streams are compared before anything is tested.

    Args:
        config: Config of a recognizer, or the name of one of ours.
        options: ``key=value`` pairs, as ``--cfg-options`` takes.

    Raises:
        ValueError: If there is no such config, or its list cannot be read.
    """
    cfg = load_config(find_config(config), tuple(options))
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    return Scores(
        name=str(config),
        video_ids=tuple(sample['video_id'] for sample in samples),
        scores=np.zeros((len(samples), cfg.model.cls_head.num_classes)),
        labels=np.array([sample['label'] for sample in samples]),
    )


def stream_source(stream: Sequence[str], options: Sequence[str] = ()) -> Scores:
    """Return what is known of a stream before its test.

    Args:
        stream: ``(dump,)`` or ``(config, checkpoint)``.
        options: ``key=value`` pairs for the config.

    Raises:
        ValueError: If it is neither, or a file does not exist.
    """
    if len(stream) not in (1, 2):
        raise ValueError(f'expected DUMP or CONFIG CHECKPOINT, got {" ".join(stream)}')
    if len(stream) == 1:
        return load_scores(stream[0])
    if '://' not in stream[1] and not Path(stream[1]).is_file():
        raise ValueError(f'expected a checkpoint file, got {stream[1]}')
    return listed_videos(stream[0], options)


def tested_scores(
    tool: Path, stream: Sequence[str], folder: Path, options: Sequence[str]
) -> Scores:
    """Test a stream with ``tools/test.py`` and return its scores.

    Args:
        tool: Path of ``tools/test.py``.
        stream: ``(dump,)``, which is only read, or ``(config, checkpoint)``.
        folder: Folder for the logs; the dump lies beside it.
        options: Further options of the tool.

    Raises:
        RuntimeError: If the test fails.
    """
    if len(stream) == 1:
        return load_scores(stream[0])
    dump = folder.with_suffix('.pkl')
    config = str(find_config(stream[0]))
    command = [sys.executable, str(tool), config, stream[1], '--dump', str(dump)]
    command += ['--work-dir', str(folder), *options]
    status = subprocess.run(command, check=False).returncode
    if status:
        raise RuntimeError(f'expected {" ".join(command)} to end with 0, got {status}')
    return load_scores(dump)


def join_streams(
    rgb: Config, flow: Config, *, weights: Sequence[float] = (1.0, 1.0)
) -> Config:
    """Return a config that trains and tests two streams in one process.

    The model is a :class:`~mmattn.models.TwoStreamRecognizer`, the data sets are
    :class:`~mmattn.datasets.TwoStreamDataset`. Batch sizes, schedule, optimizer and
    hooks are those of the RGB config.

    Args:
        rgb: Config of the RGB stream.
        flow: Config of the flow stream.
        weights: Weights of the streams' scores.

    Raises:
        ValueError: If the streams have different numbers of classes.
    """
    cfg = copy.deepcopy(rgb)
    counts = [c.model.cls_head.num_classes for c in (rgb, flow)]
    if counts[0] != counts[1]:
        raise ValueError(
            f'model.cls_head.num_classes: expected the same in both streams, got '
            f'{counts[0]} and {counts[1]}'
        )
    cfg.model = dict(
        type='mmattn.TwoStreamRecognizer',
        rgb=rgb.model.to_dict(),
        flow=flow.model.to_dict(),
        weights=tuple(float(weight) for weight in weights),
    )
    for split in ('train', 'val', 'test'):
        key = f'{split}_dataloader'
        if cfg.get(key):
            cfg[key].dataset = dict(
                type='mmattn.TwoStreamDataset',
                rgb=rgb[key].dataset.to_dict(),
                flow=flow[key].dataset.to_dict(),
            )
    for split in ('val', 'test'):
        if cfg.get(f'{split}_evaluator'):
            cfg[f'{split}_evaluator'] = dict(type='mmattn.StreamAccuracy')
    for key in ('train_pipeline', 'val_pipeline', 'test_pipeline'):
        cfg.pop(key, None)
    return cfg
