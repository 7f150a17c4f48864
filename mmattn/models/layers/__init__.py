"""Attention cores: plain modules and pure functions."""

from mmattn.models.layers.convlstm import ConvLSTMCell
from mmattn.models.layers.convlstm_attention import AttentionConvLSTM
from mmattn.models.layers.fade_in import FadeIn
from mmattn.models.layers.light_attention import (
    ConvBlockAttention,
    EfficientChannelAttention,
)
from mmattn.models.layers.pyramid import PyramidAttention
from mmattn.models.layers.slowfast_attn import SlowFastAttention
from mmattn.models.layers.slowfast_attn_modules import (
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
from mmattn.models.layers.temporal_lstm import TemporalAttentionLSTM
from mmattn.models.layers.token_attention import TokenAttention

__all__ = [
    'STBTA',
    'AttentionConvLSTM',
    'ConvBlockAttention',
    'ConvLSTMCell',
    'EfficientChannelAttention',
    'FadeIn',
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
    'TokenAttention',
]
