"""Modules between stages of a backbone, or between backbone and head."""

from mmattn.models.necks.attention_neck import AttentionNeck
from mmattn.models.necks.frame_reduction import FrameMean, FrameReduction
from mmattn.models.necks.pyramid_attention_neck import PyramidAttentionNeck

__all__ = [
    'AttentionNeck',
    'FrameMean',
    'FrameReduction',
    'PyramidAttentionNeck',
]
