"""ConvLSTM head: loss, scores of frames and videos, maps and batches of the host."""

import inspect
from typing import get_args

import pytest
import torch
from mmaction.structures import ActionDataSample
from reference.convlstm import (
    frame_probabilities,
    paper_weights,
    run,
    sequence_loss,
)
from torch import nn

from mmattn.attention.capture import capture_attention
from mmattn.models.heads import ConvLSTMHead
from mmattn.models.layers import AttentionConvLSTM
from mmattn.models.layers.convlstm_attention import Reading

READINGS = get_args(Reading)
T, C, H, CLASSES, SIZE = 3, 11, 5, 7, (3, 2)
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}
CONFIG = {
    'type': 'mmattn.ConvLSTMHead',
    'num_classes': CLASSES,
    'in_channels': C,
    'num_segments': T,
    'recurrence': {'hidden_channels': H, 'feature_size': SIZE},
}


def make(dtype=torch.float64, **options):
    """A head; options of its layer are put where they belong."""
    config = {k: v for k, v in CONFIG.items() if k != 'type'}
    layer = inspect.signature(AttentionConvLSTM).parameters.keys() - config.keys()
    moved = {k: options.pop(k) for k in layer & options.keys()}
    config['recurrence'] = config['recurrence'] | moved
    config |= options
    return ConvLSTMHead(**config).to(dtype).eval()


def features(sequences, dtype=torch.float64):
    return torch.randn(sequences * T, C, *SIZE, dtype=dtype)


def samples(*labels):
    return [ActionDataSample().set_gt_label(label) for label in labels]


def reference(head, x, *, readout='gap', **options):
    """Probabilities of the frames of each sequence, and its attention."""
    weights = paper_weights(head)
    result = []
    for sequence in x.double().unflatten(0, (-1, T)).numpy():
        states, maps = run(weights, sequence, **options)
        prob = torch.tensor(frame_probabilities(weights, states, readout))
        result.append((prob, torch.stack([torch.tensor(m) for m in maps])))
    return result


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'attention': 'gap_dense', 'readout': 'flatten'},
        {'state': 'attention_only'},
        {'cell': 'lstm'},
        {'cell': 'lstm', 'readout': 'flatten'},
    ],
    ids=str,
)
def test_loss_and_scores(options):
    head, x = make(**options), features(2)
    names = {'attention': 'reading'}
    rows = reference(head, x, **{names.get(k, k): v for k, v in options.items()})
    expected = sum(
        sequence_loss(prob.numpy(), label)
        for (prob, _), label in zip(rows, (2, 1), strict=True)
    )
    loss = head.loss(x, samples(2, 1))['loss_cls']
    assert loss.item() == pytest.approx(expected / 2, rel=1e-9)
    result = head.predict(x, samples(2, 1))
    for sample, (prob, _) in zip(result, rows, strict=True):
        torch.testing.assert_close(sample.pred_frame_scores, prob, **CLOSE)
        torch.testing.assert_close(sample.pred_score, prob.mean(dim=0), **CLOSE)
        assert sample.pred_label.item() == prob.mean(dim=0).argmax()


def test_sum_of_the_frames_losses():
    head, x = make(), features(2)
    total = make(step_reduction='sum')
    total.load_state_dict(head.state_dict())
    mean = head.loss(x, samples(2, 1))['loss_cls'].item()
    assert total.loss(x, samples(2, 1))['loss_cls'].item() == pytest.approx(T * mean)


def test_videos_of_several_sequences():
    head, x = make(), features(3)
    rows = [prob for prob, _ in reference(head, x)]
    result = head.predict(x, samples(0, 0), frames_per_video=[T, 2 * T])
    for sample, own in zip(result, (rows[:1], rows[1:]), strict=True):
        own = torch.cat(own)
        torch.testing.assert_close(sample.pred_frame_scores, own, **CLOSE)
        torch.testing.assert_close(sample.pred_score, own.mean(dim=0), **CLOSE)


def test_scores_by_logits():
    head, x = make(average_clips='score'), features(2)
    (sample,) = head.predict(x, samples(0))
    logits = head.step_logits(x).flatten(0, 1)
    torch.testing.assert_close(sample.pred_score, logits.mean(dim=0), **CLOSE)


def test_the_baseline_weighs_all_pixels_the_same():
    head, x = make(attention='none'), features(2)
    attending = make(attention='videolstm')
    attending.load_state_dict(head.state_dict(), strict=False)
    for weight in attending.recurrence.attention.parameters():
        nn.init.zeros_(weight)
    torch.testing.assert_close(head(x), attending(x), **CLOSE)
    with capture_attention(head) as records:
        head(x)
    assert not list(records)


@pytest.mark.parametrize('reading', sorted({*READINGS} - {'none'}))
def test_hands_out_its_maps(reading):
    head, x = make(attention=reading), features(2)
    expected = head(x)
    with capture_attention(head) as records:
        assert torch.equal(head(x), expected)
    (record,) = records
    maps = torch.stack([maps for _, maps in reference(head, x, reading=reading)])
    if reading == 'channel':
        assert record.name == 'channel_weights'
        assert record.axes == ('row', 'frame', 'channel')
        maps = maps[..., 0, 0]
    else:
        assert record.name == 'pixel_weights'
        assert record.axes == ('row', 'frame', 'y', 'x')
        maps = maps[:, :, 0]
    torch.testing.assert_close(record.map, maps, **CLOSE)


@pytest.mark.parametrize(
    'options',
    [
        *({'attention': reading} for reading in READINGS),
        {'state': 'attention_only'},
        {'cell': 'lstm'},
        {'peepholes': True, 'readout': 'flatten', 'with_cp': True},
    ],
    ids=str,
)
def test_every_weight_gets_a_gradient(options):
    """Without unused weights, DistributedDataParallel needs no search for them."""
    head = make(**options)
    head.loss(features(2), samples(1, 2))['loss_cls'].backward()
    for name, weight in head.named_parameters():
        assert weight.grad.abs().max() > 0, name


def test_wrong_options():
    with pytest.raises(ValueError, match=r"readout: expected one of .*, got 'max'"):
        make(readout='max')
    with pytest.raises(ValueError, match=r"state: expected one of .*, got 'x'"):
        make(state='x')


def test_options_of_the_layer_where_they_are_not():
    with pytest.raises(TypeError, match=r"recurrence=dict\(state=...\), got 'x'"):
        ConvLSTMHead(3, 5, state='x')
    with pytest.raises(TypeError, match=r'recurrence: cell: expected .*, got 3'):
        ConvLSTMHead(3, 5, recurrence=dict(cell=3))


def test_wrong_features():
    with pytest.raises(ValueError, match=r'expected \(frames, 11, h, w\).* \(3, 11\)'):
        make()(torch.zeros(T, C))
    flat = make(readout='flatten')
    with pytest.raises(ValueError, match=r'expected maps of \(3, 2\).*got \(5, 2\)'):
        flat(torch.zeros(T, C, 5, 2).double())
