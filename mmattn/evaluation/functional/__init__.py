"""Metrics as pure functions."""

from mmattn.evaluation.functional.attention import mass_on_frames
from mmattn.evaluation.functional.fusion import (
    Scores,
    accuracies,
    fuse_scores,
    load_scores,
)

__all__ = ['Scores', 'accuracies', 'fuse_scores', 'load_scores', 'mass_on_frames']
