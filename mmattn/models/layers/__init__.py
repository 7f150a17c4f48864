"""Attention cores: plain modules and pure functions."""

from mmattn.models.layers.attention_conv_lstm import AttentionConvLSTM
from mmattn.models.layers.conv_lstm import ConvLSTMCell
from mmattn.models.layers.pyramid_attention import PyramidAttention
from mmattn.models.layers.slowfast_attention import SlowFastAttention
from mmattn.models.layers.spatiotemporal_self_attention import (
    SpatialSelfAttention,
    TemporalSelfAttention,
)
from mmattn.models.layers.squeeze_excitation import SqueezeExcitation
from mmattn.models.layers.stbta import STBTA
from mmattn.models.layers.stbta_attention import (
    SpatialAttentionI,
    SpatialAttentionII,
    TemporalAttention,
)
from mmattn.models.layers.stbta_hourglass import Hourglass
from mmattn.models.layers.temporal_attention import TemporalAttentionLSTM

__all__ = [
    'STBTA',
    'AttentionConvLSTM',
    'ConvLSTMCell',
    'Hourglass',
    'PyramidAttention',
    'SlowFastAttention',
    'SpatialAttentionI',
    'SpatialAttentionII',
    'SpatialSelfAttention',
    'SqueezeExcitation',
    'TemporalAttention',
    'TemporalAttentionLSTM',
    'TemporalSelfAttention',
]
