"""Two streams: tested by one command, joined, trained in one process."""

import csv
import json
import re

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.fileio import dump

from mmattn.evaluation import Scores, load_scores
from mmattn.reports.streams import chosen_weights, report_fusion
from mmattn.reports.two_streams import join_streams, stream_source
from mmattn.testing import train_and_test

RGB = 'tsn_in1k-pre-vgg16_8xb8-1x1x3-10kiter_ucf101-split1-rgb'
FLOW = 'tsn_in1k-pre-vgg16_8xb8-5x1x3-30kiter_ucf101-split1-flow'
SCORES = dict(
    rgb=[[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3]],
    flow=[[0.1, 0.8, 0.1], [0.5, 0.2, 0.3], [0.2, 0.1, 0.7]],
)
LABELS = [1, 0, 2]


def write_dump(path, scores, labels=LABELS, videos='abc'):
    samples = [
        dict(video_id=video, pred_score=np.array(score), gt_label=torch.tensor([label]))
        for video, score, label in zip(videos, scores, labels, strict=True)
    ]
    dump(samples, path)
    return path


@pytest.fixture
def dumps(tmp_path):
    return [write_dump(tmp_path / f'{name}.pkl', SCORES[name]) for name in SCORES]


@pytest.fixture
def pair(shrunk):
    """Configs of both streams and the joined one."""
    rgb, flow = shrunk(RGB), shrunk(FLOW)
    return rgb, flow, join_streams(rgb, flow, weights=(1, 1.5))


def test_dumps_are_fused_and_reported(dumps, tmp_path, run_tool, capsys):
    names = tmp_path / 'names.txt'
    names.write_text('run\nwalk\nclap\n')
    out = tmp_path / 'out'
    args = ['--rgb', dumps[0], '--flow', dumps[1], '--weights', 1, 2, '--out', out]
    args += ['--classes', names]
    assert run_tool('analysis/two_stream.py', *args) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '3 videos, weights 1 : 2'
    assert lines[2].split() == ['0.00', '100.00', '0.00', 'rgb']
    assert lines[3].split() == [*lines[4].split()[:3], 'flow']
    assert lines[4].split() == ['100.00', '100.00', '100.00', 'fusion']
    report = json.loads((out / 'report.json').read_text())
    assert report['weights'] == [1, 2]
    assert report['fusion'] == dict(top1=1, top5=1, mean_class=1)
    with (out / 'classes.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['class'] for row in rows] == ['run', 'walk', 'clap']
    assert rows[0] == dict(rows[0], videos='1', rgb='0.00', fusion='100.00')
    assert cv2.imread(str(out / 'confusion.png')).std() > 0


def test_weights_are_searched_on_other_videos(dumps, tmp_path, monkeypatch):
    """RGB alone is right on the validation videos, so it gets most of the weight."""
    scores = [[0.2, 0.8, 0.0], [0.8, 0.1, 0.1], [0.1, 0.38, 0.52]]
    other = [[0.0, 0.1, 0.9], [0.0, 1.0, 0.0], [0.1, 0.9, 0.0]]
    validation = [
        write_dump(tmp_path / 'rgb_val.pkl', scores, videos='def'),
        write_dump(tmp_path / 'flow_val.pkl', other, videos='def'),
    ]
    streams = [load_scores(path) for path in dumps]
    weights = chosen_weights(streams, None, [str(path) for path in validation])
    # By hand: all are right where the share of flow is below 14 / 104.
    assert weights == pytest.approx((0.9, 0.1))
    with pytest.raises(ValueError, match='search_on: expected videos other than the'):
        chosen_weights(streams, None, [str(path) for path in dumps])
    with pytest.raises(ValueError, match='search_on: expected two streams, got 3'):
        chosen_weights([*streams, streams[0]], None, [str(p) for p in validation])


def test_equal_weights_by_default():
    assert chosen_weights([None, None], None, None) == (1, 1)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(videos='abd'), 'expected the same videos in'),
        (dict(labels=[1, 0, 1]), 'expected the same labels in .* ones for c'),
        (dict(scores=np.eye(4)[:3].tolist()), 'expected 3 classes in'),
    ],
)
def test_streams_that_differ_end_with_2(
    dumps, tmp_path, run_tool, capsys, changes, message
):
    values = dict(dict(scores=SCORES['flow']), **changes)
    other = write_dump(tmp_path / 'other.pkl', values.pop('scores'), **values)
    args = ['--rgb', dumps[0], '--flow', other, '--out', tmp_path / 'out']
    assert run_tool('analysis/two_stream.py', *args) == 2
    error = ' '.join(capsys.readouterr().err.split())
    assert re.search(message, error)
    assert not (tmp_path / 'out').exists()


def test_class_names_must_fit(dumps, tmp_path):
    names = tmp_path / 'names.txt'
    names.write_text('run\nwalk\n')
    streams = [load_scores(path) for path in dumps]
    with pytest.raises(ValueError, match=r'names\.txt: expected 3 classes, got 2'):
        report_fusion(streams, (1, 1), classes=names)


def test_bad_sources(tmp_path):
    with pytest.raises(ValueError, match='expected DUMP or CONFIG CHECKPOINT, got a'):
        stream_source(['a', 'b', 'c'])
    with pytest.raises(ValueError, match='expected a checkpoint file, got none'):
        stream_source([f'{RGB}.py', 'none.pth'])


@pytest.mark.slow
def test_lists_are_compared_before_the_test(
    shrunk, tiny_data, tmp_path, run_tool, capsys
):
    rgb, flow = shrunk(RGB), shrunk(FLOW)
    shorter = tmp_path / 'shorter.txt'
    lines = (tiny_data / 'flow.txt').read_text().splitlines(keepends=True)
    shorter.write_text(''.join(lines[1:]))
    checkpoints = []
    for name, cfg in (('rgb', rgb), ('flow', flow)):
        cfg.dump(tmp_path / f'{name}.py')
        checkpoints.append(tmp_path / f'{name}.pth')
        state = MODELS.build(cfg.model).state_dict()
        torch.save(dict(state_dict=state), checkpoints[-1])
    out = tmp_path / 'out'
    args = ['--rgb', tmp_path / 'rgb.py', checkpoints[0], '--out', out]
    args += ['--flow', tmp_path / 'flow.py', checkpoints[1]]
    assert run_tool('analysis/two_stream.py', *args) == 0
    assert len(load_scores(out / 'rgb.pkl').video_ids) == 4
    assert {'rgb', 'flow', 'fusion'} < json.loads(
        (out / 'report.json').read_text()
    ).keys()
    wrong = f'test_dataloader.dataset.ann_file={shorter}'
    args[args.index('--out') + 1] = tmp_path / 'again'
    code = run_tool('analysis/two_stream.py', *args, '--cfg-options', wrong)
    assert code == 2
    assert not (tmp_path / 'again').exists()


def batch_of(cfg, split='train', seed=0):
    dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
    return dataset, pseudo_collate([dataset[i] for i in range(2)])


def test_each_stream_gets_the_gradients_that_it_has_alone(pair):
    model = MODELS.build(pair[2].model).eval()
    _, batch = batch_of(pair[2], 'test')
    losses = model(**batch, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    alone = 0
    for name in ('rgb', 'flow'):
        stream = getattr(model, name)
        joint = {key: p.grad for key, p in stream.named_parameters()}
        stream.zero_grad()
        data = stream.data_preprocessor(batch[name], True)
        loss, _ = stream.parse_losses(stream(**data, mode='loss'))
        loss.backward()
        alone += loss
        for key, parameter in stream.named_parameters():
            assert joint[key].abs().sum() > 0, key
            torch.testing.assert_close(parameter.grad, joint[key])
    torch.testing.assert_close(total, alone)
    assert {'rgb_loss_cls', 'flow_loss_cls'} <= losses.keys()


def test_scores_are_those_of_the_streams_fused(pair):
    model = MODELS.build(pair[2].model).eval()
    _, batch = batch_of(pair[2], 'test')
    with torch.no_grad():
        fused = model.test_step(batch)
        alone = [getattr(model, name).test_step(batch[name]) for name in batch]
    for sample, rgb, flow in zip(fused, *alone, strict=True):
        by_hand = (rgb.pred_score + 1.5 * flow.pred_score) / 2.5
        torch.testing.assert_close(sample.pred_score, by_hand)
        torch.testing.assert_close(sample.flow_stream_score, flow.pred_score)
        assert sample.pred_label.item() == by_hand.argmax()
    features = model(**batch)
    assert len(features) == 2


def test_joined_config_trains_and_tests(pair, tmp_path):
    result = train_and_test(pair[2], tmp_path)
    assert 0 < result['loss'] < 100
    for name in ('fusion', 'rgb', 'flow'):
        assert 0 <= result[f'acc/{name}_top1'] <= result[f'acc/{name}_top5'] <= 1
    assert next(iter(result)) == 'acc/fusion_top1'


def test_streams_of_a_data_set_are_aligned(pair, tiny_data, tmp_path):
    cfg = pair[2].test_dataloader.dataset
    lines = (tiny_data / 'flow.txt').read_text().splitlines(keepends=True)
    turned = tmp_path / 'turned.txt'
    turned.write_text(''.join(lines[::-1]))
    cfg.flow.ann_file = str(turned)
    dataset = DATASETS.build(cfg)
    assert len(dataset) == 4
    assert dataset.get_data_info(1)['video_id'] == 'clip_1'
    assert 'classes' not in dataset.metainfo
    for i in range(4):
        item = dataset[i]
        assert item['rgb']['data_samples'].video_id == f'clip_{i}'
        assert item['flow']['data_samples'].video_id == f'clip_{i}'
    turned.write_text(''.join(lines[:-1]))
    with pytest.raises(ValueError, match=r'the same videos .* such as clip_3'):
        DATASETS.build(cfg)
    host = dict(ann_file=str(tiny_data / 'videos.txt'), pipeline=[])
    cfg.flow = dict(type='VideoDataset', **host)
    with pytest.raises(
        ValueError, match='flow: expected one of the data sets of mmatt'
    ):
        DATASETS.build(cfg)


def test_seeded_index_reaches_both_streams(pair):
    from mmattn.datasets import SeededIndex

    dataset = DATASETS.build(pair[2].train_dataloader.dataset)
    first, again, other = (dataset[SeededIndex(1, seed)] for seed in (3, 3, 4))
    for name in ('rgb', 'flow'):
        assert torch.equal(first[name]['inputs'], again[name]['inputs'])
        assert not torch.equal(first[name]['inputs'], other[name]['inputs'])


def test_streams_must_hold_the_same_videos(pair):
    model = MODELS.build(pair[2].model)
    dataset, batch = batch_of(pair[2], 'test')
    batch['flow'] = pseudo_collate([dataset[i]['flow'] for i in (1, 0)])
    with pytest.raises(ValueError, match='expected the same videos in both streams'):
        model.test_step(batch)


@pytest.mark.parametrize('weights', [(1,), (1, -1), (0, 0), (1, 1, 1)])
def test_bad_weights_of_a_model(pair, weights):
    cfg = dict(pair[2].model, weights=weights)
    with pytest.raises(ValueError, match='weights: expected two non-negative numbers'):
        MODELS.build(cfg)


def test_streams_of_other_classes_are_not_joined(pair):
    rgb, flow, _ = pair
    flow.model.cls_head.num_classes = 51
    with pytest.raises(ValueError, match='the same in both streams, got 3 and'):
        join_streams(rgb, flow)


def test_accuracy_needs_streams():
    from mmattn.evaluation import StreamAccuracy

    sample = dict(pred_score=torch.ones(3), gt_label=torch.tensor([1]))
    with pytest.raises(ValueError, match='expected scores of streams'):
        StreamAccuracy().process(None, [sample])
    # A list, as configs of other formats know no tuples.
    assert StreamAccuracy(['top_k_accuracy']).metrics == ('top_k_accuracy',)


def test_join_tool_writes_a_config(tmp_path, run_tool):
    out = tmp_path / 'two.py'
    args = [f'{RGB}.py', f'{FLOW}.py', '--weights', 1, 1.5, '--out', out]
    assert run_tool('convert/join_streams.py', *args) == 0
    cfg = Config.fromfile(out)
    assert cfg.model.type == 'mmattn.TwoStreamRecognizer'
    assert cfg.model.weights == (1, 1.5)
    assert cfg.model.flow.backbone.in_channels == 10
    assert cfg.train_dataloader.dataset.flow.modality == 'Flow'


def test_scores_keep_their_order_of_names(dumps):
    streams = [load_scores(path) for path in dumps]
    report = report_fusion(
        [Scores('x', s.video_ids, s.scores, s.labels) for s in streams[:1]], (1,)
    )
    assert list(report) == ['x', 'fusion']
