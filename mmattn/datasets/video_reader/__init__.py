"""Reading videos: the one place that opens them.

Frame n is the n-th frame in the order in which FFmpeg shows the file, with its edit
list and its rotation; see "Frames and seconds" in ``docs/data.md``.
"""

from .camera import open_camera
from .decode import VideoError
from .files import VIDEO_SUFFIXES, describe_files, is_video, looks_like_video
from .index import frames_at
from .probe import Probe, probe
from .reader import BACKENDS, CutShortWarning, VideoReader, open_video

__all__ = [
    'BACKENDS',
    'VIDEO_SUFFIXES',
    'CutShortWarning',
    'Probe',
    'VideoError',
    'VideoReader',
    'describe_files',
    'frames_at',
    'is_video',
    'looks_like_video',
    'open_camera',
    'open_video',
    'probe',
]
