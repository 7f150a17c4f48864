"""Attention roll-out against transcriptions, matrix by matrix."""

from itertools import product

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from reference.rollout import rolled, rolled_for_class, videomae_logits
from torch import nn

from mmattn.visualization.grad_cam import grad_cam
from mmattn.visualization.rollout import ROLLOUTS, attention_layers, roll_out

VIT = dict(
    type='VisionTransformer',
    img_size=24,
    patch_size=8,
    embed_dims=12,
    depth=2,
    num_heads=3,
    num_frames=10,
    tubelet_size=2,
)
TIMESFORMER = dict(
    type='TimeSformer',
    num_frames=5,
    img_size=(24, 16),
    patch_size=8,
    embed_dims=12,
    num_heads=3,
    num_transformer_layers=2,
)
MVIT = dict(
    type='MViT',
    arch=dict(embed_dims=8, num_layers=4, num_heads=1, downscale_indices=[2]),
    spatial_size=48,
    temporal_size=6,
)
SIZES = dict(VisionTransformer=(10, 24, 24), TimeSformer=(5, 24, 16), MViT=(6, 48, 48))


def recognizer(backbone, **head):
    """A model whose attention and scores differ from place to place."""
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=backbone,
            cls_head=dict(type='TimeSformerHead', num_classes=5, in_channels=12) | head,
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[127.0],
                std=[60.0],
                format_shape='NCTHW',
            ),
        )
    )
    generator = torch.Generator().manual_seed(0)
    for name, weights in model.named_parameters():
        scale = 0.1 if 'pos' in name else 0.4
        weights.data = scale * torch.randn(weights.shape, generator=generator)
    return model.double().eval()


def mvit(**options):
    token = options['with_cls_token']
    head = dict(type='MViTHead', in_channels=16, with_cls_token=token)
    return recognizer(MVIT | options, **head)


def batch_of(model, clips=1):
    size = SIZES[type(model.backbone).__name__]
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(0, 256, (clips, 3, *size), generator=generator)
    item = dict(inputs=inputs.to(torch.uint8), data_samples=ActionDataSample())
    return pseudo_collate([item])


def layers_of(model, batch, class_index):
    """Layers with gradients, and what they hand out themselves."""
    own = []
    hooks = [
        module.register_forward_hook(lambda *call: own.append(call[2]))
        for module in model.backbone.modules()
        if isinstance(module, nn.MultiheadAttention)
    ]
    data = model.data_preprocessor(batch)
    frames = data['inputs'].flatten(0, 1).double().requires_grad_()
    with attention_layers(model.backbone) as layers:
        feature = model.backbone(frames)
    model.cls_head(feature)[0, class_index].backward()
    for hook in hooks:
        hook.remove()
    return layers, own


@pytest.mark.parametrize('method', ROLLOUTS)
def test_videomae(method):
    """Two clips of a video, each by itself."""
    model = recognizer(VIT)
    batch = batch_of(model, clips=2)
    found = grad_cam(model, batch, class_index=3, method=method)
    assert found.maps.shape == (2, 5, 3, 3)
    weights = model.state_dict()
    zeros = [torch.zeros(3, 45, 45, dtype=torch.float64) for _ in range(2)]
    frames = (batch['inputs'][0].double() - 127) / 60
    row = torch.full((45,), 1 / 45, dtype=torch.float64)
    total = 0
    for clip, maps in zip(frames, found.maps, strict=True):
        leaves = [zero.clone().requires_grad_() for zero in zeros]
        scores, softmax = videomae_logits(
            weights, clip, depth=2, heads=3, tubelet=2, patch=8, zeros=leaves
        )
        total = total + scores.detach() / 2
        # The score of a video is the mean of its clips.
        grads = torch.autograd.grad(scores[3] / 2, leaves)
        if method == 'rollout':
            expected = rolled(softmax, row)
        else:
            expected = rolled_for_class(softmax, grads, row)
        torch.testing.assert_close(maps.flatten(), expected, rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(found.scores, total, rtol=1e-6, atol=1e-9)


def test_classes_have_maps_of_their_own():
    model = recognizer(VIT)
    batch = batch_of(model)
    first, second = (
        grad_cam(model, batch, class_index=k, method='class_rollout').maps
        for k in (0, 1)
    )
    assert (first - second).abs().max() > 0.1 * first.max()
    plain = [
        grad_cam(model, batch, class_index=k, method='rollout').maps for k in (0, 1)
    ]
    assert torch.equal(*plain)
    assert plain[0].sum() == pytest.approx(1)


def test_the_model_stays_as_it_was():
    model = recognizer(VIT)
    batch = batch_of(model)
    before = model.test_step(batch)[0].pred_score
    found = grad_cam(model, batch, method='class_rollout')
    assert torch.equal(model.test_step(batch)[0].pred_score, before)
    assert found.class_index == int(before.argmax())
    assert not any(module._forward_hooks for module in model.backbone.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@pytest.mark.parametrize('method', ROLLOUTS)
def test_timesformer(method):
    """Divided attention as matrices over all tokens, entry by entry."""
    model = recognizer(TIMESFORMER)
    batch = batch_of(model)
    layers, own = layers_of(model, batch, class_index=2)
    for layer, (_, weights) in zip(layers, own, strict=True):
        torch.testing.assert_close(layer.weights.mean(1), weights)  # as torch says
    T, P = 5, 6
    eye = torch.eye(1 + P * T, dtype=torch.float64)
    R = eye
    for layer in layers:
        mixed, A = layer.mixed(method), torch.zeros_like(eye)
        if 'Temporal' in layer.owner:
            A[0, 0] = method == 'rollout'
            for p, t, other in product(range(P), range(T), range(T)):
                A[1 + p * T + t, 1 + p * T + other] = mixed[p, t, other]
        else:
            share = T if method == 'rollout' else 1
            for t in range(T):
                A[0, 0] += mixed[t, 0, 0] / share
                for p in range(P):
                    A[0, 1 + p * T + t] = mixed[t, 0, 1 + p] / share
                    A[1 + p * T + t, 0] = mixed[t, 1 + p, 0]
                    for other in range(P):
                        A[1 + p * T + t, 1 + other * T + t] = mixed[t, 1 + p, 1 + other]
        R = (A + eye) / 2 @ R if method == 'rollout' else R + A @ R
    expected = R[0, 1:].reshape(3, 2, T).permute(2, 0, 1)[None]
    found = roll_out(model.backbone, layers, method)
    assert found.shape == (1, T, 3, 2)
    torch.testing.assert_close(found, expected)
    through = grad_cam(model, batch, class_index=2, method=method).maps
    torch.testing.assert_close(through, expected, rtol=1e-6, atol=1e-12)


def shares(grid, strides):
    """Pooled tokens times tokens: each stands for its stride in equal shares."""
    sizes = [(n - 1) // s + 1 for n, s in zip(grid, strides, strict=True)]
    found = torch.zeros(*sizes, *grid, dtype=torch.float64)
    for place in product(*map(range, grid)):
        cell = tuple(x // s for x, s in zip(place, strides, strict=True))
        found[(*cell, *place)] = 1
    found = found.flatten(0, 2).flatten(1)
    return found / found.sum(1, keepdim=True)


@pytest.mark.parametrize('token', [True, False])
@pytest.mark.parametrize('method', ROLLOUTS)
def test_mvit(method, token):
    model = mvit(with_cls_token=token, output_cls_token=token)
    batch = batch_of(model)
    layers, _ = layers_of(model, batch, class_index=2)
    grid = (3, 12, 12)
    product_, skips = None, None
    for layer in layers:
        strides = (layer.module.pool_q.stride, layer.module.pool_k.stride)
        q, k = (shares(grid, s) for s in strides)
        if token:
            one = torch.ones(1, 1, dtype=torch.float64)
            q, k = torch.block_diag(one, q), torch.block_diag(one, k)
        grid = tuple((n - 1) // s + 1 for n, s in zip(grid, strides[0], strict=True))
        A = layer.mixed(method)[0] @ k
        if product_ is None:
            product_ = skips = torch.eye(q.shape[1], dtype=torch.float64)
        skips = q @ skips
        product_ = A @ product_ + q @ product_
        if method == 'rollout':
            product_ = product_ / 2
    assert grid == (3, 6, 6)
    R = product_ if method == 'rollout' else product_ - skips
    expected = R[0, 1:] if token else R.mean(0)
    found = grad_cam(model, batch, class_index=2, method=method).maps
    assert found.shape == (1, 3, 12, 12)
    torch.testing.assert_close(found.flatten(), expected, rtol=1e-6, atol=1e-12)


def test_refusals():
    cnn = dict(type='ResNet3dSlowOnly', depth=18, pretrained=None, base_channels=4)
    model = recognizer(cnn, type='I3DHead', in_channels=32)
    with pytest.raises(ValueError, match=r'method: expected a VisionTransformer.*ResN'):
        grad_cam(model, batch_of(recognizer(VIT)), method='rollout')
    space = recognizer(TIMESFORMER | dict(attention_type='space_only'))
    with pytest.raises(ValueError, match='not of space only'):
        grad_cam(space, batch_of(space), method='rollout')
    model = recognizer(VIT)
    batch = batch_of(model)
    batch['inputs'][0] = batch['inputs'][0].repeat(1, 1, 1, 2, 1)
    with pytest.raises(ValueError, match=r'frames of \(3, 10, 24, 24\)'):
        grad_cam(model, batch, method='rollout')
