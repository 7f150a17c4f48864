"""Frames as clips and back, and telling modules how long a clip is."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmattn.models.layers import STBTA, Hourglass, TemporalAttention
from mmattn.models.layers.clips import (
    ClipModule,
    fold_frames,
    keep_layout,
    tell_num_segments,
    unfold_clips,
)


def test_frame_index_is_fastest():
    frames = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 2, 5, 7)
    clips = unfold_clips(frames, 3)
    assert clips.shape == (2, 2, 3, 5, 7)
    assert clips[:, 0, :, 0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert torch.equal(fold_frames(clips), frames)


@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last]
)
def test_nothing_is_copied(memory_format):
    frames = torch.randn(6, 2, 5, 7).contiguous(memory_format=memory_format)
    folded = fold_frames(unfold_clips(frames, 3))
    assert folded.data_ptr() == frames.data_ptr()
    assert folded.stride() == frames.stride()


def test_gradient_has_the_layout():
    """And the values of the gradient that the module got."""
    x = torch.randn(2, 5, 7, 9).contiguous(memory_format=torch.channels_last)
    leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
    gradients = []
    leaf.register_hook(gradients.append)
    grad = torch.randn(2, 5, 7, 9)
    y = keep_layout(leaf)
    assert y.data_ptr() == leaf.data_ptr()
    y.backward(grad)
    assert gradients[0].stride() == x.stride() != grad.stride()
    assert torch.equal(gradients[0], grad)


def test_derivatives_of_gradients_in_a_layout():
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: keep_layout(x).pow(3), (x,))
    x = x.detach()
    found = torch.func.hessian(lambda x: keep_layout(x).pow(3).sum())(x)
    torch.testing.assert_close(found.flatten(), torch.diag(6 * x.flatten()).flatten())
    found = torch.func.vmap(torch.func.grad(lambda x: keep_layout(x).pow(2).sum()))(x)
    torch.testing.assert_close(found, 2 * x)


def test_all_modules_are_told_others_are_not():
    model = nn.Sequential(STBTA(2), TemporalAttention(), nn.Linear(2, 2))
    model[2].num_segments = 8  # as in the host's TSM
    tell_num_segments(model, 5)
    told = [m.num_segments for m in model.modules() if isinstance(m, ClipModule)]
    assert told == [5] * 5
    assert model[2].num_segments == 8


def test_recomputed_in_the_backward_pass():
    tam, x = TemporalAttention(), torch.randn(6, 2, 5, 7)
    tell_num_segments(tam, 3)
    tam(x).square().sum().backward()
    expected = tam.conv.weight.grad.clone()
    tam.zero_grad()
    checkpoint(tam, x, use_reentrant=False).square().sum().backward()
    torch.testing.assert_close(tam.conv.weight.grad, expected)
    assert expected.any()


@pytest.mark.parametrize(
    'module',
    [
        TemporalAttention(),
        STBTA(2),
        Hourglass(2, inflate=True),
        STBTA(2, temporal_attention='none', hourglass=dict(inflate=True)),
    ],
)
def test_frames_of_which_nobody_says_what_clips_they_are(module):
    frames = torch.randn(6, 2, 5, 7)
    kind = type(module).__name__
    with pytest.raises(
        ValueError,
        match=rf'of the 6 frames .*{kind} .*SegmentRecognizer.* num_segments=1',
    ):
        module(frames)
    module.num_segments = 2
    assert module.eval()(frames).shape == frames.shape


def test_modules_that_look_at_each_frame_alone_need_not_know():
    alone = STBTA(2, temporal_attention='none').eval()
    frames = torch.randn(6, 2, 5, 7)
    expected = torch.cat([alone(frame[None]) for frame in frames])
    torch.testing.assert_close(alone(frames), expected)
    assert not Hourglass(2).looks_across_frames()


@pytest.mark.parametrize('shape', [(0, 2, 5, 7), (1, 2, 0, 5, 7), (2, 5, 7)])
def test_no_frames(shape):
    with pytest.raises(ValueError, match=r'map: expected .* one or more, got \('):
        STBTA(2, num_segments=1)(torch.ones(shape))


def test_wrong_number_of_frames():
    with pytest.raises(
        ValueError, match=r'expected a divisor of the 7 frames .*, got 3'
    ):
        unfold_clips(torch.ones(7, 2, 5, 7), 3)
