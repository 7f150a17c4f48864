"""Models built from configs, recognizers and detectors alike."""

import contextlib
import copy
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from mmattn.compat import require_detection
from mmattn.engine.hooks.checkpoint_guard_hook import require_weights
from mmattn.utils.host_tools import uses_detection
from mmattn.utils.pretrained import read_weights


@contextlib.contextmanager
def quiet_log() -> Iterator[None]:
    """Keep back the stack's warnings, which it prints to stdout, for tools that print.

    Example:
        >>> with quiet_log():
        ...     MMLogger.get_current_instance().warning('not seen')
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def build_model(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Build a model in eval mode, with its config as ``cfg``.

    Args:
        config: Config or its path.
        checkpoint: Weights; None leaves the initial ones, without pretraining.
        options: Values to merge into the config, as ``--cfg-options`` gives.

    Raises:
        ImportError: If it needs mmdet, which is not installed.
        ValueError: If the checkpoint is that of another model.
    """
    cfg = config if isinstance(config, Config) else Config.fromfile(config)
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(options or {})
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    if uses_detection(cfg.model):
        require_detection()
    model = MODELS.build(cfg.model)
    if checkpoint is not None:
        weights = read_weights(str(checkpoint), prefixes=('module.',))
        require_weights(model, weights, str(checkpoint))
        model.load_state_dict(weights, strict=False)  # more than needed is no fault
    model.cfg = cfg
    return model.eval()
