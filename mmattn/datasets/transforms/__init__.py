"""Pipeline steps."""

from .compute_flow import ComputeFlow, FlowInit
from .decode import VideoDecode, VideoInit
from .features import LoadFeatures, open_features
from .flow import (
    FlowFlip,
    FlowTenCrop,
    dequantize_flow,
    negate_levels,
    negate_x,
    quantize_flow,
)
from .key_frames import SampleAVAFrames
from .packing import PackClipInputs
from .sample_around_second import SampleAroundSecond
from .sample_spaced_frames import SampleSpacedFrames
from .sample_windows import SampleWindows, window_starts, write_positions

__all__ = [
    'ComputeFlow',
    'FlowFlip',
    'FlowInit',
    'FlowTenCrop',
    'LoadFeatures',
    'PackClipInputs',
    'SampleAVAFrames',
    'SampleAroundSecond',
    'SampleSpacedFrames',
    'SampleWindows',
    'VideoDecode',
    'VideoInit',
    'dequantize_flow',
    'negate_levels',
    'negate_x',
    'open_features',
    'quantize_flow',
    'window_starts',
    'write_positions',
]
