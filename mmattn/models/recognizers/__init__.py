"""Recognizers."""

from mmattn.models.recognizers.frame_recognizer import FrameRecognizer
from mmattn.models.recognizers.reduction_recognizer import ReductionRecognizer

__all__ = ['FrameRecognizer', 'ReductionRecognizer']
