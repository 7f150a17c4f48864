"""Accuracy of single frames."""

import pytest
import torch
from mmengine.registry import METRICS

from mmattn.evaluation import FrameAccuracy


def sample(predictions, label, classes=5):
    scores = torch.full((len(predictions), classes), 0.1)
    for row, order in enumerate(predictions):
        for rank, name in enumerate(order):
            scores[row, name] = 0.9 - 0.1 * rank
    return {'pred_frame_scores': scores, 'gt_label': torch.tensor([label])}


def test_every_frame_counts_the_same():
    metric = METRICS.build(dict(type='mmattn.FrameAccuracy', topk=(1, 2)))
    metric.process({}, [sample([(1, 0), (0, 1), (2, 3)], 1), sample([(4,)], 4)])
    metric.process({}, [sample([(0, 3), (3, 0), (2, 3)], 3)])
    assert metric.evaluate(3) == pytest.approx(
        {'frame/top1': 3 / 7, 'frame/top2': 6 / 7}
    )


def test_wrong_input():
    with pytest.raises(ValueError, match=r'topk: expected .* at least 1, got \(0,\)'):
        FrameAccuracy(topk=(0,))
    with pytest.raises(ValueError, match=r"writes pred_frame_scores.*\['gt_label'\]"):
        FrameAccuracy().process({}, [{'gt_label': torch.tensor([1])}])
    two = sample([(1,)], 1) | {'gt_label': torch.tensor([1, 2])}
    with pytest.raises(ValueError, match='expected one label per video, got 2'):
        FrameAccuracy().process({}, [two])
