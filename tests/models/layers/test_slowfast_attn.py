"""Four branches of self-attention: the whole module and every option."""

import numpy as np
import pytest
import torch
from reference.slowfast_attn import slowfast
from torch import nn

from mmattn.attention.capture import capture_attention
from mmattn.models.layers import SlowFastAttention
from mmattn.models.layers.slowfast_attn import ChannelNorm
from mmattn.models.roi_heads import SlowFastSharedHead
from mmattn.registry import MODELS

R, C, T, H, W = 2, 7, 3, 5, 2
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}
OPTIONS = [
    {},
    {'spatial': False, 'num_layers': 1},
    {'spatial': False, 'num_layers': 1, 'pool': 'max'},
    {'temporal': False, 'num_layers': 1, 'pool': 'max'},
    {'num_layers': 1},
    {'norm': 'layer'},
    {'norm': 'pooled'},
    {'combination': 'sum'},
    {'combination': 'mean', 'norm': 'pooled', 'pool': 'max'},
    {'positions': 'T'},
    {'channels': 3},
    {'per_frame': True, 'start': 'gathering'},
    {'num_frames': T, 'slow_kernel': (1, 3, 1)},
    {'pool': None},
    {'pool': None, 'combination': 'mean', 'norm': 'layer'},
]


def make(dtype=torch.float64, **options):
    module = SlowFastAttention(C, **options)
    for name, weight in module.named_parameters():
        if name.endswith('gamma'):
            nn.init.uniform_(weight, 0.5, 1)
        elif weight.dim() == 1:
            nn.init.normal_(weight)
    return module.to(dtype).eval()


def features(dtype=torch.float64, size=(R, C, T, H, W)):
    return torch.randn(size, dtype=dtype)


@pytest.mark.parametrize('options', OPTIONS, ids=str)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=str)
def test_follows_the_paper(options, dtype):
    module, x = make(dtype, **options), features(dtype)
    state = {key: v.double().numpy() for key, v in module.state_dict().items()}
    names = dict(spatial='spatial_branches', temporal='temporal_branches')
    shared = {
        names.get(key, key): value
        for key, value in options.items()
        if key not in ('channels', 'slow_kernel', 'start')
    }
    expected = [slowfast(state, one.double().numpy(), **shared) for one in x]
    expected = torch.stack([torch.tensor(one) for one in expected])
    y = module(x)
    assert y.shape[1] == module.out_channels
    tolerance = CLOSE if dtype == torch.float64 else {'rtol': 1e-4, 'atol': 1e-5}
    torch.testing.assert_close(y.double(), expected, **tolerance)


@pytest.mark.parametrize(
    'options, width',
    [
        ({}, 4 * C),
        ({'spatial': False}, 2 * C),
        ({'temporal': False}, 2 * C),
        ({'slow_kernel': None, 'temporal': False}, C),
        ({'channels': 3}, 12),
        ({'channels': 3, 'combination': 'sum'}, 3),
    ],
    ids=str,
)
def test_width(options, width):
    module = make(**options)
    assert module.out_channels == width
    for size in [(R, C, T, H, W), (3, C, 1, 1, 1), (0, C, 2, 3, 1)]:
        assert module(features(size=size)).shape == (size[0], width, 1, 1, 1)


def test_layers_keep_their_numbers_with_and_without_norm():
    """Weights of a model without layer normalization load into one with it."""
    without, with_norm = make(num_layers=3), make(num_layers=3, norm='layer')
    report = with_norm.load_state_dict(without.state_dict(), strict=False)
    assert report.unexpected_keys == []
    norms = {
        f'branches.{branch}.{layer}.{name}'
        for branch in without.branches
        for layer in (1, 3, 5)
        for name in ('weight', 'bias')
    }
    assert set(report.missing_keys) == norms
    for name, weight in without.state_dict().items():
        assert torch.equal(with_norm.state_dict()[name], weight), name


def test_channel_norm_is_of_each_position():
    norm, x = ChannelNorm(C).double(), features()
    y = norm(x)
    torch.testing.assert_close(y.mean(1), torch.zeros_like(y[:, 0]), **CLOSE)
    alone = norm(x[:, :, 1:2, 3:4, 1:])
    torch.testing.assert_close(alone, y[:, :, 1:2, 3:4, 1:], **CLOSE)
    expected = x.var(1, unbiased=False) / (x.var(1, unbiased=False) + norm.eps)
    torch.testing.assert_close(y.var(1, unbiased=False), expected, **CLOSE)


def test_starts_as_identity_inside_of_a_backbone():
    module = SlowFastAttention(C, pool=None, combination='mean').double()
    x = features()
    torch.testing.assert_close(module(x), x, rtol=0, atol=1e-15)


@pytest.mark.parametrize('options', [{}, {'norm': 'layer'}, {'channels': 3}], ids=str)
def test_gradients_of_all_weights(options):
    module = make(**options)
    (module(features()) * torch.randn(module.out_channels, 1, 1, 1)).sum().backward()
    for name, weight in module.named_parameters():
        assert weight.grad.abs().max() > 0, name


def test_regions_are_independent():
    module, x = make(norm='layer'), features(size=(5, C, T, H, W))
    torch.testing.assert_close(module(x[1:3]), module(x)[1:3], **CLOSE)


def test_bf16_autocast_and_compile():
    module, x = make(torch.float32, norm='layer'), features(torch.float32)
    expected = module(x)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(module(x).float(), expected, rtol=0.1, atol=0.1)
    compiled = torch.compile(module, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(x), expected)


def test_maps_know_their_region():
    head = SlowFastSharedHead(C)
    rois = torch.tensor([[1.0], [0.0], [1.0], [1.0]]).expand(-1, 5)
    x = features(torch.float32, (4, C, T, H, W))
    with capture_attention(head) as records:
        y = head(x, feat=None, rois=rois, img_metas=[{}, {}])
    assert torch.equal(y, head(x))
    names = {record.name for record in records}
    assert names == {
        f'branches.{branch}.{layer}.{name}'
        for branch, name in [
            ('spatial_slow', 'pixel_weights'),
            ('spatial_fast', 'pixel_weights'),
            ('temporal_slow', 'frame_weights'),
            ('temporal_fast', 'frame_weights'),
        ]
        for layer in (0, 2)
    }
    for record in records:
        assert record.sample == (1, 0, 1, 1)
        assert record.roi == (0, 0, 1, 2)
        assert record.boxes is None
        assert record.frames is None


def test_maps_know_box_and_frames():
    head = SlowFastSharedHead(C)
    rois = torch.tensor([[1.0, 10, 5, 20, 40], [0, 0, 8, 32, 16], [1, 0, 0, 40, 50]])
    metas = [
        dict(img_shape=(16, 32), frame_inds=np.arange(0, 4 * T)),
        dict(img_shape=(50, 40), frame_inds=np.arange(100, 100 + 4 * T)[None]),
    ]
    with capture_attention(head) as records:
        head(features(torch.float32, (3, C, T, H, W)), rois=rois, img_metas=metas)
    boxes = [[0.25, 0.1, 0.5, 0.8], [0, 0.5, 1, 1], [0, 0, 1, 1]]
    for record in records:
        torch.testing.assert_close(record.boxes, torch.tensor(boxes))
        stride = 4 if 'frame' in record.axes else 1
        expected = [list(range(k, k + 4 * T, stride)) for k in (100, 0, 100)]
        assert record.frames.tolist() == expected
    (first,) = records.by_sample(0).by_name('branches.spatial_slow.0.*')
    torch.testing.assert_close(first.boxes, torch.tensor(boxes[1:2]))


def test_maps_of_no_region():
    head, metas = SlowFastSharedHead(C), [dict(img_shape=(16, 32), frame_inds=[0])]
    with capture_attention(head) as records:
        x = features(torch.float32, (0, C, T, H, W))
        head(x, rois=torch.zeros(0, 5), img_metas=metas)
    assert {len(record.map) for record in records} == {0}


def test_stands_in_any_backbone():
    block = dict(type='mmattn.SlowFastAttention', pool=None, combination='mean')
    attentions = [
        dict(after='layer1', module=dict(block, positions='T')),
        dict(after='layer4', module=block),
        dict(after='layer4', module=dict(type='mmattn.SpatialSelfAttention')),
    ]
    backbone = dict(
        type='mmaction.ResNet3d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        base_channels=4,
        conv1_kernel=(1, 7, 7),
        inflate=0,
    )
    plain = MODELS.build(backbone)
    net = MODELS.build(
        dict(
            type='mmattn.AttentionBackbone',
            backbone=backbone,
            attentions=attentions,
            input_shape=(3, 8, 32, 32),
        )
    )
    net.load_state_dict(net.state_dict() | plain.state_dict())
    plain.eval()
    net.eval()
    x = torch.randn(1, 3, 8, 32, 32)
    torch.testing.assert_close(net(x), plain(x))


@pytest.mark.parametrize(
    'options, message',
    [
        ({'num_layers': 0}, 'num_layers: expected int at least 1, got 0'),
        ({'pool': 'min'}, "pool: expected one of .*, got 'min'"),
        ({'norm': 'batch'}, "norm: expected one of .*, got 'batch'"),
        ({'combination': 'max'}, "combination: expected one of .*, got 'max'"),
        ({'norm': 'pooled', 'pool': None}, "pool: expected 'avg' or 'max' with"),
        ({'spatial': False, 'temporal': False}, 'expected at least one branch'),
        ({'slow_kernel': None, 'fast_kernel': None}, 'expected at least one branch'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        SlowFastAttention(C, **options)
