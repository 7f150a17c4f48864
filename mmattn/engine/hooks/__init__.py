"""Hooks."""

from mmattn.engine.hooks.attention_picture_hook import AttentionPictureHook
from mmattn.engine.hooks.checkpoint_guard_hook import CheckpointGuardHook
from mmattn.engine.hooks.reproducible_hook import ReproducibleHook
from mmattn.engine.hooks.val_loss_hook import ValLossHook

__all__ = [
    'AttentionPictureHook',
    'CheckpointGuardHook',
    'ReproducibleHook',
    'ValLossHook',
]
