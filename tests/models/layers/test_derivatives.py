"""Every attention is differentiable twice, and inside the transforms of torch.func."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from mmattn.models.layers import (
    STBTA,
    AttentionConvLSTM,
    PyramidAttention,
    SlowFastAttention,
    SpatialSelfAttention,
    TemporalAttentionLSTM,
    TemporalSelfAttention,
)
from mmattn.models.layers.clips import tell_num_segments


def stbta():
    module = STBTA(4, 1, num_segments=2).eval()
    tell_num_segments(module, 2)
    return module, (2, 4, 2, 2), lambda x: module(x)


def temporal_lstm():
    module = TemporalAttentionLSTM(3, hidden_channels=2, num_steps=3)
    return module, (1, 4, 3), lambda x: module(x)[0]


def convlstm():
    module = AttentionConvLSTM(2, 2, feature_size=(3, 3))
    return module, (1, 3, 2, 3, 3), lambda x: module(x)[0]


def pyramid():
    module = PyramidAttention((2, 3), (2, 2))

    def forward(x):
        low, top = x[:, :2], x.sum(1, keepdim=True).expand(-1, 3, -1, -1)
        return module((low, top[..., ::2, ::2] ** 2), num_frames=2).aggregated

    return module, (2, 2, 4, 4), forward


def slowfast():
    module = SlowFastAttention(4, reduction=2, slow_kernel=(3, 1, 1), num_layers=1)
    return module, (1, 4, 3, 2, 2), lambda x: module(x)


def spatial():
    module = SpatialSelfAttention(4, (3, 1, 1), reduction=2)
    return module, (1, 4, 3, 2, 2), lambda x: module(x)


def temporal():
    module = TemporalSelfAttention(4, (3, 1, 1), reduction=2)
    return module, (1, 4, 3, 2, 2), lambda x: module(x)


@pytest.fixture(
    params=(stbta, temporal_lstm, convlstm, pyramid, slowfast, spatial, temporal),
    ids=lambda build: build.__name__,
)
def scalar(request):
    """A curved function of the input of a module, and an input."""
    torch.manual_seed(0)
    module, shape, forward = request.param()
    for name, parameter in module.named_parameters():
        if name.endswith('gamma'):  # at its start of 0 nothing is attended to
            nn.init.constant_(parameter, 0.7)
    module.double()
    x = torch.randn(shape, dtype=torch.float64)
    return lambda x: forward(x).sin().sum(), x


def test_second_derivatives(scalar):
    function, x = scalar
    with sdpa_kernel(SDPBackend.MATH):
        assert torch.autograd.gradgradcheck(function, (x.requires_grad_(),))


def test_fused_kernels_refuse_second_derivatives():
    _, shape, forward = temporal()
    x = torch.randn(shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(forward(x).sin().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r'flash_attention.*not implemented'):
        gradient.sin().sum().backward()


def test_transforms_agree_with_autograd(scalar):
    function, x = scalar
    with sdpa_kernel(SDPBackend.MATH):
        expected = torch.autograd.functional.hessian(function, x)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(torch.func.hessian(function)(x), expected)


def test_forward_mode_agrees_with_reverse_mode(scalar):
    function, x = scalar
    direction = torch.randn_like(x)
    (gradient,) = torch.autograd.grad(function(x.requires_grad_()), x)
    _, found = torch.func.jvp(function, (x.detach(),), (direction,))
    torch.testing.assert_close(found, (gradient * direction).sum())
