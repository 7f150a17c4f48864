"""Loops, hooks and optimizer wrappers."""

from mmattn.engine.hooks import *  # noqa: F403
from mmattn.engine.loops import ResumableIterLoop
from mmattn.engine.optimizers import *  # noqa: F403

__all__ = ['ResumableIterLoop']
