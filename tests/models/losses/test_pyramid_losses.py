"""Losses on pyramid attention: equations, limits and gradients."""

import math

import pytest
import torch
from reference import pyramid

from mmattn.models.layers.pyramid import (
    PyramidAttention,
    PyramidOutput,
    attend_positions,
)
from mmattn.models.losses import (
    PyramidAttentionLoss,
    PyramidInteractionLoss,
    attention_loss,
    interaction_loss,
)
from mmattn.registry import MODELS

B, N, D, C = 2, 3, 5, 7  # N positions below are n
POSITIONS = 11
F64 = torch.float64
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}


def random_output(requires_grad=False):
    scores = tuple(
        torch.randn(B, D, POSITIONS, dtype=F64).requires_grad_(requires_grad)
        for _ in range(N)
    )
    A = attend_positions(sum(scores))
    X = torch.randn(B, C, POSITIONS, dtype=F64).requires_grad_(requires_grad)
    return PyramidOutput(A.new_zeros(()), A, X, scores)


def test_follow_the_equations():
    out = random_output()
    for b in range(B):
        A, X = out.attention[b].numpy(), out.features[b].T.numpy()
        Y = [y[b].numpy() for y in out.scores]
        inter = interaction_loss(out.attention, out.features)[b].item()
        assert inter == pytest.approx(pyramid.interaction(A, X), rel=1e-9)
        attn = attention_loss(out.attention, out.scores)[b].item()
        assert attn == pytest.approx(pyramid.attention_term(A, Y), rel=1e-9)


def test_single_precision():
    out = random_output()
    single = [x.float() for x in (out.attention, out.features, *out.scores)]
    torch.testing.assert_close(
        interaction_loss(single[0], single[1]).double(),
        interaction_loss(out.attention, out.features),
        rtol=1e-4,
        atol=1e-5,
    )
    torch.testing.assert_close(
        attention_loss(single[0], single[2:]).double(),
        attention_loss(out.attention, out.scores),
        rtol=1e-4,
        atol=1e-5,
    )


def test_interaction_by_hand():
    layer = PyramidAttention((1,), (2, 1)).double()
    with torch.no_grad():
        layer.scores[0].weight[:, 0, 0, 0] = torch.tensor(
            [0, math.log(3) / 2], dtype=F64
        )
    X = torch.tensor([1.0, 3.0], dtype=F64).view(1, 1, 2, 1)
    out = layer([X], num_frames=1)
    loss = interaction_loss(out.attention, out.features)
    assert loss.item() == pytest.approx(-16.4, rel=1e-12)


def test_interaction_of_orthonormal_rows():
    X = torch.randn(1, C, POSITIONS, dtype=F64)
    A = torch.eye(POSITIONS, dtype=F64)[None]
    torch.testing.assert_close(interaction_loss(A, X), -X.square().sum()[None], **CLOSE)
    X = torch.zeros_like(X)
    assert interaction_loss(A[:, :D], X).item() == 0
    same = A[:, :1].expand(-1, D, -1)
    assert interaction_loss(same, X).item() == D * (D - 1)


def test_interaction_is_least_at_the_principal_components():
    X = torch.randn(1, C, POSITIONS, dtype=F64)
    values, vectors = torch.linalg.eigh(X[0].T @ X[0])
    best = interaction_loss(vectors[None, :, -D:].mT, X).item()
    assert best == pytest.approx(-values[-D:].sum().item(), rel=1e-9)
    for _ in range(20):
        rows = torch.linalg.qr(torch.randn(1, POSITIONS, D, dtype=F64))[0]
        assert interaction_loss(rows.mT, X).item() > best


def test_interaction_does_not_see_signs():
    out = random_output()
    signs = torch.tensor([1, -1, -1, 1, -1.0], dtype=F64)[:, None]
    torch.testing.assert_close(
        interaction_loss(signs * out.attention, out.features),
        interaction_loss(out.attention, out.features),
        **CLOSE,
    )


def test_attention_loss_of_uniform_scores():
    scores = [torch.full((1, D, POSITIONS), 2.0, dtype=F64)] * N
    n = POSITIONS
    expected = math.sqrt(N * D * n * (1 - (n**-0.5 - 1 / n) ** 2))
    got = attention_loss(attend_positions(scores[0]), scores)
    assert got.item() == pytest.approx(expected, rel=1e-9)


def test_attention_loss_is_bounded():
    for scale in (0.1, 1, 100):
        scores = [scale * torch.randn(B, D, POSITIONS).double() for _ in range(N)]
        loss = attention_loss(attend_positions(sum(scores)), scores)
        assert loss.max() <= math.sqrt(N * D * POSITIONS)
        assert loss.min() > 0


def test_finite_gradient_at_the_root():
    """Two positions: all scales look at one, their product at the other."""
    scores = [
        torch.tensor([[[-60.0, 0.0]]], dtype=F64).requires_grad_() for _ in range(2)
    ]
    loss = attention_loss(attend_positions(scores[0] * scores[1]), scores).sum()
    assert loss.item() == pytest.approx(0, abs=2e-6)
    loss.backward()
    assert all(torch.isfinite(y.grad).all() for y in scores)


def test_gradients():
    out = random_output(requires_grad=True)

    def both(X, *scores):
        A = attend_positions(sum(scores))
        return interaction_loss(A, X) + attention_loss(A, scores)

    assert torch.autograd.gradcheck(both, (out.features, *out.scores))


def test_terms_weigh_and_average():
    out = random_output()
    inter = interaction_loss(out.attention, out.features).mean()
    attn = attention_loss(out.attention, out.scores).mean()
    torch.testing.assert_close(PyramidInteractionLoss()(out), 1e-4 * inter, **CLOSE)
    torch.testing.assert_close(PyramidAttentionLoss()(out), 1e-4 * attn, **CLOSE)
    torch.testing.assert_close(PyramidInteractionLoss(3)(out), 3 * inter, **CLOSE)
    torch.testing.assert_close(PyramidAttentionLoss(2)(out), 2 * attn, **CLOSE)


@pytest.mark.parametrize('detach', [True, False])
def test_gradient_to_the_features(detach):
    out = random_output(requires_grad=True)
    loss = PyramidInteractionLoss(1, detach_features=detach)(out)
    reference = PyramidInteractionLoss(1)(out)
    torch.testing.assert_close(loss, reference)
    loss.backward()
    assert (out.features.grad is None) == detach
    assert all(y.grad.abs().max() > 0 for y in out.scores)


def test_losses_are_per_video_before_the_mean():
    """The root of Eq. (8) is taken of each video, not of the batch."""
    out = random_output()
    halves = [
        PyramidOutput(out[0], out[1][b : b + 1], out[2][b : b + 1], parts)
        for b, parts in enumerate(
            [tuple(y[b : b + 1] for y in out.scores) for b in range(B)]
        )
    ]
    for term in (PyramidInteractionLoss(1), PyramidAttentionLoss(1)):
        mean = sum(term(half) for half in halves) / B
        torch.testing.assert_close(term(out), mean, **CLOSE)


@pytest.mark.parametrize('scope', ['mmaction', 'mmdet'])
def test_build_from_config(scope):
    for name, kind in (
        ('PyramidInteractionLoss', PyramidInteractionLoss),
        ('PyramidAttentionLoss', PyramidAttentionLoss),
    ):
        cfg = {'type': f'mmattn.{name}', 'loss_weight': 0.5, '_scope_': scope}
        term = MODELS.build(cfg)
        assert isinstance(term, kind)
        assert term.loss_weight == 0.5


def test_bf16_autocast_is_finite():
    layer = PyramidAttention((3, 5), (2, 3))
    maps = [torch.randn(4, 3, 5, 7), torch.randn(4, 5, 2, 3)]
    with torch.autocast('cpu', torch.bfloat16):
        out = layer([x.bfloat16() for x in maps], num_frames=2)
        loss = PyramidInteractionLoss(1)(out) + PyramidAttentionLoss(1)(out)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_rows_before_the_l2_normalization():
    out = random_output()
    fused = sum(out.scores)
    expected = 2 * attention_loss(torch.softmax(fused, dim=-1), out.scores).mean()
    got = PyramidAttentionLoss(2, rows='softmax')(out)
    torch.testing.assert_close(got, expected, **CLOSE)


def test_one_scale_alone_is_flattened_only_after_the_l2_normalization():
    for rows, moved in (('l2', True), ('softmax', False)):
        scores = torch.randn(1, D, POSITIONS, dtype=F64, requires_grad=True)
        out = random_output()._replace(
            attention=attend_positions(scores), scores=(scores,)
        )
        PyramidAttentionLoss(1, rows=rows)(out).backward()
        assert (scores.grad.abs().max() > 1e-3).item() is moved
        assert moved or scores.grad.abs().max() < 1e-12


def test_rows_are_checked():
    with pytest.raises(ValueError, match=r"rows: expected one of .*, got 'l1'"):
        PyramidAttentionLoss(rows='l1')
