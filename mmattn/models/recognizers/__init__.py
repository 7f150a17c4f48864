"""Recognizers."""

from mmattn.models.recognizers.frame_recognizer import FrameRecognizer

__all__ = ['FrameRecognizer']
