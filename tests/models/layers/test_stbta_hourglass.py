"""The hourglass: values, number of residual modules, limits, sizes, errors."""

import numpy as np
import pytest
import torch
from reference import stbta as literal
from torch import nn

from mmattn.attention.capture import capture_attention
from mmattn.models.layers import Hourglass
from mmattn.models.layers.stbta_hourglass import HourglassResidual

C = 4
SIZES = [(25, 25), (12, 12), (28, 28), (14, 14), (7, 7), (9, 11), (7, 9)]


def identity(hourglass):
    """Zero the last convolution of each residual module."""
    for module in hourglass.modules():
        if isinstance(module, HourglassResidual):
            nn.init.zeros_(module.branch[-1].weight)
            nn.init.zeros_(module.branch[-1].bias)
    return hourglass.eval()


def count(hourglass):
    return sum(isinstance(m, HourglassResidual) for m in hourglass.modules())


@pytest.mark.parametrize(
    'options, arguments',
    [
        ({'t': 1}, {}),
        ({'t': 2}, {}),
        ({'t': 2, 'structure': 'shn'}, {}),
        ({'t': 2, 'residual_skip': True}, {}),
        ({'t': 2, 'pool_kernel': 3}, {'kernel': 3}),
        ({'t': 2, 'ceil_mode': True}, {'ceil': True}),
        ({'t': 2, 'align_corners': True}, {'align_corners': True}),
    ],
)
def test_values(options, arguments):
    hourglass = Hourglass(C, **options)
    p = {f'h.{k}': v for k, v in literal.random_weights(hourglass).items()}
    x = torch.randn(2, C, 7, 6, dtype=torch.float64)
    frames = [
        literal.hourglass(p, 'h', frame, options['t'], **arguments)
        for frame in x.numpy()
    ]
    expected = torch.from_numpy(np.stack(frames))
    torch.testing.assert_close(hourglass(x), expected, rtol=1e-9, atol=1e-9)


def test_values_of_the_inflated_hourglass():
    hourglass = Hourglass(C, 1, inflate=True)
    p = {f'h.{k}': v for k, v in literal.random_weights(hourglass).items()}
    x = torch.randn(1, C, 3, 5, 4, dtype=torch.float64)
    expected = torch.from_numpy(literal.hourglass(p, 'h', x[0].numpy(), 1))
    torch.testing.assert_close(hourglass(x)[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('t', [1, 2, 3, 4])
def test_number_of_residual_modules(t):
    assert count(Hourglass(2, t)) == 2 * t - 1
    assert count(Hourglass(2, t, structure='shn')) == 3 * t + 1
    assert count(Hourglass(2, t, residual_skip=True)) == 3 * t - 1


@pytest.mark.parametrize('structure', ['minimal', 'shn'])
@pytest.mark.parametrize(
    'size, t', [(size, t) for size in SIZES for t in (1, 2, 3) if min(size) >= 2**t]
)
def test_without_branches_scales_add_up(size, structure, t):
    hourglass = identity(Hourglass(2, t, structure=structure))
    x = torch.full((1, 2, *size), 0.7)
    torch.testing.assert_close(hourglass(x), (t + 1) * x)


def test_two_by_two():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(1, 2, 2, 2)
    expected = torch.tensor([[5.0, 6.0], [7.0, 8.0]]).expand_as(x)
    torch.testing.assert_close(identity(Hourglass(2))(x), expected)


def test_clips_are_looked_at_frame_by_frame():
    hourglass = Hourglass(C, 2).eval()
    clips = torch.randn(2, C, 3, 9, 11)
    expected = torch.stack([hourglass(clips[:, :, t]) for t in range(3)], dim=2)
    torch.testing.assert_close(hourglass(clips), expected)


def test_attention_after_each_upsampling_but_the_last():
    sam = dict(type='mmattn.SpatialAttentionI')
    hourglass = Hourglass(C, 3, attention=sam).eval()
    assert len(hourglass.attention) == 2
    with capture_attention(hourglass) as records:
        hourglass(torch.randn(2, C, 3, 25, 12))
    shapes = {r.name: tuple(r.map.shape) for r in records}
    assert shapes == {
        'attention.1.spatial_gate': (2, 3, 6, 3),
        'attention.0.spatial_gate': (2, 3, 12, 6),
    }
    assert not Hourglass(C, 1, attention=sam).attention
    inflated = Hourglass(C, 2, attention=sam, inflate=True).eval()
    with capture_attention(inflated) as records:
        inflated(torch.randn(1, C, 5, 9, 12))
    assert records[0].map.shape == (1, 2, 4, 6)


def test_every_parameter_learns_and_the_input_stays():
    hourglass, x = Hourglass(C, 2, structure='shn'), torch.randn(3, C, 7, 9)
    kept = x.clone()
    hourglass(x).square().sum().backward()
    assert torch.equal(x, kept)
    assert all(p.grad.abs().max() > 0 for p in hourglass.parameters())


@pytest.mark.parametrize(
    'options, message',
    [
        ({'t': 0}, 't: expected int at least 1, got 0'),
        ({'structure': 'unet'}, "structure: expected one of .*'unet'"),
        ({'pool_kernel': 4}, r'pool_kernel: expected one of \(2, 3\), got 4'),
        (
            {
                't': 2,
                'attention': dict(type='mmattn.SpatialAttentionII', in_channels=9),
            },
            'attention.in_channels: expected 4, .*, got 9',
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        Hourglass(C, **options)


def test_maps_that_are_too_small():
    with pytest.raises(
        ValueError, match='at least 8 along each of H x W for t = 3, got 7 x 9'
    ):
        Hourglass(C, 3)(torch.ones(2, C, 7, 9))
    with pytest.raises(ValueError, match='each of T x H x W for t = 1, got 1 x 7 x 9'):
        Hourglass(C, inflate=True)(torch.ones(2, C, 1, 7, 9))
