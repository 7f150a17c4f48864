"""Spatial and temporal self-attention: equations, limits and symmetries."""

import math

import pytest
import torch
from reference import slowfast_attn as reference
from torch import nn

from mmattn.attention.capture import capture_attention
from mmattn.models.layers import SpatialSelfAttention, TemporalSelfAttention
from mmattn.models.layers.slowfast_attn_modules import (
    attention_map,
    fused_attention,
)

R, C, T, H, W = 2, 11, 3, 5, 7
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}
BOTH = [
    (SpatialSelfAttention, {}),
    (TemporalSelfAttention, {}),
    (TemporalSelfAttention, {'positions': 'T'}),
    (SpatialSelfAttention, {'per_frame': True}),
]
both = pytest.mark.parametrize('kind, options', BOTH, ids=['S', 'T-CT', 'T-T', 'S-1'])
KERNELS = [(1, 1, 1), (5, 1, 1), (3, 3, 1)]


def make(kind, dtype=torch.float64, gamma=0.7, **options):
    module = kind(C, reduction=4, **options).to(dtype).eval()
    nn.init.constant_(module.gamma, gamma)
    return module


def features(dtype=torch.float64, size=(R, C, T, H, W)):
    return torch.randn(size, dtype=dtype)


def expected_of(module, x):
    p = {name: value.double().numpy() for name, value in module.state_dict().items()}
    kind = 'spatial' if isinstance(module, SpatialSelfAttention) else 'temporal'
    weights = reference.layer_weights({f'm.{k}': v for k, v in p.items()}, 'm', kind)
    run = getattr(reference, kind)
    options = dict(num_frames=module.num_frames)
    if kind == 'temporal':
        options['positions'] = module.positions
    else:
        options['per_frame'] = module.per_frame
    results = [run(weights, one.double().numpy(), **options) for one in x]
    outputs, maps = zip(*results, strict=True)
    return [torch.stack([torch.tensor(a) for a in part]) for part in (outputs, maps)]


@both
@pytest.mark.parametrize('kernel', KERNELS, ids=str)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=str)
def test_follows_the_equations(kind, options, kernel, dtype):
    module, x = make(kind, dtype, kernel_size=kernel, **options), features(dtype)
    kept = x.clone()
    with capture_attention(module) as records:
        y = module(x)
    assert torch.equal(x, kept)
    assert torch.equal(y, module(x))
    expected, maps = expected_of(module, x)
    tolerance = CLOSE if dtype == torch.float64 else {'rtol': 1e-4, 'atol': 1e-5}
    torch.testing.assert_close(y.double(), expected, **tolerance)
    weights = records[0].map.double().view(maps.shape)
    torch.testing.assert_close(weights, maps, **tolerance)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


@pytest.mark.parametrize('kind', [SpatialSelfAttention, TemporalSelfAttention])
@pytest.mark.parametrize('kernel', [(1, 1, 1), (1, 3, 1)], ids=str)
def test_projections_of_all_rows(kind, kernel):
    module = make(kind, kernel_size=kernel, num_frames=T)
    assert module.value.weight.shape[:2] == (C * T, C * T)
    x = features()
    torch.testing.assert_close(module(x), expected_of(module, x)[0], **CLOSE)


@pytest.mark.parametrize(
    'kind, options, name, axes, shape',
    [
        (
            SpatialSelfAttention,
            {},
            'pixel_weights',
            ('row', 'query', 'y', 'x'),
            (R, H * W, H, W),
        ),
        (
            TemporalSelfAttention,
            {},
            'frame_weights',
            ('row', 'query', 'channel', 'frame'),
            (R, C * T, C, T),
        ),
        (
            TemporalSelfAttention,
            {'positions': 'T'},
            'frame_weights',
            ('row', 'query', 'frame'),
            (R, T, T),
        ),
        (
            SpatialSelfAttention,
            {'per_frame': True},
            'pixel_weights',
            ('row', 'frame', 'query', 'y', 'x'),
            (R, T, H * W, H, W),
        ),
    ],
)
def test_maps(kind, options, name, axes, shape):
    module = make(kind, **options)
    with capture_attention(module) as records:
        module(features())
        module(features(size=(0, C, T, H, W)))
    assert [record.name for record in records] == [name, name]
    assert records[0].axes == axes
    assert records[0].map.shape == shape
    assert records[1].map.shape == (0, *shape[1:])


@both
@pytest.mark.parametrize('size', [(1, 1, 1), (1, 5, 3), (4, 1, 1), (2, 6, 4)])
def test_keeps_any_shape_and_starts_as_identity(kind, options, size):
    module = kind(C, (5, 1, 1), **options).double()
    x = features(size=(R, C, *size))
    y = module(x)
    assert torch.equal(y, x)
    (y * torch.randn_like(y)).sum().backward()
    for name, weight in module.named_parameters():
        assert (weight.grad.abs().max() > 0) == (name == 'gamma'), name


@both
def test_gradients_of_all_weights(kind, options):
    module = kind(2, (3, 1, 1), **options).double()
    nn.init.constant_(module.gamma, 0.7)
    x = torch.randn(1, 2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*module.named_parameters(), strict=True)

    def run(x, *values):
        state = dict(zip(names, values, strict=True))
        return torch.func.functional_call(module, state, (x,))

    assert torch.autograd.gradcheck(run, (x, *weights))
    module(x).square().sum().backward()
    for name, weight in module.named_parameters():
        assert weight.grad.abs().max() > 0, name


@both
@pytest.mark.parametrize('empty', ['query', 'key'])
def test_without_products_it_is_the_mean(kind, options, empty):
    module, x = make(kind, kernel_size=(3, 1, 1), **options), features()
    nn.init.zeros_(getattr(module, empty).weight)
    h = module.value(x)
    axes = {'S': (3, 4), 'CT': (1, 2), 'T': (2,)}[getattr(module, 'positions', 'S')]
    mean = h.mean(dim=axes, keepdim=True).expand_as(x)
    torch.testing.assert_close(module(x), x + 0.7 * mean, **CLOSE)


@both
def test_biased_queries_follow_the_equations(kind, options):
    module, x = make(kind, start='gathering', **options), features()
    nn.init.normal_(module.value.weight)
    assert set(module.state_dict()) - set(make(kind).state_dict()) == {'query.bias'}
    torch.testing.assert_close(module(x), expected_of(module, x)[0], **CLOSE)


@both
@pytest.mark.parametrize('kernel', [(1, 1, 1), (5, 1, 1)], ids=str)
def test_gathering_starts_with_the_features_themselves(kind, options, kernel):
    module = kind(C, kernel, start='gathering', **options).double()
    assert (module.query.bias != 0).all()
    x = features()
    torch.testing.assert_close(module.value(x), x, **CLOSE)
    nn.init.zeros_(module.key.weight)
    axes = {'S': (3, 4), 'CT': (1, 2), 'T': (2,)}[getattr(module, 'positions', 'S')]
    torch.testing.assert_close(
        module(x), x + x.mean(axes, keepdim=True).expand_as(x), **CLOSE
    )


def test_by_the_bias_all_places_ask_for_the_same():
    options = dict(per_frame=True, start='gathering')
    module, x = make(SpatialSelfAttention, **options), features()
    nn.init.zeros_(module.query.weight)
    with capture_attention(module) as records:
        module(x)
    weights = records[0].map.flatten(3)  # (R, T, H * W, H * W)
    scores = torch.einsum('rcthw,c->rthw', module.key(x), module.query.bias)
    expected = scores.flatten(2).softmax(-1)[:, :, None].expand_as(weights)
    torch.testing.assert_close(weights, expected, **CLOSE)


def test_frames_are_independent():
    module, x = make(SpatialSelfAttention, per_frame=True), features()
    torch.testing.assert_close(module(x)[:, :, 1:2], module(x[:, :, 1:2]), **CLOSE)


def permuted(x, dim):
    return x.index_select(dim, torch.randperm(x.shape[dim]))


@both
@pytest.mark.parametrize('kernel_t', [1, 5])
def test_permutations(kind, options, kernel_t):
    module, x = make(kind, kernel_size=(kernel_t, 1, 1), **options), features()
    pixels = torch.randperm(H * W)

    def shuffle(x):
        return x.flatten(3)[..., pixels].view_as(x)

    torch.testing.assert_close(module(shuffle(x)), shuffle(module(x)), **CLOSE)
    order = torch.tensor([2, 0, 1])
    difference = module(x[:, :, order]) - module(x)[:, :, order]
    assert (difference.abs().max() < 1e-9) == (kernel_t == 1)


@both
def test_of_one_frame_the_slow_kernel_uses_its_middle(kind, options):
    slow = make(kind, kernel_size=(5, 1, 1), **options)
    fast = make(kind, **options)
    state = slow.state_dict()
    for name, value in state.items():
        if name != 'gamma':
            state[name] = value[:, :, 2:3]
    fast.load_state_dict(state)
    x = features(size=(R, C, 1, H, W))
    torch.testing.assert_close(slow(x), fast(x), **CLOSE)


@pytest.mark.parametrize('kernel', [(1, 1, 1), (5, 1, 1)], ids=str)
@pytest.mark.parametrize('size', [(T, H, W), (T, 1, 1)], ids=str)
def test_constant_in_space(kernel, size):
    module = make(SpatialSelfAttention, kernel_size=kernel)
    x = features(size=(R, C, T, 1, 1)).expand(-1, -1, *size).contiguous()
    torch.testing.assert_close(module(x), x + 0.7 * module.value(x), **CLOSE)


@pytest.mark.parametrize(
    'kind, options, shape',
    [
        (SpatialSelfAttention, {}, (1, 1, 1, 1, 2)),
        (TemporalSelfAttention, {}, (1, 1, 2, 1, 1)),
        (TemporalSelfAttention, {'positions': 'T'}, (1, 1, 2, 1, 1)),
        (TemporalSelfAttention, {}, (1, 2, 1, 1, 1)),
    ],
)
def test_case_by_hand(kind, options, shape):
    """Products 1, 2 and 2, 4 of x = [1, 2] with all weights 1."""
    module = kind(shape[1], **options).double()
    for weight in module.parameters():
        nn.init.ones_(weight)
    if shape[1] == 2:  # two channels: each is its own projection
        for name in ('query', 'key', 'value'):
            getattr(module, name).weight.data = (
                torch.eye(2).view(2, 2, 1, 1, 1).double()
            )
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    e = math.e
    o = x.new_tensor([(1 + 2 * e) / (1 + e), (1 + 2 * e * e) / (1 + e * e)])
    torch.testing.assert_close(module(x.view(shape)).flatten(), x + o, **CLOSE)


@both
def test_regions_are_independent(kind, options):
    module, x = make(kind, **options), features(size=(5, C, T, H, W))
    torch.testing.assert_close(module(x[2:4]), module(x)[2:4], **CLOSE)
    assert module(x[:0]).shape == (0, C, T, H, W)
    assert module(features(size=(R, C, 1, 2, 3))).shape == (R, C, 1, 2, 3)


@pytest.mark.parametrize('kind, options', BOTH[:2], ids=['S', 'T-CT'])
def test_bf16_autocast(kind, options):
    module, x = make(kind, torch.float32, **options), features(torch.float32)
    with torch.autocast('cpu', torch.bfloat16), capture_attention(module) as records:
        y = module(x)
    torch.testing.assert_close(y, module(x), rtol=0.1, atol=0.1)
    assert records[0].map.dtype == torch.float32


@both
def test_compiles_in_one_graph(kind, options):
    module, x = make(kind, **options), features()
    compiled = torch.compile(module, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(x), module(x), **CLOSE)


@pytest.mark.parametrize('width', [7, 8, 49])
def test_fused_is_the_map_times_values(width):
    q, k, v = (torch.randn(R, n, width, dtype=torch.float64) for n in (13, 11, 11))
    expected = attention_map(q, k) @ v
    torch.testing.assert_close(fused_attention(q, k, v), expected, **CLOSE)


def test_fused_never_builds_the_map():
    """32 regions would need 34 GB for one map of 16384 rows."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    q = torch.randn(2, 1031, 49, requires_grad=True)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # raises if the kernel cannot run
        fused_attention(q, q, q).sum().backward()
    assert q.grad.isfinite().all()


@pytest.mark.parametrize(
    'kind, options, message',
    [
        (
            SpatialSelfAttention,
            {'kernel_size': (2, 1, 1)},
            r'kernel_size: expected tuple of 3 .* odd, got \(2, 1, 1\)',
        ),
        (
            SpatialSelfAttention,
            {'kernel_size': (1, 1)},
            r'kernel_size: expected tuple of 3 .* odd, got \(1, 1\)',
        ),
        (SpatialSelfAttention, {'reduction': 0}, 'reduction: expected int at least 1'),
        (
            SpatialSelfAttention,
            {'num_frames': 4, 'kernel_size': (5, 1, 1)},
            r'num_frames: expected .* of 1 in time, got 4 and \(5, 1, 1\)',
        ),
        (
            TemporalSelfAttention,
            {'positions': 'HW'},
            r"positions: expected one of \('CT', 'T'\), got 'HW'",
        ),
        (
            TemporalSelfAttention,
            {'positions': 'T', 'num_frames': 4},
            'num_frames: expected None with .*, got 4',
        ),
        (
            SpatialSelfAttention,
            {'per_frame': True, 'num_frames': 4},
            'num_frames: expected None with per_frame=True .*, got 4',
        ),
        (
            TemporalSelfAttention,
            {'start': 'mean'},
            r"start: expected one of \('identity', 'gathering'\), got 'mean'",
        ),
    ],
)
def test_wrong_options(kind, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        kind(C, **options)


@both
@pytest.mark.parametrize(
    'size', [(R, C, H, W), (R, C + 1, T, H, W), (C, T, H, W)], ids=str
)
def test_wrong_features(kind, options, size):
    with pytest.raises(ValueError, match=rf'expected \(R, {C}, T, H, W\), got'):
        kind(C, **options)(torch.zeros(size))


def test_wrong_number_of_frames():
    with pytest.raises(ValueError, match=rf'expected \(R, {C}, 4, H, W\), got'):
        SpatialSelfAttention(C, num_frames=4)(features(torch.float32))
