"""SAME padding: sizes, values and the border that only TensorFlow's rule gives."""

import pytest
import torch
from torch.nn import functional as F

from mmattn.models.layers.same_padding import SameConv3d, SameMaxPool3d, same_padding

SIZES = [(1, 1, 1), (2, 3, 4), (7, 8, 9), (8, 9, 16), (11, 13, 5)]
KERNELS = [
    ((7, 7, 7), (2, 2, 2)),
    ((1, 3, 3), (1, 2, 2)),
    ((3, 3, 3), (1, 1, 1)),
    ((3, 3, 3), (2, 2, 2)),
    ((2, 2, 2), (2, 2, 2)),
    ((1, 1, 1), (2, 2, 2)),
]


@pytest.mark.parametrize(
    'size, kernel, stride, expected',
    [
        (8, 7, 2, (2, 3)),
        (9, 7, 2, (3, 3)),
        (8, 3, 2, (0, 1)),
        (9, 3, 2, (1, 1)),
        (5, 3, 1, (1, 1)),
        (7, 2, 2, (0, 1)),
        (8, 2, 2, (0, 0)),
        (5, 1, 3, (0, 0)),
    ],
)
def test_padding(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def padded(x, kernel, stride, value):
    """Window by window: the last one ends at or behind the last position."""
    pads = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        windows = (size + s - 1) // s
        missing = max((windows - 1) * s + k - size, 0)
        pads = [missing // 2, missing - missing // 2, *pads]
    return F.pad(x, pads, value=value)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kernel, stride', KERNELS)
def test_convolution(size, kernel, stride):
    conv = SameConv3d(2, 3, kernel_size=kernel, stride=stride, bias=True).double()
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    expected = F.conv3d(padded(x, kernel, stride, 0), conv.weight, conv.bias, stride)
    torch.testing.assert_close(conv(x), expected)
    out = [-(-n // s) for n, s in zip(size, stride, strict=True)]
    assert list(expected.shape) == [2, 3, *out]


def test_a_convolution_keeps_the_size_by_default():
    conv = SameConv3d(2, 3, kernel_size=(3, 4, 5)).double()
    x = torch.randn(2, 2, 7, 8, 9, dtype=torch.float64)
    expected = F.conv3d(padded(x, (3, 4, 5), (1, 1, 1), 0), conv.weight)
    torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kernel, stride', KERNELS)
def test_pool_of_negative_values(size, kernel, stride):
    """Zeros at the border would win."""
    x = -1 - torch.rand(2, 3, *size)
    expected = F.max_pool3d(padded(x, kernel, stride, -torch.inf), kernel, stride)
    assert torch.equal(SameMaxPool3d(kernel, stride)(x), expected)


def test_symmetric_padding_copies_nothing(monkeypatch):
    conv = SameConv3d(2, 2, kernel_size=(3, 3, 3))
    pool = SameMaxPool3d((2, 2, 2), (2, 2, 2))
    monkeypatch.setattr(F, 'pad', lambda *args: pytest.fail('padded'))
    assert pool(conv(torch.ones(1, 2, 5, 6, 7))).shape == (1, 2, 3, 3, 4)


def test_even_windows_at_every_position():
    with pytest.raises(ValueError, match=r'kernel_size: expected odd .*, got \(1, 2'):
        SameMaxPool3d((1, 2, 3), (1, 1, 2))
