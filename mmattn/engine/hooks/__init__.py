"""Hooks."""

from mmattn.engine.hooks.checkpoint_guard_hook import CheckpointGuardHook
from mmattn.engine.hooks.reproducible_hook import ReproducibleHook
from mmattn.engine.hooks.val_loss_hook import ValLossHook

__all__ = ['CheckpointGuardHook', 'ReproducibleHook', 'ValLossHook']
