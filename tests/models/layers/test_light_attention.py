"""ECA, CBAM, and the fading in of any module."""

import numpy as np
import pytest
import torch

from mmattn.attention.capture import capture_attention
from mmattn.models.layers import (
    ConvBlockAttention,
    EfficientChannelAttention,
    FadeIn,
)

C, T, H, W = 7, 3, 5, 11


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def eca(x, kernel):
    """Eq. (5) and (12) of ECA-Net, for one frame (C, H, W), in float64."""
    means = x.mean(axis=(1, 2))
    half = len(kernel) // 2
    padded = np.concatenate([np.zeros(half), means, np.zeros(half)])
    weights = [padded[c : c + len(kernel)] @ kernel for c in range(len(x))]
    return x * sigmoid(np.array(weights))[:, None, None]


def cbam(x, first, second, kernel):
    """Eq. (1)-(3) of CBAM, for one frame (C, H, W), in float64."""

    def mlp(z):
        return second @ np.maximum(first @ z, 0)

    channels = sigmoid(mlp(x.mean(axis=(1, 2))) + mlp(x.max(axis=(1, 2))))
    x = x * channels[:, None, None]
    both = np.stack([x.mean(axis=0), x.max(axis=0)])
    half = kernel.shape[-1] // 2
    padded = np.pad(both, ((0, 0), (half, half), (half, half)))
    size = kernel.shape[-1]
    places = np.array(
        [
            [(padded[:, y : y + size, z : z + size] * kernel).sum() for z in range(W)]
            for y in range(H)
        ]
    )
    return x * sigmoid(places)


def by_frame(function, x):
    """Apply a function of one frame to (N, C, T, H, W)."""
    return np.stack(
        [
            np.stack([function(clip[:, t]) for t in range(T)], axis=1)
            for clip in x.numpy()
        ]
    )


def test_eq_5_and_12_of_eca():
    module = EfficientChannelAttention(C).double()
    x = torch.randn(2, C, T, H, W, dtype=torch.float64)
    kernel = module.conv.weight.detach().numpy().reshape(-1)
    expected = by_frame(lambda frame: eca(frame, kernel), x)
    np.testing.assert_allclose(module(x).detach(), expected, rtol=1e-9)
    flat = module(x[:, :, 0]).detach()
    np.testing.assert_allclose(flat, expected[:, :, 0], rtol=1e-9)


@pytest.mark.parametrize('channels, size', [(64, 3), (128, 5), (256, 5), (512, 5)])
def test_kernel_of_eca(channels, size):
    """The numbers that the paper's code uses, with gamma = 2 and b = 1."""
    assert EfficientChannelAttention(channels).conv.kernel_size == (size,)


def test_eq_1_to_3_of_cbam():
    module = ConvBlockAttention(C, reduction=3, kernel_size=3).double()
    x = torch.randn(2, C, T, H, W, dtype=torch.float64)
    first, second = (module.mlp[k].weight.detach().numpy() for k in (0, 2))
    kernel = module.conv.weight.detach().numpy()[0]
    expected = by_frame(lambda frame: cbam(frame, first, second, kernel), x)
    np.testing.assert_allclose(module(x).detach(), expected, rtol=1e-9)
    flat = module(x[:, :, 0]).detach()
    np.testing.assert_allclose(flat, expected[:, :, 0], rtol=1e-9)


@pytest.mark.parametrize('kind', [EfficientChannelAttention, ConvBlockAttention])
def test_zero_weights_halve_once_or_twice(kind):
    module = kind(C)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    gates = 1 if kind is EfficientChannelAttention else 2
    x = torch.randn(2, C, H, W)
    torch.testing.assert_close(module(x), x / 2**gates)


@pytest.mark.parametrize('kind', [EfficientChannelAttention, ConvBlockAttention])
def test_gates_are_handed_out(kind):
    module = kind(C)
    with capture_attention(module) as records, torch.no_grad():
        module(torch.randn(2, C, T, H, W))
    assert records[0].name == 'channel_weights'
    assert records[0].map.shape == (2, T, C)
    if kind is ConvBlockAttention:
        assert records[1].map.shape == (2, T, H, W)


def test_fade_in_is_nothing_at_first_and_the_module_at_last():
    gate = dict(type='mmattn.SqueezeExcitation', reduction=2)
    module = FadeIn(C, gate)
    x = torch.randn(2, C, T, H, W)
    assert torch.equal(module(x), x)
    module(x).square().sum().backward()
    assert module.scale.grad.abs().min() > 0
    torch.nn.init.ones_(module.scale)
    torch.testing.assert_close(module(x), module.module(x))


def test_frames_one_by_one():
    module = FadeIn(C, dict(type='mmcv.cnn.ContextBlock', ratio=1 / 2), per_frame=True)
    torch.nn.init.ones_(module.scale)
    torch.nn.init.normal_(module.module.channel_add_conv[-1].weight)
    x = torch.randn(2, C, T, H, W)
    alone = torch.stack([module.module(x[:, :, t]) for t in range(T)], dim=2)
    torch.testing.assert_close(module(x), alone)


def test_refusals():
    with pytest.raises(ValueError, match=r'kernel_size: .* odd or None, got 4'):
        EfficientChannelAttention(C, kernel_size=4)
    with pytest.raises(ValueError, match=r'kernel_size: .* above 0 and odd, got 2'):
        ConvBlockAttention(C, kernel_size=2)
    with pytest.raises(ValueError, match='reduction: expected int at least 1, got 0'):
        ConvBlockAttention(C, reduction=0)
    pool = dict(type='mmattn.FrameMean')
    with pytest.raises((TypeError, ValueError)):
        FadeIn(C, pool)(torch.ones(2, C, H, W))
