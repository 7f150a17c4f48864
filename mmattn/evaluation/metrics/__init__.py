"""Registered metrics."""

from mmattn.evaluation.metrics.attention_quality import AttentionQuality
from mmattn.evaluation.metrics.charades_metric import CharadesMetric
from mmattn.evaluation.metrics.frame_accuracy import FrameAccuracy
from mmattn.evaluation.metrics.frame_map import FrameMAP
from mmattn.evaluation.metrics.stream_accuracy import StreamAccuracy

__all__ = [
    'AttentionQuality',
    'CharadesMetric',
    'FrameAccuracy',
    'FrameMAP',
    'StreamAccuracy',
]
