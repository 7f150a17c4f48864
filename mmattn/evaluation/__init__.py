"""Metrics."""

from mmattn.evaluation.functional.attention import (
    box_in_crop,
    mass_in_boxes,
    mass_on_frames,
    pointing_game,
    pointing_uniform,
)
from mmattn.evaluation.functional.charades import (
    CharadesMap,
    charades_map,
    dump_submission,
    load_submission,
)
from mmattn.evaluation.functional.class_figures import (
    class_accuracies,
    confusion_matrix,
)
from mmattn.evaluation.functional.faithfulness import (
    Interval,
    area_under,
    mean_interval,
    rank_agreement,
    removed_units,
    sensitivity,
    verdict,
)
from mmattn.evaluation.functional.frame_map import FrameAPs, frame_aps, frame_map
from mmattn.evaluation.functional.fusion import (
    Scores,
    accuracies,
    fuse_scores,
    load_scores,
    search_weights,
)
from mmattn.evaluation.metrics import (
    AttentionQuality,
    CharadesMetric,
    FrameAccuracy,
    FrameMAP,
    StreamAccuracy,
)

__all__ = [
    'AttentionQuality',
    'CharadesMap',
    'CharadesMetric',
    'FrameAPs',
    'FrameAccuracy',
    'FrameMAP',
    'Interval',
    'Scores',
    'StreamAccuracy',
    'accuracies',
    'area_under',
    'box_in_crop',
    'charades_map',
    'class_accuracies',
    'confusion_matrix',
    'dump_submission',
    'frame_aps',
    'frame_map',
    'fuse_scores',
    'load_scores',
    'load_submission',
    'mass_in_boxes',
    'mass_on_frames',
    'mean_interval',
    'pointing_game',
    'pointing_uniform',
    'rank_agreement',
    'removed_units',
    'search_weights',
    'sensitivity',
    'verdict',
]
