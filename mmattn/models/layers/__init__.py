"""Attention cores: plain modules and pure functions."""

from mmattn.models.layers.squeeze_excitation import SqueezeExcitation
from mmattn.models.layers.temporal_attention import TemporalAttentionLSTM

__all__ = ['SqueezeExcitation', 'TemporalAttentionLSTM']
