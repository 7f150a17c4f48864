from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmattn.registry import HOOKS


@pytest.mark.parametrize(
    ('conv', 'size', 'layout'),
    [
        (nn.Conv2d, (3, 16, 29, 31), torch.channels_last),
        (nn.Conv3d, (3, 16, 11, 29, 31), torch.channels_last_3d),
    ],
)
def test_maps_are_channels_last_and_the_same(conv, size, layout):
    model = nn.Sequential(conv(16, 32, 3), nn.ReLU(), conv(32, 32, 3))
    x = torch.rand(size)
    expected = model(x)
    weights = list(model.parameters())
    HOOKS.build(dict(type='mmattn.ChannelsLastHook')).before_run(
        SimpleNamespace(model=model)
    )
    y = model(x)
    assert not expected.is_contiguous(memory_format=layout)
    assert y.is_contiguous(memory_format=layout)
    torch.testing.assert_close(y, expected)
    assert all(a is b for a, b in zip(weights, model.parameters(), strict=True))
