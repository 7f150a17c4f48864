"""Hooks."""

from mmattn.engine.hooks.attention_capture_hook import AttentionCaptureHook
from mmattn.engine.hooks.attention_picture_hook import AttentionPictureHook
from mmattn.engine.hooks.channels_last_hook import ChannelsLastHook
from mmattn.engine.hooks.checkpoint_guard_hook import CheckpointGuardHook
from mmattn.engine.hooks.class_count_hook import ClassCountHook
from mmattn.engine.hooks.divergence_hook import DivergedError, DivergenceHook
from mmattn.engine.hooks.missed_validation_hook import MissedValidationHook
from mmattn.engine.hooks.reproducible_hook import ReproducibleHook
from mmattn.engine.hooks.val_loss_hook import ValLossHook

__all__ = [
    'AttentionCaptureHook',
    'AttentionPictureHook',
    'ChannelsLastHook',
    'CheckpointGuardHook',
    'ClassCountHook',
    'DivergedError',
    'DivergenceHook',
    'MissedValidationHook',
    'ReproducibleHook',
    'ValLossHook',
]
