"""Synthetic videos with exact ground truth of where, when and what."""

from mmattn.synthetic.options import PRESET_DEFAULTS, SPLITS, VideoOptions
from mmattn.synthetic.presets import PRESETS, render_clip
from mmattn.synthetic.scene import Clip
from mmattn.synthetic.writer import make_videos

__all__ = [
    'PRESETS',
    'PRESET_DEFAULTS',
    'SPLITS',
    'Clip',
    'VideoOptions',
    'make_videos',
    'render_clip',
]
