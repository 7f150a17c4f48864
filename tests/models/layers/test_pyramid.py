"""Pyramid attention: equations, limits and symmetries."""

import math

import numpy as np
import pytest
import torch
from reference import pyramid
from torch import nn

from mmattn.attention.capture import capture_attention
from mmattn.models.layers.pyramid import (
    PyramidAttention,
    attend_positions,
    downsample,
    fuse_scales,
    join_frames,
)

B, K = 2, 3
CHANNELS, SIZE = (3, 7, 5), (2, 3)
SIZES = {'adaptive': ((13, 11), (5, 7), SIZE)}
SIZES['cascade2'] = ((11, 15), (5, 7), SIZE)
SIZES['cascade3'] = ((11, 15), (5, 7), SIZE)
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}


def make(scales=3, dtype=torch.float64, **options):
    layer = PyramidAttention(CHANNELS[3 - scales :], SIZE, **options).to(dtype).eval()
    for conv in layer.scores:
        nn.init.normal_(conv.weight, std=0.4)
        nn.init.normal_(conv.bias)
    return layer


def feature_maps(scales=3, frames=K, dtype=torch.float64, pool='adaptive'):
    sizes = SIZES[pool]
    return [
        torch.randn(B * frames, CHANNELS[j], *sizes[j], dtype=dtype)
        for j in range(3 - scales, 3)
    ]


def per_video(maps, frames):
    return [[x.unflatten(0, (B, frames))[b] for x in maps] for b in range(B)]


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    'scales, options',
    [
        (1, {}),
        (2, {}),
        (3, {}),
        (3, {'fusion': 'sum'}),
        (3, {'fusion': 'max'}),
        (3, {'pool': 'cascade2'}),
        (3, {'pool': 'cascade3'}),
    ],
)
@pytest.mark.parametrize('frames', [1, K])
def test_follows_the_equations(scales, options, frames, dtype):
    layer = make(scales, dtype, **options)
    maps = feature_maps(scales, frames, dtype, options.get('pool', 'adaptive'))
    out = layer(maps, num_frames=frames)
    assert out.aggregated.shape == (B, CHANNELS[-1], *SIZE)
    tolerance = CLOSE if dtype == torch.float64 else {'rtol': 1e-4, 'atol': 1e-5}
    weights, biases = pyramid.paper_weights(layer.state_dict())
    for b, video in enumerate(per_video(maps, frames)):
        M, A, X, Y = pyramid.layer(
            weights, biases, [x.double().numpy() for x in video], **options
        )
        pairs = [(out.aggregated, M), (out.attention, A), (out.features, X.T)]
        pairs += zip(out.scores, Y, strict=True)
        for got, expected in pairs:
            torch.testing.assert_close(
                got[b].double(), torch.tensor(expected), **tolerance
            )


def test_four_scales():
    layer = PyramidAttention((2, *CHANNELS), SIZE).double()
    low = torch.randn(B * K, 2, 17, 19, dtype=torch.float64)
    maps = [low, *feature_maps()]
    weights, biases = pyramid.paper_weights(layer.state_dict())
    got = layer(maps, num_frames=K).aggregated
    for b, video in enumerate(per_video(maps, K)):
        M = pyramid.layer(weights, biases, [x.numpy() for x in video])[0]
        torch.testing.assert_close(got[b], torch.tensor(M), **CLOSE)


def test_vector_of_one_channel_positions():
    layer = PyramidAttention((11,), None).double()
    nn.init.normal_(layer.scores[0].bias)
    top = torch.randn(B * K, 11, 2, 3, dtype=torch.float64)
    out = layer([top], num_frames=K)
    assert out.aggregated.shape == (B, 11, 1, 1)
    (weight,), (bias,) = pyramid.paper_weights(layer.state_dict())
    vectors = top.mean((2, 3)).unflatten(0, (B, K)).numpy()
    for b in range(B):
        M, A, _, _ = pyramid.vector_layer(weight, bias, vectors[b])
        torch.testing.assert_close(out.aggregated[b, :, 0, 0], torch.tensor(M), **CLOSE)
        torch.testing.assert_close(out.attention[b], torch.tensor(A), **CLOSE)
    sizes = {p.numel() for p in PyramidAttention((1536,), None).parameters()}
    assert sizes == {1536}


def test_parameter_count_of_the_paper():
    layer = PyramidAttention((320, 1088, 2080), (8, 8))
    assert sum(p.numel() for p in layer.parameters()) == 223424


def test_rows_are_positive_with_unit_norm():
    A = make()(feature_maps(), num_frames=K).attention
    assert A.min() >= 0
    norms = torch.einsum('bmk,bmk->bm', A, A)
    torch.testing.assert_close(norms, torch.ones_like(norms), **CLOSE)
    assert A.sum(dim=2).max() > 1.5


def test_frame_order_only_permutes_the_attention():
    layer, maps = make(), feature_maps()
    order = [2, 0, 1]
    moved = [x.unflatten(0, (B, K))[:, order].flatten(0, 1) for x in maps]
    before, after = layer(maps, num_frames=K), layer(moved, num_frames=K)
    torch.testing.assert_close(after.aggregated, before.aggregated, **CLOSE)
    A = before.attention.unflatten(2, (K, -1))
    permuted = after.attention.unflatten(2, (K, -1))
    torch.testing.assert_close(permuted, A[:, :, order], **CLOSE)
    assert (permuted - A).abs().max() > 1e-2


@pytest.mark.parametrize('repeats', [2, 5])
def test_repeated_frames_scale_by_the_root(repeats):
    layer, maps = make(), feature_maps()
    repeated = [x.repeat_interleave(repeats, dim=0) for x in maps]
    once = layer(maps, num_frames=K).aggregated
    more = layer(repeated, num_frames=K * repeats).aggregated
    torch.testing.assert_close(more, math.sqrt(repeats) * once, **CLOSE)


def test_without_weights_all_positions_are_alike():
    layer, maps = make(), feature_maps()
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    got = layer(maps, num_frames=K).aggregated
    mean = maps[-1].unflatten(0, (B, K)).mean(dim=(1, 3, 4))
    expected = math.sqrt(K * SIZE[0] * SIZE[1]) * mean
    expected = expected[:, :, None, None].expand_as(got)
    torch.testing.assert_close(got, expected, **CLOSE)


@pytest.mark.parametrize(
    'scales, fusion, matters',
    [(1, 'mul', False), (3, 'sum', False), (3, 'mul', True), (3, 'max', True)],
)
def test_where_the_bias_matters(scales, fusion, matters):
    layer, maps = make(scales, fusion=fusion), feature_maps(scales)
    before = layer(maps, num_frames=K).aggregated
    before.square().sum().backward()
    gradient = max(conv.bias.grad.abs().max() for conv in layer.scores)
    for conv in layer.scores:
        nn.init.normal_(conv.bias)
    change = (layer(maps, num_frames=K).aggregated - before).abs().max()
    if matters:
        assert min(gradient, change) > 1e-3
    else:
        assert max(gradient, change) < 1e-9


def test_one_scale_needs_no_fusion():
    maps = feature_maps(1)
    layer = make(1)
    expected = layer(maps, num_frames=K).aggregated
    for fusion in ('sum', 'max'):
        other = make(1, fusion=fusion)
        other.load_state_dict(layer.state_dict())
        assert torch.equal(other(maps, num_frames=K).aggregated, expected)


@pytest.mark.parametrize(
    'fusion, fused', [('mul', [0, 6]), ('sum', [5, 5]), ('max', [5, 3])]
)
def test_fusion_of_two_scales(fusion, fused):
    scores = [torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[5.0, 3.0]]])]
    got = fuse_scales(scores, fusion=fusion)
    assert got.tolist() == [[fused]]
    a = np.exp(fused)
    expected = a / math.sqrt((a * a).sum())
    assert attend_positions(got)[0, 0].tolist() == pytest.approx(expected)


def test_by_hand():
    layer = PyramidAttention((1,), (2, 1)).double()
    with torch.no_grad():
        layer.scores[0].weight[:, 0, 0, 0] = torch.tensor(
            [0, math.log(3) / 2], dtype=torch.float64
        )
    X = torch.tensor([1.0, 3.0], dtype=torch.float64).view(1, 1, 2, 1)
    M = layer([X], num_frames=1).aggregated
    expected = [2 * math.sqrt(2), math.sqrt(10)]
    assert M.flatten().tolist() == pytest.approx(expected, rel=1e-12)


def test_order_of_lower_scales_is_free():
    layer, (one, two, top) = make(), feature_maps()
    other = PyramidAttention((7, 3, 5), SIZE).double()
    for ours, theirs in zip(other.scores, (1, 0, 2), strict=True):
        ours.load_state_dict(layer.scores[theirs].state_dict())
    torch.testing.assert_close(
        other([two, one, top], num_frames=K).aggregated,
        layer([one, two, top], num_frames=K).aggregated,
        **CLOSE,
    )


def test_videos_are_independent_and_input_is_kept():
    layer, maps = make(), feature_maps()
    kept = [x.clone() for x in maps]
    both = layer(maps, num_frames=K).aggregated
    alone = layer([x[K:] for x in maps], num_frames=K).aggregated
    torch.testing.assert_close(alone, both[1:], **CLOSE)
    assert all(torch.equal(x, y) for x, y in zip(maps, kept, strict=True))


@pytest.mark.parametrize('pool', ['cascade2', 'cascade3'])
def test_cascades_reach_the_sizes_of_the_paper(pool):
    for size in ((71, 71), (35, 35), (17, 17)):
        assert downsample(torch.ones(1, 1, *size), (8, 8), pool=pool).shape[-1] == 8


def test_pooling_of_powers_of_two():
    x = torch.randn(2, 3, 8, 12)
    expected = nn.functional.max_pool2d(x, 4)
    for pool in ('adaptive', 'cascade2'):
        torch.testing.assert_close(downsample(x, (2, 3), pool=pool), expected)


def test_positions_of_frames_lie_next_to_each_other():
    x = torch.randn(B * K, 5, *SIZE)
    X = join_frames(x, K)
    for k in range(K):
        part = X[1, :, 6 * k : 6 * (k + 1)]
        assert torch.equal(part, x[K + k].flatten(1))


@pytest.mark.parametrize('fusion', ['mul', 'sum', 'max'])
def test_gradients_of_all_weights(fusion):
    layer = make(2, fusion=fusion)
    maps = [
        torch.randn(2, 7, 2, 6, dtype=torch.float64),
        torch.randn(2, 5, *SIZE, dtype=torch.float64),
    ]
    leaves = [x.requires_grad_() for x in maps]
    names, weights = zip(*layer.named_parameters(), strict=True)

    def run(low, top, *values):
        state = dict(zip(names, values, strict=True))
        options = {'num_frames': 2}
        return torch.func.functional_call(layer, state, ([low, top],), options)[0]

    assert torch.autograd.gradcheck(run, (*leaves, *weights), fast_mode=True)
    run(*leaves, *weights).square().sum().backward()
    for name, weight in layer.named_parameters():
        if fusion != 'sum' or 'bias' not in name:  # softmax does not see a shift
            assert weight.grad.abs().max() > 1e-6, name


def test_hands_out_its_attention():
    layer, maps = make(dtype=torch.float32), feature_maps(dtype=torch.float32)
    plain = layer(maps, num_frames=K)
    with capture_attention(layer) as records:
        captured = layer(maps, num_frames=K)
    assert torch.equal(captured.aggregated, plain.aggregated)
    (record,) = records
    assert record.name == 'positions'
    assert record.axes == ('row', 'query', 'frame', 'y', 'x')
    assert torch.equal(record.map.flatten(2), plain.attention)
    vector = PyramidAttention((5,), None)
    with capture_attention(vector) as records:
        vector(maps[-1:], num_frames=K)
    assert records[0].axes == ('row', 'query', 'frame', 'key')
    assert records[0].map.shape == (B, 5, K, 5)


def test_bf16_autocast_keeps_the_attention_in_full_precision():
    layer, maps = make(dtype=torch.float32), feature_maps(dtype=torch.float32)
    for conv in layer.scores:
        conv.weight.data *= 0.1
    expected = layer(maps, num_frames=K)
    with torch.autocast('cpu', torch.bfloat16):
        out = layer([x.bfloat16() for x in maps], num_frames=K)
    assert out.attention.dtype == torch.float32
    norms = out.attention.square().sum(dim=2)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    torch.testing.assert_close(
        out.aggregated.float(), expected.aggregated, rtol=0.05, atol=0.05
    )


def test_compiles_in_one_graph():
    layer, maps = make(), feature_maps()
    compiled = torch.compile(layer, fullgraph=True, backend='eager')
    torch.testing.assert_close(
        compiled(maps, num_frames=K).aggregated,
        layer(maps, num_frames=K).aggregated,
        **CLOSE,
    )


@pytest.mark.parametrize(
    'args, options, message',
    [
        (((), SIZE), {}, r'in_channels: expected one or more scales.*got \(\)'),
        (((3, 5), None), {}, r'one with top_size=None, got \(3, 5\)'),
        (((3,), (0, 2)), {}, r'top_size: expected tuple of 2 .* None, got \(0, 2\)'),
        (((3,), (2,)), {}, r'top_size: expected tuple of 2 .* None, got \(2,\)'),
        (((3,), SIZE), {'fusion': 'mean'}, "fusion: expected one of .*, got 'mean'"),
        (((3,), SIZE), {'pool': 'avg'}, "pool: expected one of .*, got 'avg'"),
    ],
)
def test_wrong_options(args, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        PyramidAttention(*args, **options)


def test_wrong_maps():
    layer, maps = make(), feature_maps()
    with pytest.raises(ValueError, match='one multiple of num_frames=4, got shapes'):
        layer(maps, num_frames=4)
    with pytest.raises(ValueError, match='one multiple of num_frames=0, got shapes'):
        layer(maps, num_frames=0)
    with pytest.raises(ValueError, match='one multiple of num_frames=3, got shapes'):
        layer([*maps[:2], maps[2][:3]], num_frames=K)
    with pytest.raises(ValueError, match=r'expected channels \(3, 7, 5\), as in_ch'):
        layer(maps[::-1], num_frames=K)
    with pytest.raises(ValueError, match=r'a top map of \(2, 3\).*got \(2, 2\)'):
        layer([*maps[:2], maps[2][..., :2]], num_frames=K)
    with pytest.raises(ValueError, match=r"pool='adaptive' leads to \(2, 3\), got"):
        layer([maps[0][..., :2], *maps[1:]], num_frames=K)
    with pytest.raises(ValueError, match=r"='cascade2' leads to \(2, 3\), got \(9, "):
        downsample(torch.ones(1, 1, 9, 9), SIZE, pool='cascade2')


def test_average_pooling_by_hand():
    x = torch.arange(12, dtype=torch.float64).view(1, 1, 4, 3)
    expected = torch.tensor([[[[2.5], [8.5]]]], dtype=torch.float64)
    got = downsample(x, (2, 1), pool='average')
    torch.testing.assert_close(got, expected)


def test_learned_halvings_replace_the_pools():
    layer = PyramidAttention((3, 5, 7), (2, 2), pool='conv').double()
    assert [len(reducer) for reducer in layer.reducers] == [2, 1, 0]
    maps = [torch.randn(4, c, n, n).double() for c, n in ((3, 9), (5, 4), (7, 2))]
    for reducer in layer.reducers:  # averages, each channel by itself
        for conv in reducer:
            with torch.no_grad():
                conv.bias.zero_()
                conv.weight.copy_(torch.eye(len(conv.weight))[..., None, None] / 4)
    pooled = layer.pool_maps(maps)
    expected = nn.functional.avg_pool2d(nn.functional.avg_pool2d(maps[0], 2), 2)
    torch.testing.assert_close(pooled[0], expected)
    torch.testing.assert_close(pooled[1], nn.functional.avg_pool2d(maps[1], 2))
    assert pooled[2] is maps[2]
    again = layer.pool_maps(pooled)
    assert all(a is b for a, b in zip(again, pooled, strict=True))
    layer(maps, num_frames=2).aggregated.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.reducers.parameters())


def test_learned_halvings_that_miss_the_size():
    layer = PyramidAttention((3, 5), (2, 2), pool='conv')
    maps = [torch.ones(2, 3, 9, 9), torch.ones(2, 5, 2, 2)]
    with pytest.raises(
        ValueError, match=r"pool='conv' leads to \(2, 2\), got \(9, 9\)"
    ):
        layer(maps, num_frames=2)


def test_rows_of_unit_sum_make_a_mean_of_features():
    layer = PyramidAttention((3, 5), (2, 2), norm='sum').double()
    maps = [torch.randn(2 * 7, c, 2, 2, dtype=torch.float64) for c in (3, 5)]
    found = layer(maps, num_frames=7)
    literal = PyramidAttention((3, 5), (2, 2)).double()
    literal.load_state_dict(layer.state_dict())
    rows = literal(maps, num_frames=7).attention
    torch.testing.assert_close(
        found.attention, rows / rows.sum(dim=2, keepdim=True), rtol=1e-9, atol=1e-9
    )
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    mean = maps[1].unflatten(0, (2, 7)).mean(dim=(1, 3, 4))
    aggregated = layer(maps, num_frames=7).aggregated
    for y in range(2):
        torch.testing.assert_close(aggregated[:, :, y, 0], mean)


def test_unknown_norm():
    with pytest.raises(ValueError, match=r'norm: expected one of'):
        PyramidAttention((3,), (2, 2), norm='l1')
