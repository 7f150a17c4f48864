"""Metrics."""

from mmattn.evaluation.functional import (
    CharadesMap,
    FrameAPs,
    Scores,
    accuracies,
    box_in_crop,
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
    pointing_uniform,
)
from mmattn.evaluation.metrics import (
    AttentionQuality,
    CharadesMetric,
    FrameAccuracy,
    FrameMAP,
)

__all__ = [
    'AttentionQuality',
    'CharadesMap',
    'CharadesMetric',
    'FrameAPs',
    'FrameAccuracy',
    'FrameMAP',
    'Scores',
    'accuracies',
    'box_in_crop',
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
    'pointing_uniform',
]
