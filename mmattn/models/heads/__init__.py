"""Heads."""

from mmattn.models.heads.temporal_lstm_head import TemporalLSTMHead

__all__ = ['TemporalLSTMHead']
