"""The head of videos with any number of labels."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from torch.nn import functional as F

from mmattn.models import MultiLabelTSNHead
from mmattn.registry import MODELS

N, C, CLASSES = 2, 5, 7


def make(**options):
    options = {'init_std': 1, 'dropout_ratio': 0} | options
    head = MultiLabelTSNHead(CLASSES, C, **options).double()
    head.init_weights()
    return head


def samples():
    labels = torch.zeros(N, CLASSES, dtype=torch.float64)
    labels[0, [1, 4]] = 1
    return [ActionDataSample().set_gt_label(label) for label in labels], labels


def test_loss_is_binary_for_each_class():
    head = make()
    x = torch.randn(N * 3, C, 2, 3, dtype=torch.float64)
    data, labels = samples()
    losses = head.loss(x, data, num_segs=3)
    logits = head.fc_cls(x.mean((2, 3)).unflatten(0, (N, 3)).mean(1))
    expected = F.binary_cross_entropy_with_logits(logits, labels)
    assert set(losses) == {'loss_cls'}
    torch.testing.assert_close(losses['loss_cls'], expected)
    one = head.loss(x[:3], data[:1], num_segs=3)['loss_cls']
    torch.testing.assert_close(
        one, F.binary_cross_entropy_with_logits(logits[:1], labels[:1])
    )
    losses['loss_cls'].backward()
    assert all(p.grad.abs().max() > 0 for p in head.parameters())


@pytest.mark.parametrize('batch', [1, 2, 3])
def test_one_class_trains(batch):
    head = MultiLabelTSNHead(1, C, init_std=1, dropout_ratio=0)
    head.init_weights()
    x = torch.randn(batch, C, 2, 2)
    labels = [torch.tensor([float(k % 2)]) for k in range(batch)]
    data = [ActionDataSample().set_gt_label(label) for label in labels]
    logits = head.fc_cls(x.mean((2, 3)))
    loss = head.loss(x, data, num_segs=1)['loss_cls']
    expected = F.binary_cross_entropy_with_logits(logits, torch.stack(labels))
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert head.fc_cls.weight.grad.abs().min() > 0
    scores = [sample.pred_score for sample in head.predict(x, data, num_segs=1)]
    torch.testing.assert_close(torch.stack(scores), logits.sigmoid())


def test_smoothed_labels():
    head, (data, labels) = make(label_smooth_eps=0.2), samples()
    x = torch.randn(N, C, 1, 1, dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(
        head.fc_cls(x.flatten(1)), 0.8 * labels + 0.2 / CLASSES
    )
    torch.testing.assert_close(head.loss(x, data, num_segs=1)['loss_cls'], expected)


@pytest.mark.parametrize(
    'label, got', [(3, r'int64 of shape \(1,\)'), (torch.zeros(4), r'float32 .*\(4,\)')]
)
def test_labels_of_another_kind(label, got):
    data = [ActionDataSample().set_gt_label(label) for _ in range(N)]
    with pytest.raises(ValueError, match=rf'expected 0. or 1. for each of 7 .*{got}'):
        make().loss(torch.ones(N, C, 1, 1).double(), data, num_segs=1)


@pytest.mark.parametrize('average', ['prob', 'score'])
def test_scores_are_sigmoids_averaged_over_crops(average):
    head = make(average_clips=average)
    x = torch.randn(N * 3, C, 1, 1, dtype=torch.float64)
    predicted = head.predict(x, samples()[0], num_segs=1)
    logits = head.fc_cls(x[:, :, 0, 0]).unflatten(0, (N, 3))
    expected = {
        'prob': (1 / (1 + torch.exp(-logits))).mean(1),
        'score': 1 / (1 + torch.exp(-logits.mean(1))),
    }[average]
    got = torch.stack([sample.pred_score for sample in predicted])
    torch.testing.assert_close(got, expected)
    assert (got.sum(dim=1) - 1).abs().min() > 1e-2


def test_bf16_autocast_gives_full_precision():
    head = MultiLabelTSNHead(CLASSES, C)
    labels = [ActionDataSample().set_gt_label(torch.zeros(CLASSES))] * N
    with torch.autocast('cpu', torch.bfloat16):
        x = torch.randn(N, C, 2, 2)
        assert head(x, num_segs=1).dtype == torch.float32
        loss = head.loss(x, labels, num_segs=1)['loss_cls']
    assert loss.isfinite()


@pytest.mark.parametrize('scope', ['mmaction', 'mmdet'])
def test_builds_from_config(scope):
    cfg = {'type': 'mmattn.MultiLabelTSNHead', 'num_classes': CLASSES, '_scope_': scope}
    head = MODELS.build(cfg | {'in_channels': C, 'loss_cls': None})
    assert isinstance(head, MultiLabelTSNHead)


def test_wrong_options():
    with pytest.raises(ValueError, match=r"average_clips: expected one .*got 'max'"):
        make(average_clips='max')
    with pytest.raises(TypeError, match='dropout'):
        make(dropout=0.5)


@pytest.mark.parametrize('rows, num_segs', [(0, 3), (3, 0)])
def test_no_frames(rows, num_segs):
    with pytest.raises(ValueError, match='features: expected those of one or more'):
        make()(torch.ones(rows, C, 1, 1).double(), num_segs=num_segs)
