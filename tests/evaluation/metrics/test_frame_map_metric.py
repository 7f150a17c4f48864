"""Frame-AP as a metric of test loops."""

import pytest
import torch

from mmattn.evaluation import frame_map
from mmattn.registry import METRICS

GT = 'v,0902,0.1,0.1,0.5,0.5,2,0\nv,0903,0.1,0.1,0.5,0.5,7,0\nw,0902\n'
LABELS = 'item {\n  name: "crouch"\n  id: 2\n}\nitem {\n  name: "jump"\n  id: 7\n}\n'


@pytest.fixture
def files(tmp_path):
    (tmp_path / 'gt.csv').write_text(GT)
    (tmp_path / 'map.pbtxt').write_text(LABELS)
    return dict(
        ann_file=str(tmp_path / 'gt.csv'), label_file=str(tmp_path / 'map.pbtxt')
    )


def sample(video, second, rows, num_columns):
    scores = torch.zeros(len(rows), num_columns)
    for k, (column, score) in enumerate(rows):
        scores[k, column] = score
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.5]]).repeat(len(rows), 1)
    instances = dict(bboxes=boxes, scores=scores)
    return dict(video_id=video, timestamp=second, pred_instances=instances)


def evaluate(metric, samples):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('custom', [None, [2, 7]])
def test_metric(files, tmp_path, custom, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    metric = METRICS.build(dict(type='mmattn.FrameMAP', custom_classes=custom, **files))
    two, seven = (2, 7) if custom is None else (1, 2)
    samples = [
        sample('v', 902, [(two, 0.9), (0, 0.99)], seven + 1),
        sample('v', 903, [(seven, 0.5)], seven + 1),
        sample('w', 902, [(seven, 0.8)], seven + 1),
    ]
    result = evaluate(metric, samples)
    assert next(iter(result)) == 'mAP/overall'
    assert result['mAP/overall'] == pytest.approx((1 + 1 / 2) / 2)
    assert result['mAP/person_movement'] == result['mAP/overall']
    assert set(tmp_path.iterdir()) == before


def test_threshold_exclusions_and_file(files, tmp_path):
    (tmp_path / 'ex.csv').write_text('w,0902\n')
    metric = METRICS.build(
        dict(
            type='mmattn.FrameMAP',
            exclude_file=str(tmp_path / 'ex.csv'),
            action_thr=0.5,
            out_file=str(tmp_path / 'out' / 'pred.csv'),
            **files,
        )
    )
    samples = [
        sample('v', 902, [(2, 0.6)], 8),
        sample('v', 903, [(7, 0.5)], 8),
        sample('w', 902, [(2, 0.9)], 8),
    ]
    assert evaluate(metric, samples)['mAP/overall'] == 0.5
    written = tmp_path / 'out' / 'pred.csv'
    assert len(written.read_text().splitlines()) == 2
    exclude = tmp_path / 'ex.csv'
    assert frame_map(files['ann_file'], written, files['label_file'], exclude) == 0.5


def test_without_any_detection(files):
    metric = METRICS.build(dict(type='mmattn.FrameMAP', **files))
    assert evaluate(metric, [sample('v', 902, [], 8)])['mAP/overall'] == 0


def test_classes_that_are_not_those_of_ava(files, capsys):
    metric = METRICS.build(dict(type='mmattn.FrameMAP', with_groups=False, **files))
    figures = evaluate(metric, [sample('v', 902, [(2, 0.6)], 8)])
    assert list(figures) == ['mAP/overall']
    assert 'person movement' not in capsys.readouterr().out


@pytest.mark.parametrize('part', ['bboxes', 'scores'])
def test_detections_that_are_no_numbers(files, part):
    metric = METRICS.build(dict(type='mmattn.FrameMAP', **files))
    found = sample('v', 902, [(2, 0.9)], 8)
    found['pred_instances'][part][0, 0] = float('nan')
    with pytest.raises(ValueError, match='finite boxes and scores of v, second 902'):
        metric.process(None, [found])


@pytest.mark.parametrize(
    'video, second, message',
    [
        ('v.mp4', 902, r"the tested data: .*gt\.csv, such as 'v', got 'v\.mp4'"),
        ('x', 902, r"videos of .*gt\.csv, such as 'v', got 'x'"),
        ('v', 2, r"such as \('v', 902\), got none, but \('v', 2\)"),
    ],
)
def test_other_frames_than_those_of_the_truth(files, video, second, message):
    metric = METRICS.build(dict(type='mmattn.FrameMAP', **files))
    with pytest.raises(ValueError, match=message):
        evaluate(metric, [sample(video, second, [(2, 0.9)], 8)])
