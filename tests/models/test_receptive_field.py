"""Receptive fields by hand, and by what a change of one pixel changes."""

import pytest
import torch
from mmengine.config import ConfigDict
from torch import nn
from torch.nn import functional as F

from mmattn.models.receptive_field import (
    ReceptiveField,
    ReceptiveFields,
    receptive_field,
)
from mmattn.registry import MODELS


def field_of(net, size=64):
    frames = torch.ones(1, 3, size, size)
    with torch.no_grad(), ReceptiveFields(frames):
        return receptive_field(net(frames))


def test_a_small_net_by_hand():
    """First pixel, size and stride after each layer.

    3 x 3, stride 2, padding 1: -1, 3, 2.  Pool 3 x 3, stride 2: -1, 3 + 2 * 2 = 7, 4.
    5 x 5, padding 2: -1 - 2 * 4 = -9, 7 + 4 * 4 = 23, 4.  3 x 3 of dilation 2:
    -9, 23 + 2 * 2 * 4 = 39, 4.
    """
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Conv2d(4, 4, 3, dilation=2),
    ).eval()
    expected = [
        (-1, 3, 2),
        (-1, 3, 2),
        (-1, 3, 2),
        (-1, 7, 4),
        (-9, 23, 4),
        (-9, 39, 4),
    ]
    for layers, (first, size, stride) in enumerate(expected, 1):
        found = field_of(net[:layers])
        assert found == ReceptiveField((first,) * 2, (size,) * 2, (stride,) * 2)
    # Pixels -9 + 4 * 3 = 3 to 41 of position 3: the center is at 22.5.
    assert found.center(0, 3) == (10.5, 22.5)
    assert found.box(0, 3) == (3, -9, 42, 30)


def test_height_and_width_padding_and_branches():
    def net(x):
        x = F.pad(x, (2, 0, 1, 0))  # left, right, top, bottom
        wide = F.conv2d(x, torch.ones(1, 3, 1, 5), stride=(1, 2), padding=(0, 2))
        small = F.avg_pool2d(x[:, :1], kernel_size=(1, 2), stride=(1, 2))
        gate = x.mean(dim=(2, 3), keepdim=True)[:, :1]
        return torch.cat([wide[..., :33], small * gate], dim=1)

    # Wide: x from -2 - 2 = -4, 5 pixels; small: from -2, 2 pixels: -4 to 0.
    assert field_of(net) == ReceptiveField((-1, -4), (1, 5), (1, 2))


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv3'),
        dict(type='mmattn.BNInception', out='inception_3b'),
    ],
)
def test_what_a_pixel_changes(cfg):
    """With positive weights, a position changes if and only if it sees the pixel."""
    net = MODELS.build(ConfigDict(cfg)).double().eval()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.01)
    field = field_of(net.float())
    net.double()
    size = 160
    frames = torch.rand(1, 3, size, size, dtype=torch.float64) + 1
    with torch.no_grad():
        plain = net(frames)
        y, x = (n // 2 for n in plain.shape[-2:])
        left, top, right, bottom = field.box(y, x)
        assert min(left, top) > 0
        assert max(right, bottom) < size
        for row, column, inside in [
            (top, left, True),
            (bottom - 1, right - 1, True),
            (top - 1, left, False),
            (top, left - 1, False),
            (bottom, right - 1, False),
            (bottom - 1, right, False),
        ]:
            changed = frames.clone()
            changed[..., row, column] += 1e6
            differs = (net(changed) != plain).any(dim=1)[0, y, x]
            assert differs.item() is inside


def test_no_places():
    with pytest.raises(ValueError, match=r'expected a map of places .* \(1, 3\)'):
        field_of(lambda x: x.mean(dim=(2, 3)))

    def fast_and_slow(x):
        slow = F.conv2d(x, torch.ones(1, 3, 1, 1), stride=2)
        fast = F.conv2d(x, torch.ones(1, 3, 33, 33))
        return torch.cat([slow, fast], dim=1)

    with pytest.raises(ValueError, match='expected maps of one stride to be joined'):
        field_of(fast_and_slow)
    with pytest.raises(ValueError, match="padding: expected numbers, got 'same'"):
        field_of(lambda x: F.conv2d(x, torch.ones(1, 3, 3, 3), padding='same'))
