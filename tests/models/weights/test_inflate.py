"""Inflation of 2D kernels."""

import pytest
import torch
from torch.nn import functional as F

from mmattn.models.weights.inflate import inflate_like, inflate_weight


@pytest.mark.parametrize('kernel_t', [1, 3, 4])
def test_every_time_step_has_its_share(kernel_t):
    weight = torch.randn(5, 3, 2, 7)
    inflated = inflate_weight(weight, kernel_t)
    assert inflated.shape == (5, 3, kernel_t, 2, 7)
    for t in range(kernel_t):
        assert torch.equal(inflated[:, :, t], weight / kernel_t)


def test_a_repeated_frame_gives_what_the_frame_gives():
    weight, frame = torch.randn(5, 3, 3, 3).double(), torch.randn(2, 3, 7, 11).double()
    clip = frame.unsqueeze(2).expand(-1, -1, 6, -1, -1)
    got = F.conv3d(clip, inflate_weight(weight, 4))
    expected = F.conv2d(frame, weight)
    assert got.shape[2] == 3
    for t in range(3):
        torch.testing.assert_close(got[:, :, t], expected)


def test_only_kernels_are_inflated():
    scale = torch.randn(5)
    assert inflate_like(scale, torch.ones(5)) is scale
    assert inflate_like(torch.ones(5, 3, 1, 1), torch.ones(5, 3, 2, 1, 1)).sum() == 15


def test_3d_kernels():
    with pytest.raises(ValueError, match=r'2D kernels .*, got \(5, 3, 1, 1, 1\)'):
        inflate_weight(torch.ones(5, 3, 1, 1, 1), 3)
