"""Hooks."""

from mmattn.engine.hooks.checkpoint_guard_hook import CheckpointGuardHook
from mmattn.engine.hooks.reproducible_hook import ReproducibleHook

__all__ = ['CheckpointGuardHook', 'ReproducibleHook']
