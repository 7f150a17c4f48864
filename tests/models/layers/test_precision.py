"""Attention under autocast against float64, at the papers' sizes."""

import copy

import pytest
import torch
from torch import nn

from mmattn.models.layers.precision import full_precision
from mmattn.models.layers.pyramid import PyramidAttention
from mmattn.models.layers.slowfast_attn_modules import (
    SpatialSelfAttention,
    TemporalSelfAttention,
)
from mmattn.models.losses.pyramid_losses import attention_loss, interaction_loss

HALVES = [torch.bfloat16, torch.float16]
PYRAMID = (320, 35), (1088, 17), (2080, 8)  # channels and sizes, Inception-ResNet-v2


def features(*shape, scale=10.0):
    """Rectified features whose unscaled products are in the hundreds."""
    return torch.randn(shape).relu() * scale


def assert_close_to_float64(output, layer, inputs, dtype, percent):
    with torch.no_grad():
        expected = output(copy.deepcopy(layer).double(), *(x.double() for x in inputs))
        with torch.autocast('cpu', dtype):
            got = output(layer, *inputs)
    error = (got.double() - expected).square().mean().sqrt()
    assert error < expected.square().mean().sqrt() * percent / 100


@pytest.mark.parametrize('dtype', HALVES)
@pytest.mark.parametrize(
    ('kind', 'channels'), [(SpatialSelfAttention, 2048), (TemporalSelfAttention, 256)]
)
def test_self_attention_of_large_features(kind, channels, dtype):
    layer = kind(channels)
    nn.init.ones_(layer.gamma)
    x = features(1, channels, 4, 7, 7)
    assert_close_to_float64(lambda net, x: net(x) - x, layer, (x,), dtype, 0.5)


@pytest.mark.parametrize('dtype', HALVES)
def test_pyramid_attention_of_large_features(dtype):
    layer = PyramidAttention([c for c, _ in PYRAMID], (8, 8))
    maps = [features(3, c, size, size) for c, size in PYRAMID]

    def aggregate(net, *maps):
        return net(maps, num_frames=3).aggregated

    assert_close_to_float64(aggregate, layer, maps, dtype, 0.01)


@pytest.mark.parametrize('dtype', HALVES)
def test_pyramid_losses_of_large_features(dtype):
    layer = PyramidAttention([c for c, _ in PYRAMID], (8, 8))
    maps = [features(3, c, size, size, scale=1e3) for c, size in PYRAMID]

    def losses(net, *maps):
        out = net(maps, num_frames=3)
        inter = interaction_loss(out.attention, out.features)
        return torch.stack([inter[0], attention_loss(out.attention, out.scores)[0]])

    assert_close_to_float64(losses, layer, maps, dtype, 0.01)


def test_autocast_is_off_inside_only_and_wide_types_stay():
    x, wide = torch.full((1, 1), 300.0), torch.ones(1, dtype=torch.float64)
    with torch.autocast('cpu', torch.float16):
        with full_precision(x.half(), wide) as (narrow, same):
            assert (narrow @ narrow).item() == 90000
            assert same.dtype == torch.float64
        assert (x @ x).isinf().all()
