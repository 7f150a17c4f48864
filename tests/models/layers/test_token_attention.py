"""Tokens as maps for attention modules."""

import pytest
import torch
from torch import nn

from mmattn.models.layers import TokenAttention
from mmattn.registry import MODELS

T, H, W, C, N = 2, 3, 5, 7, 2


@MODELS.register_module()
class AddPlaces(nn.Module):
    """Adds t, y and x to the first three channels."""

    def forward(self, x):
        grid = torch.meshgrid(*map(torch.arange, x.shape[2:]), indexing='ij')
        x = x.clone()
        x[:, :3] += torch.stack(grid)
        return x


def where(order, class_tokens):
    """Channels 0 to 2 of the tokens of a map of zeros: their t, y and x."""
    module = TokenAttention(
        C,
        dict(type='mmattn.AddPlaces'),
        grid=(T, H, W),
        class_tokens=class_tokens,
        order=order,
    )
    count = class_tokens + T * H * W
    return module(torch.zeros(N, count, C))[..., :3]


def test_frame_by_frame():
    found = where('time first', 1)
    assert found[:, 0].abs().sum() == 0  # the class token
    places = [[t, y, x] for t in range(T) for y in range(H) for x in range(W)]
    assert found[1, 1:].tolist() == places


def test_place_by_place():
    places = [[t, y, x] for y in range(H) for x in range(W) for t in range(T)]
    assert where('time last', 0)[1].tolist() == places


def test_refusals():
    gate = dict(type='mmattn.SqueezeExcitation')
    module = TokenAttention(C, gate, grid=(T, H, W))
    with pytest.raises(ValueError, match=r'expected \(N, 30, 7\) for a grid of'):
        module(torch.zeros(N, 29, C))
    for options, match in (
        (dict(grid=(2, 3)), r'grid: expected tuple of 3 .*, got \(2, 3\)'),
        (dict(grid=(2, 3, 5), class_tokens=-1), 'class_tokens: .* at least 0'),
        (dict(grid=(2, 3, 5), order='odd'), 'order: expected one of'),
    ):
        with pytest.raises((TypeError, ValueError), match=match):
            TokenAttention(C, gate, **options)
