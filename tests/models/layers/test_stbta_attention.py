"""SAM-I, SAM-II and TAM: values, limits, what depends on what, maps, errors."""

import numpy as np
import pytest
import torch
from reference import stbta as literal
from torch import nn

from mmattn.attention.capture import attention_rows, capture_attention
from mmattn.models.layers import (
    SpatialAttentionI,
    SpatialAttentionII,
    TemporalAttention,
)

B, C, T, H, W = 2, 5, 3, 6, 9
PARTS = {
    'sam1': SpatialAttentionI,
    'sam2': lambda **options: SpatialAttentionII(C, **options),
    'tam': TemporalAttention,
}


def clips(*shape):
    return torch.randn(shape or (B, C, T, H, W), dtype=torch.float64)


def per_frame(function, x):
    """Apply a function of frames (C, H, W), which returns (map, output)."""
    rows = [[function(clip[:, t]) for t in range(x.shape[2])] for clip in x.numpy()]
    maps = np.array([[pair[0] for pair in row] for row in rows])
    outs = np.array([[pair[1] for pair in row] for row in rows])
    return torch.from_numpy(maps), torch.from_numpy(outs).transpose(1, 2)


def check(module, expected_maps, expected, x, name, axes):
    with capture_attention(module) as records:
        y = module(x)
    assert torch.equal(y, module(x))  # a capture changes nothing
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)
    (record,) = records
    assert (record.name, record.axes) == (name, ('row', 'frame', *axes))
    torch.testing.assert_close(record.map, expected_maps, rtol=1e-9, atol=1e-9)
    assert expected_maps.std() > 1e-4


@pytest.mark.parametrize('pool', ['avg+max', 'max', 'avg', 'concat'])
@pytest.mark.parametrize('kernel_size', [3, 7])
def test_values_of_sam1(pool, kernel_size):
    sam, x = SpatialAttentionI(kernel_size, pool=pool), clips()
    p = literal.random_weights(sam)
    gates, y = per_frame(lambda f: literal.sam1(p, '', f, pool), x)
    check(sam, gates, y, x, 'spatial_gate', ('y', 'x'))


@pytest.mark.parametrize(
    'options, arguments',
    [
        ({}, {}),
        ({'grid': 2, 'softmax_over': 'channels'}, {'N': 2, 'over': 'channels'}),
        ({'softmax_over': 'all'}, {'over': 'all'}),
        ({'residual': False, 'pointwise': True}, {'residual': False}),
        ({'rescale': True}, {'rescale': True}),
    ],
)
def test_values_of_sam2(options, arguments):
    sam, x = SpatialAttentionII(C, **options), clips(B, C, T, H, 12)
    p = literal.random_weights(sam)
    cells, y = per_frame(lambda f: literal.sam2(p, '', f, **arguments), x)
    check(sam, cells, y, x, 'cell_weights', ('channel', 'cell_y', 'cell_x'))


@pytest.mark.parametrize('residual', [False, True])
@pytest.mark.parametrize('T', [1, 2, 5])
def test_values_of_tam(T, residual):
    tam, x = TemporalAttention(residual=residual), clips(B, C, T, H, W)
    p = literal.random_weights(tam)
    pairs = [literal.tam(p, '', clip, residual) for clip in x.numpy()]
    gates, y = (torch.from_numpy(np.stack(z)) for z in zip(*pairs, strict=True))
    check(tam, gates, y, x, 'frame_gates', ())


def test_values_of_tam_with_a_gate_per_pixel():
    tam, x = TemporalAttention(mode='st'), clips()
    p = literal.random_weights(tam)
    pairs = [literal.tam_st(p, '', clip) for clip in x.numpy()]
    gates, y = (torch.from_numpy(np.stack(z)) for z in zip(*pairs, strict=True))
    check(tam, gates, y, x, 'spatial_temporal_gates', ('y', 'x'))


@pytest.mark.parametrize(
    'name, factor', [('sam1', 1.5), ('sam2', 1 + 1 / 9), ('tam', 0.5)]
)
def test_zero_weights(name, factor):
    module, x = PARTS[name](), torch.randn(B, C, T, 7, 11)
    for p in module.parameters():
        nn.init.zeros_(p)
    torch.testing.assert_close(module(x), x * factor)


def test_sam1_has_one_gate_for_all_channels():
    x = clips()
    gate = SpatialAttentionI().double()(x) / x - 1
    assert gate.min() > 0
    assert gate.max() < 1
    torch.testing.assert_close(gate, gate[:, :1].expand_as(gate))
    assert gate[:, 0].std(dim=(2, 3)).min() > 1e-3


def test_sam2_has_one_coefficient_per_cell_and_channel():
    sam, x = SpatialAttentionII(C).double(), clips()
    S = sam(x) / x - 1
    cells = S.unflatten(-1, (3, 3)).unflatten(-3, (3, 2))  # (.., 3, 2, 3, 3)
    torch.testing.assert_close(cells, cells[..., :1, :, :1].expand_as(cells))
    weights = cells[..., 0, :, 0]
    assert weights.min() > 0
    ones = torch.ones(B, C, T, dtype=torch.float64)
    torch.testing.assert_close(weights.sum(dim=(-2, -1)), ones)
    other = x.clone()
    other[:, 2] += 1 + torch.rand_like(x[:, 2])
    changed = (sam(other) != sam(x)).any(dim=(0, 2, 3, 4))
    assert changed.tolist() == [False, False, True, False, False]


def test_bilinear_coefficients_vary_inside_a_cell():
    sam, x = SpatialAttentionII(C, resize='bilinear').double(), clips()
    nearest = SpatialAttentionII(C).double()
    nearest.load_state_dict(sam.state_dict())
    S, cells = sam(x) / x - 1, nearest(x) / x - 1
    # 9 pixels for 3 cells: the middle of a cell is exactly its center.
    center, expected = S[..., 1::3], cells[..., 1::3]
    at = torch.tensor([0, 5])  # beyond the outermost centers along the height
    torch.testing.assert_close(center[..., at, :], expected[..., at, :])
    assert not torch.allclose(S[..., 0], S[..., 2])


@pytest.mark.parametrize('size', [(2, 2), (4, 5), (7, 11), (25, 25)])
def test_sam2_where_cells_do_not_divide_the_map(size):
    x = torch.rand(2, C, *size) + 0.1
    S = SpatialAttentionII(C)(x) / x - 1
    assert S.shape == x.shape
    assert S.min() > 0
    assert S.max() < 1


def test_tam_depends_on_maxima_of_neighboring_frames():
    tam, x = TemporalAttention().double(), clips(B, C, 7, H, W)

    def gates(x):
        return tam(x) / x

    g = gates(x)
    assert g.min() > 0
    assert g.max() < 1
    torch.testing.assert_close(g, g[:, :1, :, :1, :1].expand_as(g))
    gate = g[:, 0, :, 0, 0]
    for t in range(7):  # raise a maximum
        other = x.clone()
        other[1, :, t] += 1
        changed = ~torch.isclose(gates(other)[:, 0, :, 0, 0], gate)
        near = [abs(s - t) <= 1 for s in range(7)]
        assert changed.tolist() == [[False] * 7, near]
    below = x.clone()
    below[x < x.amax(dim=(3, 4), keepdim=True)] -= 1
    torch.testing.assert_close(gates(below)[:, 0, :, 0, 0], gate)
    pixels = x.flatten(-2)[..., torch.randperm(H * W)].view_as(x)
    torch.testing.assert_close(gates(pixels)[:, 0, :, 0, 0], gate)
    torch.testing.assert_close(gates(x.flip(1))[:, 0, :, 0, 0], gate)


def test_one_frame_meets_the_center_of_the_kernel():
    tam = TemporalAttention(num_segments=1).double()
    x = clips(5, C, H, W)
    z = x.amax(dim=(2, 3)).mean(dim=1)
    gate = torch.sigmoid(tam.conv.weight[0, 0, 1] * z + tam.conv.bias)
    torch.testing.assert_close(tam(x), x * gate[:, None, None, None])


@pytest.mark.parametrize('name', PARTS)
def test_frames_are_clips_with_the_frame_index_fastest(name):
    x = torch.randn(B, C, T, H, W)
    frames = torch.stack([x[b, :, t] for b in range(B) for t in range(T)])
    module = PARTS[name](num_segments=T)
    expected = module(x)
    got = module(frames).view(B, T, C, H, W).transpose(1, 2)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(module(x[1:]), expected[1:])  # videos apart


@pytest.mark.parametrize('name', PARTS)
@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last]
)
def test_memory_format_is_kept(name, memory_format):
    frames = torch.randn(6, C, 7, 11).contiguous(memory_format=memory_format)
    y = PARTS[name](num_segments=3)(frames)
    assert y.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize(
    'make',
    [
        SpatialAttentionI,
        lambda: SpatialAttentionII(C, pointwise=True),
        TemporalAttention,
        lambda: TemporalAttention(mode='st'),
    ],
)
def test_gradients(make):
    module, x = make().double(), clips(1, C, 2, 4, 3).requires_grad_()
    module(x).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in module.parameters())
    assert torch.autograd.gradcheck(module, x)


def test_maps_of_frames_know_their_video_crop_and_numbers():
    rows = dict(
        sample=[0, 0, 0, 0, 1, 1, 1, 1],
        crop=[0, 0, 1, 1, 0, 0, 1, 1],
        frames=[[5], [9], [5], [9], [2], [3], [2], [3]],
    )
    modules = nn.ModuleList(PARTS[name](num_segments=2) for name in PARTS)
    with capture_attention(modules) as records, attention_rows(**rows):
        for module in modules:
            module(torch.ones(8, C, H, W))
    assert [r.map.shape[:2] for r in records] == [(4, 2)] * 3
    for record in records:
        assert record.sample == (0, 0, 1, 1)
        assert record.crop == (0, 1, 0, 1)
        assert record.frames.tolist() == [[5, 9], [5, 9], [2, 3], [2, 3]]


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: SpatialAttentionI(4), 'kernel_size: .* above 0 and odd, got 4'),
        (lambda: SpatialAttentionI(pool='sum'), "pool: expected one of .*'sum'"),
        (lambda: SpatialAttentionII(C, 0), 'grid: expected int at least 1, got 0'),
        (
            lambda: SpatialAttentionII(C, softmax_over='x'),
            "softmax_over: expected one of .*'x'",
        ),
        (lambda: SpatialAttentionII(C, resize='x'), "resize: expected one of .*'x'"),
        (lambda: TemporalAttention(0), 'kernel_size: .* above 0 and odd, got 0'),
        (lambda: TemporalAttention(mode='x'), "mode: expected one of .*'x'"),
        (
            lambda: TemporalAttention(num_segments=0),
            'num_segments: expected int at least 1 or None, got 0',
        ),
    ],
)
def test_wrong_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize('name', PARTS)
def test_wrong_maps(name):
    module = PARTS[name](num_segments=3)
    with pytest.raises(ValueError, match='num_segments: expected a divisor of the 8 '):
        module(torch.ones(8, C, H, W))
    with pytest.raises(ValueError, match=r'map: expected frames .*, got \(2, 5, 7\)'):
        module(torch.ones(2, C, 7))
