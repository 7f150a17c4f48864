"""No videos, and no frames, are refused by name."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmattn.evaluation import CharadesMetric, FrameAccuracy, StreamAccuracy
from mmattn.models.layers import AttentionConvLSTM, TemporalAttentionLSTM
from mmattn.registry import MODELS

VGG = dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv5')
HEAD = dict(type='TSNHead', num_classes=3, in_channels=32, average_clips='prob')
LSTM = dict(
    type='mmattn.TemporalLSTMHead', num_classes=3, in_channels=32, num_segments=3
)
RECOGNIZERS = dict(
    frames=dict(type='mmattn.FrameRecognizer', backbone=VGG, cls_head=LSTM),
    segments=dict(type='mmattn.SegmentRecognizer', backbone=VGG, cls_head=HEAD),
    reduction=dict(
        type='mmattn.ReductionRecognizer',
        backbone=VGG,
        reduction=dict(taps=('conv2',), module=dict(type='mmattn.FrameMean')),
        cls_head=HEAD,
    ),
)


def samples(count, num_clips=3):
    info = dict(num_clips=num_clips)
    return [ActionDataSample(metainfo=info).set_gt_label(0) for _ in range(count)]


@pytest.mark.parametrize('mode', ['loss', 'predict', 'tensor'])
@pytest.mark.parametrize('name', RECOGNIZERS)
def test_recognizers(name, mode):
    model = MODELS.build(RECOGNIZERS[name]).eval()
    with pytest.raises(ValueError, match='inputs: expected one or more videos, got'):
        model(torch.ones(0, 3, 3, 32, 32), [], mode=mode)
    with pytest.raises(ValueError, match='inputs: expected one or more frames per'):
        model(torch.ones(2, 0, 3, 32, 32), samples(2), mode=mode)


def test_one_video_of_several_without_frames():
    model = MODELS.build(RECOGNIZERS['frames']).eval()
    with pytest.raises(ValueError, match=r'one or more frames per video, got \[3, 0\]'):
        model([torch.ones(3, 3, 32, 32), torch.ones(0, 3, 32, 32)], samples(2))


@pytest.mark.parametrize('name', ['segments', 'reduction'])
def test_clips_of_no_frames(name):
    model = MODELS.build(RECOGNIZERS[name]).eval()
    with pytest.raises(ValueError, match=r'num_clips: expected .* got \[0\]'):
        model(torch.ones(1, 3, 3, 32, 32), samples(1, num_clips=0), mode='predict')


@pytest.mark.parametrize('kind', ['TemporalLSTMHead', 'ConvLSTMHead'])
def test_sequence_heads(kind):
    head = MODELS.build(dict(type=f'mmattn.{kind}', num_classes=3, in_channels=7))
    nothing = torch.ones(0, 7, 7, 7)
    for run in (
        lambda: head.loss(nothing, []),
        lambda: head.predict(nothing, []),
        lambda: head(nothing, 30),
    ):
        with pytest.raises(ValueError, match='frames: expected those of one or more'):
            run()


def test_head_of_many_labels():
    head = MODELS.build(
        dict(type='mmattn.MultiLabelTSNHead', num_classes=3, in_channels=7)
    )
    with pytest.raises(ValueError, match=r'one or more frames, got \(0, 7, 2, 2\)'):
        head.predict(torch.ones(0, 7, 2, 2), [], num_segs=3)


@pytest.mark.parametrize('num_steps', [None, 3])
def test_recurrent_layers(num_steps):
    lstm = TemporalAttentionLSTM(7, 5, num_steps=num_steps)
    with pytest.raises(ValueError, match=r'T of 1 or more, got \(2, 0, 7\)'):
        lstm(torch.ones(2, 0, 7))
    with pytest.raises(ValueError, match=r'each of 1 or more, got \(2, 0, 7, 4, 4\)'):
        AttentionConvLSTM(7, 5)(torch.ones(2, 0, 7, 4, 4))


def test_neck():
    neck = MODELS.build(
        dict(
            type='mmattn.AttentionNeck',
            in_channels=4,
            module=dict(type='mmattn.STBTA'),
        )
    )
    with pytest.raises(ValueError, match=r'each of 1 or more, .*\(2, 4, 0, 4, 4\)'):
        neck([torch.ones(2, 4, 0, 4, 4)])


@pytest.mark.parametrize('metric', [CharadesMetric, FrameAccuracy, StreamAccuracy])
def test_metrics(metric):
    with pytest.raises(ValueError, match='test_dataloader: expected one or more'):
        metric().evaluate(0)
