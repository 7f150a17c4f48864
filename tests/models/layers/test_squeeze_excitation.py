"""Squeeze-and-excitation: values, frames apart, limits, maps handed out."""

import math

import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS

from mmattn.attention.capture import attention_rows, capture_attention
from mmattn.models.layers import SqueezeExcitation

N, C, T, H, W = 2, 35, 3, 5, 7


def literal(p, frame):
    """Eq. (2)-(4), one channel at a time; ``frame`` is (C, H, W)."""
    z = [sum(sum(row) for row in channel) / (H * W) for channel in frame]
    hidden = [
        max(0.0, sum(w * z_c for w, z_c in zip(row, z, strict=True)) + b)
        for row, b in zip(p['fc1.weight'], p['fc1.bias'], strict=True)
    ]
    return [
        1 / (1 + math.exp(-sum(w * h for w, h in zip(row, hidden, strict=True)) - b))
        for row, b in zip(p['fc2.weight'], p['fc2.bias'], strict=True)
    ]


@pytest.mark.parametrize('shape', [(N, C, H, W), (N, C, T, H, W)])
def test_values_and_maps(shape):
    se = SqueezeExcitation(C).double()
    assert se.fc1.out_features == 2  # 35 / 16
    x = torch.randn(shape, dtype=torch.float64)
    p = {name: value.tolist() for name, value in se.state_dict().items()}
    frames = x.view(N, C, -1, H, W).transpose(1, 2).flatten(0, 1)
    rows = [literal(p, f.tolist()) for f in frames]  # N or N * T rows of C
    expected = torch.tensor(rows, dtype=torch.float64)
    with capture_attention(se) as records:
        y = se(x)
    scaled = frames * expected[:, :, None, None]
    scaled = scaled.view(N, -1, C, H, W).transpose(1, 2).reshape(shape)
    torch.testing.assert_close(y, scaled, rtol=1e-9, atol=1e-9)
    (record,) = records
    assert record.name == 'channel_weights'
    torch.testing.assert_close(record.map.view(-1, C), expected, rtol=1e-9, atol=1e-9)
    assert expected.std() > 0.01


def test_clip_weights_have_the_frames_of_their_rows():
    se = SqueezeExcitation(C)
    with capture_attention(se) as records, attention_rows(frames=[[4, 6, 8]] * N):
        se(torch.randn(N, C, T, H, W))
    assert records[0].axes == ('row', 'frame', 'channel')
    assert records[0].frames.tolist() == [[4, 6, 8]] * N


def test_frames_do_not_see_each_other():
    se, x = SqueezeExcitation(C), torch.randn(N, C, T, H, W)
    permuted = se(x[:, :, [2, 0, 1]])
    torch.testing.assert_close(permuted, se(x)[:, :, [2, 0, 1]])
    torch.testing.assert_close(se(x)[:, :, 1], se(x[:, :, 1]))


def test_zero_weights_halve_the_map():
    se, x = SqueezeExcitation(C, 1), torch.randn(N, C, H, W)
    for p in se.parameters():
        torch.nn.init.zeros_(p)
    torch.testing.assert_close(se(x), x / 2)


def test_every_parameter_learns():
    se = SqueezeExcitation(C, 4)
    torch.nn.init.ones_(se.fc1.bias)
    se(torch.randn(N, C, H, W)).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in se.parameters())


def test_narrow_maps_keep_one_hidden_channel():
    assert SqueezeExcitation(5).fc1.out_features == 1


def test_builds_by_name_bf16_and_one_graph():
    se = HOST_MODELS.build(dict(type='mmattn.SqueezeExcitation', in_channels=C))
    x = torch.randn(N, C, T, H, W)
    with torch.autocast('cpu', torch.bfloat16):
        assert se(x).isfinite().all()
    compiled = torch.compile(se, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), se(x))


def test_wrong_options_and_maps():
    with pytest.raises(ValueError, match='reduction: expected int at least 1, got 0'):
        SqueezeExcitation(C, 0)
    se = SqueezeExcitation(C)
    for shape in ((N, C + 1, H, W), (N, H, C)):
        with pytest.raises(ValueError, match=rf'expected \(N, {C}, H, W\) .*, got '):
            se(torch.ones(shape))
