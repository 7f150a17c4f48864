"""Hooks."""

from mmattn.engine.hooks.attention_capture_hook import AttentionCaptureHook
from mmattn.engine.hooks.attention_picture_hook import AttentionPictureHook
from mmattn.engine.hooks.channels_last_hook import ChannelsLastHook
from mmattn.engine.hooks.checkpoint_guard_hook import CheckpointGuardHook
from mmattn.engine.hooks.reproducible_hook import ReproducibleHook
from mmattn.engine.hooks.val_loss_hook import ValLossHook

__all__ = [
    'AttentionCaptureHook',
    'AttentionPictureHook',
    'ChannelsLastHook',
    'CheckpointGuardHook',
    'ReproducibleHook',
    'ValLossHook',
]
