"""Reductions of frames to one map."""

import pytest
import torch

from mmattn.models.necks import FrameMean, FrameReduction
from mmattn.registry import MODELS

V, K, C, H, W = 3, 5, 7, 2, 11


def test_mean_of_the_frames_of_each_view():
    low, top = torch.randn(V * K, 2, 13, 17), torch.randn(V * K, C, H, W).double()
    expected = torch.stack(
        [sum(top[v * K + k] for k in range(K)) / K for v in range(V)]
    )
    got, losses = MODELS.build(dict(type='mmattn.FrameMean'))((low, top), K)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    assert losses == {}


def test_order_of_frames_does_not_matter_but_their_view_does():
    top = torch.randn(V * K, C, H, W)
    order = torch.randperm(K)
    mixed = top.view(V, K, C, H, W)[:, order].reshape_as(top)
    expected = FrameMean()((top,), K)[0]
    torch.testing.assert_close(FrameMean()((mixed,), K)[0], expected)
    rolled = FrameMean()((top.roll(K, dims=0),), K)[0]
    torch.testing.assert_close(rolled, expected.roll(1, dims=0))
    assert not torch.allclose(FrameMean()((top.roll(1, dims=0),), K)[0], expected)


def test_one_frame_is_returned_as_it_is():
    top = torch.randn(V, C, H, W)
    assert torch.equal(FrameMean()((top,), 1)[0], top)


def test_maps_wait_as_they_are():
    taps = torch.randn(V, 2, 13, 17), torch.randn(V, C, H, W)
    assert FrameMean().compact(taps) is taps


def test_the_protocol_has_to_be_implemented():
    with pytest.raises(TypeError, match=r'abstract method.* forward'):
        FrameReduction()
