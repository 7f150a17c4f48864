"""Recognizers."""

from mmattn.models.recognizers.frame_recognizer import FrameRecognizer
from mmattn.models.recognizers.reduction_recognizer import ReductionRecognizer
from mmattn.models.recognizers.segment_recognizer import SegmentRecognizer

__all__ = [
    'FrameRecognizer',
    'ReductionRecognizer',
    'SegmentRecognizer',
]
