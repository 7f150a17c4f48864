"""Data sets, samplers and pipeline steps."""

from .base import AnnotationFileNotFoundError, BrokenVideoError, CheckedActionDataset
from .charades import CharadesVideo, read_charades
from .detection import ActionDetectionDataset
from .features import FeatureDataset
from .samplers import SeededIndex, SeededSampler, seeded_rng
from .transforms import (
    ComputeFlow,
    FlowFlip,
    FlowInit,
    FlowTenCrop,
    LoadFeatures,
    SampleWindows,
    VideoDecode,
    VideoInit,
    dequantize_flow,
    quantize_flow,
)
from .two_streams import TwoStreamDataset
from .video import ActionFrameDataset, ActionVideoDataset
from .zip_frames import ZipFrames

__all__ = [
    'ActionDetectionDataset',
    'ActionFrameDataset',
    'ActionVideoDataset',
    'AnnotationFileNotFoundError',
    'BrokenVideoError',
    'CharadesVideo',
    'CheckedActionDataset',
    'ComputeFlow',
    'FeatureDataset',
    'FlowFlip',
    'FlowInit',
    'FlowTenCrop',
    'LoadFeatures',
    'SampleWindows',
    'SeededIndex',
    'SeededSampler',
    'TwoStreamDataset',
    'VideoDecode',
    'VideoInit',
    'ZipFrames',
    'dequantize_flow',
    'quantize_flow',
    'read_charades',
    'seeded_rng',
]
