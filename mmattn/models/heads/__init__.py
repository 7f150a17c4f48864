"""Heads."""

from mmattn.models.heads.convlstm_head import ConvLSTMHead
from mmattn.models.heads.multi_label_tsn_head import MultiLabelTSNHead
from mmattn.models.heads.slowfast_attn_clip_head import SlowFastClipHead
from mmattn.models.heads.temporal_lstm_head import TemporalLSTMHead

__all__ = [
    'ConvLSTMHead',
    'MultiLabelTSNHead',
    'SlowFastClipHead',
    'TemporalLSTMHead',
]
