"""The registered metric of Charades."""

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from mmattn.evaluation import CharadesMetric, charades_map, load_submission
from mmattn.registry import METRICS

VIDEOS, CLASSES = 7, 3


def predictions():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(VIDEOS, CLASSES, generator=generator)
    labels = (torch.rand(VIDEOS, CLASSES, generator=generator) < 0.4).float()
    samples = []
    for number in range(VIDEOS):
        sample = ActionDataSample(metainfo={'video_id': f'V{number}'})
        sample.set_gt_label(labels[number]).set_pred_score(scores[number])
        samples.append(sample.to_dict())
    return samples, scores.numpy(), labels.numpy()


@pytest.mark.parametrize('scope', ['mmaction', 'mmdet'])
def test_evaluates_and_writes_a_submission(tmp_path, scope):
    path = tmp_path / 'submission.txt'
    metric = METRICS.build(
        {'type': 'mmattn.CharadesMetric', 'submission': str(path), '_scope_': scope}
    )
    samples, scores, labels = predictions()
    for batch in (samples[:4], samples[4:]):
        metric.process([], batch)
    result = metric.evaluate(VIDEOS)
    expected = charades_map(scores, labels)
    assert result == {
        'charades/mAP': pytest.approx(expected.mAP),
        'charades/wAP': pytest.approx(expected.wAP),
    }
    names, read = load_submission(path, num_classes=CLASSES)
    assert names == tuple(f'V{number}' for number in range(VIDEOS))
    np.testing.assert_array_equal(read.astype(np.float32), scores)


def test_bf16_scores():
    metric = CharadesMetric()
    samples, scores, labels = predictions()
    for sample in samples:
        sample['pred_score'] = sample['pred_score'].bfloat16()
    metric.process([], samples)
    rounded = torch.from_numpy(scores).bfloat16().float().numpy()
    expected = charades_map(rounded, labels).mAP
    assert metric.evaluate(VIDEOS)['charades/mAP'] == pytest.approx(expected)


def test_wrong_samples():
    samples, _, _ = predictions()
    sample = samples[0]
    with pytest.raises(ValueError, match=r'expected a label .*got torch\.int'):
        CharadesMetric().process([], [sample | {'gt_label': torch.tensor([1])}])
    with pytest.raises(ValueError, match=r'video_id: expected it .*PackClipInputs'):
        CharadesMetric('out.txt').process([], [sample | {'video_id': None}])
