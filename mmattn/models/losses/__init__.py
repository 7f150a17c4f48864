"""Losses."""

from mmattn.models.losses.pyramid_losses import (
    PyramidAttentionLoss,
    PyramidInteractionLoss,
    attention_loss,
    interaction_loss,
)

__all__ = [
    'PyramidAttentionLoss',
    'PyramidInteractionLoss',
    'attention_loss',
    'interaction_loss',
]
