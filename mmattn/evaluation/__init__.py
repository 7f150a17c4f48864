"""Metrics."""

from mmattn.evaluation.functional import (
    CharadesMap,
    Scores,
    accuracies,
    charades_map,
    dump_submission,
    fuse_scores,
    load_scores,
    load_submission,
    mass_in_boxes,
    mass_on_frames,
    pointing_game,
)
from mmattn.evaluation.metrics import CharadesMetric, FrameAccuracy

__all__ = [
    'CharadesMap',
    'CharadesMetric',
    'FrameAccuracy',
    'Scores',
    'accuracies',
    'charades_map',
    'dump_submission',
    'fuse_scores',
    'load_scores',
    'load_submission',
    'mass_in_boxes',
    'mass_on_frames',
    'pointing_game',
]
