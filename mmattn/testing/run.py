"""Train and test a config as the command-line tools do, inside this process."""

import uuid
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner


def train_and_test(cfg: Config, work_dir: str | Path) -> dict[str, Any]:
    """Train a (shrunk) config to its end and test the result.

    Args:
        cfg: Config, shrunk by :func:`mmattn.testing.shrink` in tests.
        work_dir: Folder for logs and checkpoints.

    Returns:
        The test metrics and, under ``'loss'``, the last training loss.
    """
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = uuid.uuid4().hex
    cfg.setdefault('launcher', 'none')
    runner = Runner.from_cfg(cfg)
    runner.train()
    loss = runner.message_hub.get_scalar('train/loss').current()
    metrics = runner.test()
    return dict(metrics, loss=float(loss))
