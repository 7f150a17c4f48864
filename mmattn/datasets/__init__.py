"""Data sets, samplers and pipeline steps."""

from .base import AnnotationFileNotFoundError, BrokenVideoError, CheckedActionDataset
from .charades import CharadesVideo, read_charades
from .detection import ActionDetectionDataset
from .features import FeatureDataset
from .samplers import SeededIndex, SeededSampler, seeded_rng
from .transforms import (
    FlowFlip,
    FlowTenCrop,
    LoadFeatures,
    SampleWindows,
    dequantize_flow,
    quantize_flow,
)
from .video import ActionFrameDataset, ActionVideoDataset

__all__ = [
    'ActionDetectionDataset',
    'ActionFrameDataset',
    'ActionVideoDataset',
    'AnnotationFileNotFoundError',
    'BrokenVideoError',
    'CharadesVideo',
    'CheckedActionDataset',
    'FeatureDataset',
    'FlowFlip',
    'FlowTenCrop',
    'LoadFeatures',
    'SampleWindows',
    'SeededIndex',
    'SeededSampler',
    'dequantize_flow',
    'quantize_flow',
    'read_charades',
    'seeded_rng',
]
