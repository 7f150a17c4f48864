"""Train and test a config as the command-line tools do, inside this process."""

import uuid
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner


def build_runner(cfg: Config, work_dir: str | Path) -> Runner:
    """Build a runner beside which others may live in the same process.

    Args:
        cfg: Config, shrunk by :func:`mmattn.testing.shrink` in tests.
        work_dir: Folder for logs and checkpoints.
    """
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = uuid.uuid4().hex
    cfg.setdefault('launcher', 'none')
    return Runner.from_cfg(cfg)


def train_and_test(cfg: Config, work_dir: str | Path) -> dict[str, Any]:
    """Train a (shrunk) config to its end and test the result.

    Args:
        cfg: See :func:`build_runner`.
        work_dir: See :func:`build_runner`.

    Returns:
        The test metrics and, under ``'loss'``, the last training loss.
    """
    runner = build_runner(cfg, work_dir)
    runner.train()
    loss = runner.message_hub.get_scalar('train/loss').current()
    metrics = runner.test()
    return dict(metrics, loss=float(loss))
