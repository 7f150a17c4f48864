"""Pyramid attention as a reduction inside a recognizer."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from reference import pyramid

from mmattn.attention.capture import capture_attention
from mmattn.models import PyramidAttentionNeck
from mmattn.models.losses import attention_loss
from mmattn.registry import MODELS

B, K, CLASSES = 2, 3, 5
TAPS = {'conv3': 16, 'conv4': 32, 'conv5': 32}
H, W = 64, 48  # conv5: 4 x 3
CLOSE = {'rtol': 1e-4, 'atol': 1e-5}


def recognizer(taps=tuple(TAPS), out='pool5', **options):
    neck = {
        'type': 'mmattn.PyramidAttentionNeck',
        'in_channels': [TAPS.get(tap, 13) for tap in taps],
        'top_size': (4, 3),
    }
    net = MODELS.build(
        {
            'type': 'mmattn.ReductionRecognizer',
            'backbone': {
                'type': 'mmattn.VGG',
                'depth': 11,
                'base_channels': 4,
                'fc_channels': 13,
                'out': out,
                'init_cfg': {'type': 'Kaiming', 'layer': ['Conv2d', 'Linear']},
            },
            'reduction': {'taps': taps, 'module': neck | options},
            'cls_head': {
                'type': 'mmaction.TSNHead',
                'num_classes': CLASSES,
                'in_channels': 32 if out == 'pool5' else 13,
                'init_std': 0.5,
                'dropout_ratio': 0,
                'average_clips': 'prob',
            },
            'data_preprocessor': {'type': 'mmaction.ActionDataPreprocessor'},
            'test_cfg': {'num_segs': K},
        }
    )
    net.init_weights()
    return net


def samples():
    info = dict(frame_indices=range(K))
    return [ActionDataSample(metainfo=info).set_gt_label(b) for b in range(B)]


def test_follows_the_equations():
    neck = PyramidAttentionNeck((3, 5), (2, 2)).double()
    taps = [torch.randn(B * K, C, s, s).double() for C, s in ((3, 7), (5, 2))]
    reduced, losses = neck(taps, num_frames=K)
    weights, biases = pyramid.paper_weights(neck.state_dict())
    inter, attn = [], []
    for b in range(B):
        video = [x[b * K : b * K + K].numpy() for x in taps]
        M, A, X, Y = pyramid.layer(weights, biases, video)
        inter.append(pyramid.interaction(A, X))
        attn.append(pyramid.attention_term(A, Y))
        torch.testing.assert_close(reduced[b], torch.tensor(M))
    assert set(losses) == {'loss_inter', 'loss_attn'}
    assert losses['loss_inter'].item() == pytest.approx(1e-4 * sum(inter) / B)
    assert losses['loss_attn'].item() == pytest.approx(1e-4 * sum(attn) / B)


def test_maps_that_wait_are_small_and_give_the_same():
    neck = PyramidAttentionNeck((3, 5), (2, 2)).double()
    taps = [torch.randn(B * K, C, s, s).double() for C, s in ((3, 7), (5, 2))]
    kept = neck.compact(taps)
    assert [x.shape for x in kept] == [(B * K, 3, 2, 2), (B * K, 5, 2, 2)]
    torch.testing.assert_close(neck(kept, K), neck(taps, K))


def test_losses_do_not_see_the_order_of_frames():
    neck = PyramidAttentionNeck((3, 5), (2, 2)).double()
    taps = [torch.randn(K, C, s, s).double() for C, s in ((3, 7), (5, 2))]
    expected = neck(taps, num_frames=K)
    moved = neck([x[[2, 0, 1]] for x in taps], num_frames=K)
    torch.testing.assert_close(moved, expected)


def test_only_training_needs_losses():
    neck = PyramidAttentionNeck((3, 5), (2, 2)).eval()
    taps = [torch.randn(K, C, s, s) for C, s in ((3, 7), (5, 2))]
    assert neck(taps, num_frames=K)[1] == {}


def test_losses_are_chosen_and_weighed():
    assert len(PyramidAttentionNeck((3,), (2, 2), losses=()).losses) == 0
    neck = PyramidAttentionNeck(
        (3,), (2, 2), losses=[{'type': 'mmattn.PyramidAttentionLoss', 'loss_weight': 7}]
    )
    taps = [torch.randn(K, 3, 2, 2)]
    out = neck.attention(taps, num_frames=K)
    losses = neck(taps, num_frames=K)[1]
    expected = 7 * attention_loss(out.attention, out.scores).mean()
    assert losses == {'loss_attn': expected}


def test_trains_with_three_frames_and_tests_with_any():
    net = recognizer()
    losses = net.loss(torch.randn(B, K, 3, H, W), samples())
    assert {'loss_cls', 'loss_inter', 'loss_attn'} <= set(losses)
    total, logged = net.parse_losses(losses)
    parts = sum(logged[name] for name in ('loss_cls', 'loss_inter', 'loss_attn'))
    torch.testing.assert_close(total, parts)
    total.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    net.eval()
    for frames in (1, 25):
        net.test_cfg = {'num_segs': frames}
        with torch.no_grad():
            (sample,) = net.predict(torch.randn(1, frames, 3, H, W), samples()[:1])
        assert sample.pred_score.sum().item() == pytest.approx(1, abs=1e-5)


def test_without_losses_the_total_is_cross_entropy():
    terms = ('mmattn.PyramidInteractionLoss', 'mmattn.PyramidAttentionLoss')
    zero = recognizer(losses=[{'type': term, 'loss_weight': 0} for term in terms])
    plain = recognizer(losses=())
    zero.load_state_dict(plain.state_dict())
    frames = torch.randn(B, K, 3, H, W)
    losses = [net.loss(frames, samples()) for net in (plain, zero)]
    totals = [plain.parse_losses(x)[0] for x in losses]
    assert set(losses[0]) == {'top1_acc', 'top5_acc', 'loss_cls'}
    torch.testing.assert_close(*totals)
    gradients = [
        torch.autograd.grad(total, list(net.parameters()))
        for total, net in zip(totals, (plain, zero), strict=True)
    ]
    torch.testing.assert_close(*gradients, **CLOSE)
    score = plain.cls_head(plain.extract_feat(frames)[0], 1)
    expected = torch.nn.functional.cross_entropy(score, torch.arange(B))
    torch.testing.assert_close(totals[0], expected)


def test_order_of_frames_does_not_matter():
    net = recognizer().eval()
    frames = torch.randn(B, K, 3, H, W)
    with torch.no_grad():
        before = net.extract_feat(frames, stage='head')[0]
        after = net.extract_feat(frames[:, [1, 2, 0]], stage='head')[0]
    torch.testing.assert_close(after, before, **CLOSE)


def test_single_stage_and_vector():
    for taps, out, options in (
        (('conv5',), 'pool5', {}),
        (('conv4',), 'pool5', {'top_size': (8, 6)}),
        (('fc6',), 'fc6', {'top_size': None}),
    ):
        net = recognizer(taps, out, **options).eval()
        with torch.no_grad():
            scores = net.extract_feat(torch.randn(B, K, 3, H, W), stage='head')[0]
        assert scores.shape == (B, CLASSES)


def test_whole_frames_are_attended_to_as_their_mean():
    neck = PyramidAttentionNeck((3, 5), (1, 1), whole_frames=True).eval()
    taps = [torch.randn(B * K, C, s, s) for C, s in ((3, 4), (5, 2))]
    means = [x.mean(dim=(2, 3), keepdim=True) for x in taps]
    assert all(map(torch.equal, neck.compact(taps), means))
    assert all(map(torch.equal, neck.compact(means), means))
    found, _ = neck(taps, num_frames=K)
    assert found.shape == (B, 5, 1, 1)
    with capture_attention(neck) as records:
        expected, _ = neck(means, num_frames=K)
    assert torch.equal(found, expected)
    (weights,) = (record.map[:, 0, :, 0, 0] for record in records)
    rows = means[-1].unflatten(0, (B, K))[..., 0, 0]
    weighed = torch.einsum('bk,bkc->bc', torch.as_tensor(weights).float(), rows)
    torch.testing.assert_close(found[..., 0, 0], weighed, **CLOSE)


def test_maps_know_their_frames():
    net = recognizer().eval()
    frames = torch.randn(B, 2 * K, 3, H, W)
    with torch.no_grad(), capture_attention(net) as records:
        net.predict(frames, samples())
    (record,) = records
    assert record.name == 'reduction.attention.positions'
    assert record.map.shape == (2 * B, 12, K, 4, 3)
    assert record.sample == (0, 0, 1, 1)
    assert record.crop == (0, 1, 0, 1)
    assert record.frames.tolist() == [[0, 1, 2]] * 4


@pytest.mark.parametrize('scope', ['mmaction', 'mmdet'])
def test_builds_from_config_and_keeps_its_state(scope):
    init_default_scope(scope)
    cfg = {
        'type': 'mmattn.PyramidAttentionNeck',
        'in_channels': [3, 5],
        'top_size': (2, 2),
    }
    one, two = MODELS.build(cfg), MODELS.build(cfg)
    two.load_state_dict(one.state_dict())
    taps = [torch.randn(K, C, s, s) for C, s in ((3, 7), (5, 2))]
    assert torch.equal(one(taps, num_frames=K)[0], two(taps, num_frames=K)[0])


def test_bf16_autocast_is_finite():
    net = recognizer()
    with torch.autocast('cpu', torch.bfloat16):
        feats, kwargs = net.extract_feat(torch.randn(B, K, 3, H, W))
        total = feats.sum() + sum(kwargs['loss_aux'].values())
    total.backward()
    for part in (net.backbone, net.reduction):
        assert all(p.grad.isfinite().all() for p in part.parameters())


def test_two_losses_of_one_name():
    twice = [{'type': 'mmattn.PyramidAttentionLoss'}] * 2
    with pytest.raises(ValueError, match=r"losses: expected each once, got \['loss_at"):
        PyramidAttentionNeck((3,), (2, 2), losses=twice)
