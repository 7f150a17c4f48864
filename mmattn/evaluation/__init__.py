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
    mass_on_frames,
)
from mmattn.evaluation.metrics import CharadesMetric

__all__ = [
    'CharadesMap',
    'CharadesMetric',
    'Scores',
    'accuracies',
    'charades_map',
    'dump_submission',
    'fuse_scores',
    'load_scores',
    'load_submission',
    'mass_on_frames',
]
