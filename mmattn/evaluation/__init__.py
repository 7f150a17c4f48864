"""Metrics."""

from mmattn.evaluation.functional import (
    CharadesMap,
    FrameAPs,
    Scores,
    accuracies,
    charades_map,
    dump_submission,
    frame_aps,
    frame_map,
    fuse_scores,
    load_scores,
    load_submission,
    mass_in_boxes,
    mass_on_frames,
    pointing_game,
)
from mmattn.evaluation.metrics import CharadesMetric, FrameAccuracy, FrameMAP

__all__ = [
    'CharadesMap',
    'CharadesMetric',
    'FrameAPs',
    'FrameAccuracy',
    'FrameMAP',
    'Scores',
    'accuracies',
    'charades_map',
    'dump_submission',
    'frame_aps',
    'frame_map',
    'fuse_scores',
    'load_scores',
    'load_submission',
    'mass_in_boxes',
    'mass_on_frames',
    'pointing_game',
]
