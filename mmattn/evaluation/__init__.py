"""Metrics."""

from mmattn.evaluation.functional import (
    Scores,
    accuracies,
    fuse_scores,
    load_scores,
    mass_on_frames,
)

__all__ = ['Scores', 'accuracies', 'fuse_scores', 'load_scores', 'mass_on_frames']
