"""Head of recurrent temporal attention, on SequenceHead: loss, scores and batches."""

import inspect

import pytest
import torch
from mmaction.structures import ActionDataSample
from reference.temporal_lstm import (
    last_steps_score,
    paper_weights,
    probabilities,
    recurrent_attention,
    sequence_loss,
)

from mmattn.attention.capture import capture_attention
from mmattn.models.heads import TemporalLSTMHead
from mmattn.models.layers import TemporalAttentionLSTM

T, C, H, D, CLASSES, LAST = 5, 11, 7, 4, 3, 2
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}
CONFIG = {
    'type': 'mmattn.TemporalLSTMHead',
    'num_classes': CLASSES,
    'in_channels': C,
    'num_segments': T,
    'lstm': {'num_steps': D, 'hidden_channels': H},
    'test_steps': LAST,
}


def make(dtype=torch.float64, **options):
    """A head; options of its layer are put where they belong."""
    config = {k: v for k, v in CONFIG.items() if k != 'type'}
    layer = inspect.signature(TemporalAttentionLSTM).parameters.keys() - config.keys()
    config['lstm'] = config['lstm'] | {
        k: options.pop(k) for k in layer & options.keys()
    }
    config |= options
    return TemporalLSTMHead(**config).to(dtype).eval()


def features(sequences, dtype=torch.float64):
    return torch.randn(sequences * T, C, dtype=dtype)


def samples(*labels):
    return [ActionDataSample().set_gt_label(label) for label in labels]


def reference_probabilities(head, x):
    """Eq. (7) of each sequence, a list of (D, classes)."""
    weights = paper_weights(head.state_dict())
    result = []
    for v in x.double().unflatten(0, (-1, T)).numpy():
        hidden, _ = recurrent_attention(weights, v, D)
        result.append(probabilities(weights, hidden))
    return result


def test_loss_is_eq_8():
    head, x = make(), features(3)
    expected = [
        sequence_loss(prob, label)
        for prob, label in zip(reference_probabilities(head, x), (2, 0, 1), strict=True)
    ]
    loss = head.loss(x, samples(2, 0, 1))['loss_cls']
    assert loss.item() == pytest.approx(sum(expected) / 3, rel=1e-9)
    mean = make(step_reduction='mean')
    mean.load_state_dict(head.state_dict())
    loss = mean.loss(x, samples(2, 0, 1))['loss_cls']
    assert loss.item() == pytest.approx(sum(expected) / 3 / D, rel=1e-9)


def test_loss_of_float32():
    head, x = make(torch.float32), features(2, torch.float32)
    expected = [
        sequence_loss(prob, label)
        for prob, label in zip(reference_probabilities(head, x), (2, 1), strict=True)
    ]
    loss = head.loss(x, samples(2, 1))['loss_cls']
    assert loss.item() == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_label_smoothing_and_soft_labels():
    head, x = make(label_smooth_eps=0.3), features(2)
    rows = reference_probabilities(head, x)
    soft = 0.7 * torch.eye(CLASSES, dtype=torch.float64)[[2, 1]] + 0.3 / CLASSES
    expected = sum(
        soft[n, k] * sequence_loss(rows[n], k) for n in range(2) for k in range(CLASSES)
    )
    loss = head.loss(x, samples(2, 1))['loss_cls']
    assert loss.item() == pytest.approx(expected.item() / 2, rel=1e-6)
    plain = make()
    plain.load_state_dict(head.state_dict())
    losses = plain.loss(x, samples(soft[0], soft[1]))
    assert list(losses) == ['loss_cls']
    assert losses['loss_cls'].item() == pytest.approx(expected.item() / 2, rel=1e-9)


def test_class_weights_and_loss_weight():
    loss_cls = {
        'type': 'mmaction.CrossEntropyLoss',
        'loss_weight': 0.5,
        'class_weight': [1.0, 2.0, 5.0],
    }
    head, x = make(loss_cls=loss_cls), features(2)
    head.loss_cls.class_weight = head.loss_cls.class_weight.double()
    rows = reference_probabilities(head, x)
    expected = (5 * sequence_loss(rows[0], 2) + 2 * sequence_loss(rows[1], 1)) / 7
    loss = head.loss(x, samples(2, 1))['loss_cls']
    assert loss.item() == pytest.approx(0.5 * expected, rel=1e-9)


def test_score_is_the_mean_of_the_last_steps():
    head, x = make(), features(3)
    rows = reference_probabilities(head, x)
    expected = torch.stack([torch.tensor(last_steps_score(p, LAST)) for p in rows])
    torch.testing.assert_close(head(x).softmax(dim=1), expected, **CLOSE)
    logits = head.step_logits(x)
    for other in (logits.clone(), logits.clone()):
        other[:, : D - LAST] = torch.randn(3, D - LAST, CLASSES)
        assert torch.equal(head.sequence_scores(other), head.sequence_scores(logits))
        other[:, D - LAST] += torch.arange(CLASSES)
        assert not torch.allclose(
            head.sequence_scores(other), head.sequence_scores(logits)
        )


def test_scores_by_logits():
    head, x = make(average_clips='score'), features(4)
    logits = head.step_logits(x)
    result = head.predict(x, samples(0, 0))
    expected = logits[:, -LAST:].mean(dim=1).unflatten(0, (2, 2)).mean(dim=1)
    got = torch.stack([sample.pred_score for sample in result])
    torch.testing.assert_close(got, expected, **CLOSE)


def test_video_score_is_the_mean_over_its_sequences():
    head, x = make(), features(6)
    rows = [
        torch.tensor(last_steps_score(p, LAST))
        for p in reference_probabilities(head, x)
    ]
    for counts in ([2, 2, 2], [1, 3, 2]):
        frames = None if counts == [2, 2, 2] else [T * n for n in counts]
        result = head.predict(x, samples(0, 0, 0), frames_per_video=frames)
        for sample, own in zip(result, torch.stack(rows).split(counts), strict=True):
            torch.testing.assert_close(sample.pred_score, own.mean(dim=0), **CLOSE)
            assert sample.pred_score.sum().item() == pytest.approx(1)
            assert sample.pred_label.item() == own.mean(dim=0).argmax().item()


def test_labels_are_those_of_the_video_of_each_sequence():
    head, x = make(), features(4)
    expected = head.loss(x, samples(2, 0, 0, 0))
    got = head.loss(x, samples(2, 0), frames_per_video=[T, 3 * T])
    assert got['loss_cls'] == expected['loss_cls']
    other = head.loss(x, samples(2, 0), num_segs=2 * T)
    assert other['loss_cls'] == head.loss(x, samples(2, 2, 0, 0))['loss_cls']
    assert other['loss_cls'] != expected['loss_cls']


def test_accuracy_is_that_of_the_test_score():
    head, x = make(topk=(1, 2, 5)), features(4)
    best = head(x).argsort(dim=1, descending=True)
    labels = [best[0, 0], best[1, 1], best[2, 2], best[3, 0]]
    losses = head.loss(x, samples(*(int(label) for label in labels)))
    assert losses['top1_acc'] == 0.5
    assert losses['top2_acc'] == 0.75
    assert losses['top3_acc'] == 1
    assert set(losses) == {'loss_cls', 'top1_acc', 'top2_acc', 'top3_acc'}


def test_maps_are_averaged_over_their_pixels():
    head = make()
    x = torch.randn(2 * T, C, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(head(x), head(x.mean(dim=(2, 3))), **CLOSE)


def test_two_streams():
    appearance, motion = make(), make()
    scores = []
    for head in (appearance, motion):
        (sample,) = head.predict(features(2), samples(0))
        scores.append(sample.pred_score)
    fused = (scores[0] + 2 * scores[1]) / 3
    assert fused.sum().item() == pytest.approx(1)
    assert not torch.allclose(fused, scores[0])


def test_hands_out_the_weights_of_the_frames():
    head, x = make(), features(2)
    expected = head(x)
    with capture_attention(head) as records:
        torch.testing.assert_close(head(x), expected, rtol=0, atol=0)
    (record,) = records
    assert record.name == 'frame_weights'
    assert record.axes == ('row', 'step', 'frame')
    weights = paper_weights(head.state_dict())
    alpha = [
        recurrent_attention(weights, v, D)[1] for v in x.unflatten(0, (2, T)).numpy()
    ]
    torch.testing.assert_close(
        record.map, torch.stack([*map(torch.tensor, alpha)]), **CLOSE
    )


@pytest.mark.parametrize(
    'options',
    [{}, {'query': 'concat', 'init_state': 'mean_mlp'}],
    ids=str,
)
def test_gradients_of_all_weights(options):
    head = make(num_steps=2, test_steps=1, in_channels=3, hidden_channels=2, **options)
    x = torch.randn(T, 3, dtype=torch.float64, requires_grad=True)

    def loss(x, *_):
        return head.loss(x, samples(1))['loss_cls']

    assert torch.autograd.gradcheck(loss, (x, *head.parameters()))
    loss(x).backward()
    for name, weight in head.named_parameters():
        assert weight.grad.abs().max() > 0, name


def test_parameter_count_of_the_classifier():
    head = TemporalLSTMHead(51)
    assert sum(p.numel() for p in head.fc_cls.parameters()) == 513 * 51
    assert head.lstm.num_steps == head.num_segments == 30
    assert head.test_steps == 10


@pytest.mark.parametrize(
    'options, message',
    [
        ({'test_steps': D + 1}, f'test_steps: expected 1 to num_steps={D}, got 5'),
        ({'test_steps': 0}, 'test_steps: expected 1 .*, got 0'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_options_of_the_layer_where_they_are_not():
    with pytest.raises(TypeError, match=r'expected lstm=dict\(num_steps=...\), got 4'):
        TemporalLSTMHead(3, 5, num_steps=4)
    with pytest.raises(TypeError, match=r'lstm: steps: expected one of the arguments'):
        TemporalLSTMHead(3, 5, lstm=dict(steps=4))


@pytest.mark.parametrize('label', [-1, CLASSES])
def test_wrong_labels(label):
    with pytest.raises(ValueError, match=f'gt_label: expected 0 to 2, .* got {label}'):
        make().loss(features(2), samples(0, label))


def test_labels_of_a_wrong_shape():
    with pytest.raises(ValueError, match='expected one label per video, got 2'):
        make().loss(features(1), samples([0, 1]))
    with pytest.raises(ValueError, match=r'expected 3 soft labels .* \(1, 2\)'):
        make().loss(features(1), samples(torch.tensor([0.5, 0.5])))


@pytest.mark.parametrize(
    'frames, options, message',
    [
        (T + 1, {}, 'multiple of num_segments=5 per video, got 6'),
        (3 * T, {'num_segs': T + 1}, 'expected 15 features of 2 videos, got .6, 6.'),
        (
            2 * T + 2,
            {'num_segs': T + 1},
            'multiple of num_segments=5 per video, got 6',
        ),
        (3 * T, {'frames_per_video': [T, T]}, 'expected 15 features of 2 videos'),
        (3 * T, {'frames_per_video': [3 * T]}, 'expected 15 features of 2 videos'),
        (2 * T, {'frames_per_video': [T - 1, T + 1]}, 'per video, got 4'),
        (2 * T, {'fcn_test': True}, 'test_cfg: expected fcn_test=False, got True'),
    ],
)
def test_wrong_numbers_of_frames(frames, options, message):
    x = torch.zeros(frames, C, dtype=torch.float64)
    videos = samples(0) if frames == T + 1 else samples(0, 0)
    for method in (make().loss, make().predict):
        with pytest.raises(ValueError, match=message):
            method(x, videos, **options)


def test_wrong_features():
    with pytest.raises(ValueError, match=r'expected \(frames, 11\).*got \(5, 11, 2\)'):
        make()(torch.zeros(T, C, 2, dtype=torch.float64))
