"""Recognizers."""

from mmattn.models.recognizers.frame_recognizer import FrameRecognizer
from mmattn.models.recognizers.reduction_recognizer import ReductionRecognizer
from mmattn.models.recognizers.segment_recognizer import SegmentRecognizer
from mmattn.models.recognizers.two_stream_recognizer import TwoStreamRecognizer

__all__ = [
    'FrameRecognizer',
    'ReductionRecognizer',
    'SegmentRecognizer',
    'TwoStreamRecognizer',
]
