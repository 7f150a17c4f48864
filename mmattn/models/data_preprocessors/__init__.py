"""Data preprocessors."""

from mmattn.models.data_preprocessors.frame_data_preprocessor import (
    FrameDataPreprocessor,
)

__all__ = ['FrameDataPreprocessor']
