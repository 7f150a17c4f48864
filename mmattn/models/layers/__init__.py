"""Attention cores: plain modules and pure functions."""

from mmattn.models.layers.temporal_attention import TemporalAttentionLSTM

__all__ = ['TemporalAttentionLSTM']
