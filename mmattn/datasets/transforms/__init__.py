"""Pipeline steps."""

from .around import SampleAroundSecond
from .compute_flow import ComputeFlow, FlowInit
from .features import LoadFeatures, open_features
from .flow import (
    FlowFlip,
    FlowTenCrop,
    dequantize_flow,
    negate_levels,
    negate_x,
    quantize_flow,
)
from .spaced import SampleSpacedFrames
from .windows import SampleWindows, window_starts, write_positions

__all__ = [
    'ComputeFlow',
    'FlowFlip',
    'FlowInit',
    'FlowTenCrop',
    'LoadFeatures',
    'SampleAroundSecond',
    'SampleSpacedFrames',
    'SampleWindows',
    'dequantize_flow',
    'negate_levels',
    'negate_x',
    'open_features',
    'quantize_flow',
    'window_starts',
    'write_positions',
]
