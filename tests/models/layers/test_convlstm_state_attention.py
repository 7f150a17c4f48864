"""ConvAttention, DenseAttention, PixelMeanAttention, ChannelAttention alone."""

import pytest
import torch
from torch import nn

from mmattn.models.layers.convlstm_state_attention import (
    ChannelAttention,
    ConvAttention,
    DenseAttention,
    PixelMeanAttention,
    UniformAttention,
)

C, H, SIZE = 5, 3, (7, 2)


def weights_of(attention, frames, state):
    return attention(attention.frame_part(frames), state)


@pytest.mark.parametrize(
    'make, shape',
    [
        (lambda: ConvAttention(C, H, channels=11), (2, 1, *SIZE)),
        (lambda: DenseAttention(C, H, feature_size=SIZE), (2, 1, *SIZE)),
        (lambda: PixelMeanAttention(C, H), (2, 1, *SIZE)),
        (lambda: ChannelAttention(C, H), (2, C, 1, 1)),
    ],
    ids=['conv', 'dense', 'pixel_mean', 'channel'],
)
def test_zero_weights_leave_what_the_frame_says(make, shape):
    attention, frames = make(), torch.randn(2, C, *SIZE)
    for weight in attention.parameters():
        nn.init.zeros_(weight)
    got = weights_of(attention, frames, torch.randn(2, H, *SIZE))
    assert got.shape == shape
    expected = torch.zeros(shape)  # the first two readings have no other part
    if isinstance(attention, PixelMeanAttention):
        expected = frames.mean(dim=1, keepdim=True)
    if isinstance(attention, ChannelAttention):
        expected = frames.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(got.flatten(1), expected.flatten(1).softmax(dim=1))


def test_a_large_context_wins():
    attention = ChannelAttention(C, H)
    nn.init.zeros_(attention.context.weight)
    with torch.no_grad():
        attention.context.bias.copy_(torch.tensor([0.0, 0, 99, 0, 0]))
    got = weights_of(attention, torch.rand(1, C, *SIZE), torch.zeros(1, H, *SIZE))
    torch.testing.assert_close(got[0, :, 0, 0], torch.eye(C)[2])


def test_dense_layer_knows_its_size():
    attention = DenseAttention(C, H, feature_size=SIZE)
    with pytest.raises(ValueError, match=r'expected maps of \(7, 2\), got \(2, 7\)'):
        attention.frame_part(torch.zeros(1, C, 2, 7))


def test_without_attention_all_pixels_weigh_the_same():
    attention, frames = UniformAttention(), torch.randn(2, C, *SIZE)
    got = weights_of(attention, frames, torch.randn(2, H, *SIZE))
    torch.testing.assert_close(got, torch.full((2, 1, *SIZE), 1 / 14))
    assert not list(attention.parameters())
