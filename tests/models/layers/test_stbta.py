"""STBTA: values of every assembly, shapes, identity, nets around it, maps, copies."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from reference import stbta as literal
from torch import nn

from mmattn.attention.capture import capture_attention
from mmattn.models.backbones import AttentionBackbone
from mmattn.models.layers import STBTA, SqueezeExcitation
from mmattn.models.layers.clips import tell_num_segments

B, C, T, H, W = 2, 4, 3, 6, 9
SIZES = [(25, 25), (12, 12), (28, 28), (14, 14), (7, 7), (9, 11), (7, 9)]
# Rows of table 1; the baseline has no STBTA.
ABLATIONS = [
    {'spatial_attention': sam, 'temporal_attention': tam}
    for sam, tam in itertools.product(('none', 'sam1', 'sam2'), ('none', 'tam'))
]


@pytest.mark.parametrize(
    'options',
    [
        *[o | {'channel_attention': 'none'} for o in ABLATIONS],
        {'spatial_attention': 'sam2'},
        {'arrangement': 'parallel'},
        {'residual': False},
        {'sam_every_upsample': True},
        {'sam_every_upsample': True, 'spatial_attention': 'sam2'},
        {'zero_init': True},
    ],
)
@pytest.mark.parametrize('t', [1, 2])
def test_values(t, options):
    stbta = STBTA(C, t, **options)
    if isinstance(stbta.channel_attention, SqueezeExcitation):
        stbta.channel_attention = SqueezeExcitation(C, 2)
    p = literal.random_weights(stbta)
    # Cells of SAM-II divide the maps of both scales.
    x = torch.randn(B, C, T, 6, 12, dtype=torch.float64)
    arguments = {
        'parallel': options.get('arrangement') == 'parallel',
        'residual': options.get('residual', True),
    }
    expected = np.stack([literal.stbta(p, clip, t, **arguments) for clip in x.numpy()])
    y = stbta(x)
    torch.testing.assert_close(y, torch.from_numpy(expected), rtol=1e-9, atol=1e-9)
    stbta.num_segments = T
    frames = x.transpose(1, 2).reshape(B * T, C, 6, 12)
    torch.testing.assert_close(stbta(frames).view(B, T, C, 6, 12).transpose(1, 2), y)


@pytest.mark.parametrize('t', [1, 2, 3])
@pytest.mark.parametrize('size', SIZES)
def test_shapes(size, t):
    stbta = STBTA(C, t, num_segments=1).eval()
    if min(size) < 2**t:
        with pytest.raises(ValueError, match=f'at least {2**t} .*, got {size[0]} x '):
            stbta(torch.ones(1, C, *size))
        return
    assert stbta(torch.ones(3, C, *size)).shape == (3, C, *size)
    assert stbta(torch.ones(1, C, 2, *size)).shape == (1, C, 2, *size)


def test_zero_weights():
    """Constant map c: u = 2c, SAM-I 3c, TAM 3c/2, SE 3c/4, and x is added."""
    stbta = STBTA(C).eval()
    for p in stbta.parameters():
        nn.init.zeros_(p)
    x = torch.full((2, C, 3, 7, 9), 0.8)
    torch.testing.assert_close(stbta(x), 1.75 * x)


def test_a_fresh_module_can_start_as_identity():
    stbta, x = STBTA(C, zero_init=True), torch.randn(2, C, 3, 7, 9)
    assert torch.equal(stbta(x), x)
    stbta(x).square().sum().backward()
    assert stbta.scale.grad.abs().min() > 0


def test_the_same_for_one_upsampling():
    one, each = STBTA(C).eval(), STBTA(C, sam_every_upsample=True).eval()
    each.load_state_dict(one.state_dict())
    x = torch.randn(2, C, 3, 7, 9)
    assert torch.equal(one(x), each(x))


@pytest.mark.parametrize('options', ABLATIONS)
def test_videos_apart(options):
    stbta = STBTA(C, 2, num_segments=T, **options).eval()
    frames = torch.randn(3 * T, C, 9, 11)
    alone = [stbta(video) for video in frames.split(T)]
    torch.testing.assert_close(stbta(frames), torch.cat(alone))


def test_derivatives_of_gradients_and_transforms():
    stbta = STBTA(2, channel_attention='none').double().eval()
    x = torch.randn(1, 2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(stbta, x)
    (expected,) = torch.autograd.grad(stbta(x).square().sum(), x)
    found = torch.func.grad(lambda x: stbta(x).square().sum())(x.detach())
    torch.testing.assert_close(found, expected)
    many = torch.randn(3, 1, 2, 2, 2, 2, dtype=torch.float64)
    found = torch.func.vmap(stbta)(many)
    torch.testing.assert_close(found, torch.stack([stbta(one) for one in many]))


def test_parameters_do_not_depend_on_the_map():
    stbta = STBTA(C, 1)
    for shape in ((1, C, 1, 2, 2), (2, C, 5, 7, 9)):
        assert stbta.eval()(torch.ones(shape)).shape == shape


def test_every_parameter_learns_and_the_input_stays():
    stbta, x = STBTA(32, 2, num_segments=3), torch.randn(6, 32, 9, 11)
    nn.init.ones_(stbta.channel_attention.fc1.bias)
    kept = x.clone()
    stbta(x).square().sum().backward()
    assert torch.equal(x, kept)
    assert all(p.grad.abs().max() > 0 for p in stbta.parameters())
    small = STBTA(2).double().eval()
    x = torch.randn(1, 2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(small, x)


def gradients_and_saved(stbta, x):
    """Gradients, and the number of tensors saved for them that are as large as x."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        y = stbta(x)
    y.square().sum().backward()
    return [p.grad for p in stbta.parameters()], saved.count(x.numel())


@pytest.mark.parametrize('spatial_attention', ['sam1', 'sam2'])
def test_recomputing_keeps_the_gradients(spatial_attention):
    x = torch.randn(6, 32, 9, 11)
    options = dict(spatial_attention=spatial_attention, num_segments=3)
    lean, full = STBTA(32, 2, **options), STBTA(32, 2, with_cp=False, **options)
    full.load_state_dict(lean.state_dict())
    grads, saved = gradients_and_saved(lean, x)
    expected, saved_in_full = gradients_and_saved(full, x)
    torch.testing.assert_close(grads, expected)
    assert saved < saved_in_full


def test_maps_in_training_are_handed_out_once():
    stbta = STBTA(C, num_segments=2)
    with capture_attention(stbta, names='*.frame_gates') as records:
        stbta(torch.randn(2, C, H, W)).square().sum().backward()
    assert len(records) == 1


def test_maps():
    stbta, x = STBTA(C, num_segments=T).eval(), torch.randn(B * T, C, H, W)
    with capture_attention(stbta) as records:
        y = stbta(x)
    assert torch.equal(y, stbta(x))
    assert {r.name: tuple(r.map.shape) for r in records} == {
        'spatial_attention.spatial_gate': (B, T, H, W),
        'temporal_attention.frame_gates': (B, T),
        'channel_attention.channel_weights': (B, T, C),
    }
    stbta = STBTA(C, spatial_attention='sam2').eval()
    with capture_attention(stbta, names='*.cell_weights') as records:
        stbta(torch.randn(B, C, T, H, W))
    assert records[0].map.shape == (B, T, C, 3, 3)


@pytest.mark.parametrize('spatial_attention', ['sam1', 'sam2'])
def test_bf16_and_memory_format(spatial_attention):
    stbta = STBTA(32, 2, spatial_attention=spatial_attention, num_segments=3).eval()
    x = torch.randn(6, 32, 9, 11)
    expected = stbta(x)
    for memory_format in (torch.channels_last, torch.contiguous_format):
        x = x.contiguous(memory_format=memory_format)
        y = stbta(x)
        assert y.is_contiguous(memory_format=memory_format)
        torch.testing.assert_close(y, expected)
        with torch.autocast('cpu', torch.bfloat16):
            y = stbta(x.bfloat16())
            assert stbta(x).isfinite().all()
        assert y.dtype == torch.bfloat16
        torch.testing.assert_close(y.float(), expected, rtol=0.1, atol=0.1)


@pytest.mark.parametrize('spatial_attention', ['sam1', 'sam2'])
def test_one_graph(spatial_attention):
    stbta = STBTA(32, 2, spatial_attention=spatial_attention, num_segments=3).eval()
    x = torch.randn(6, 32, 9, 11)
    expected = stbta(x)
    torch._dynamo.reset()
    compiled = torch.compile(stbta, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
    stbta.num_segments = 2
    torch.testing.assert_close(compiled(x), stbta(x))
    assert not torch.allclose(stbta(x), expected)


def test_copies():
    stbta, x = STBTA(C, num_segments=T).eval(), torch.randn(B * T, C, H, W)
    for other in (copy.deepcopy(stbta), pickle.loads(pickle.dumps(stbta))):
        assert torch.equal(other(x), stbta(x))
    other = STBTA(C, num_segments=T).eval()
    assert not torch.allclose(other(x), stbta(x))
    other.load_state_dict(stbta.state_dict())
    assert torch.equal(other(x), stbta(x))


def test_parts_from_configs():
    stbta = STBTA(
        C,
        spatial_attention=dict(type='mmattn.SpatialAttentionII', grid=2),
        temporal_attention=dict(type='mmattn.TemporalAttention', mode='st'),
        channel_attention=dict(type='mmattn.SqueezeExcitation', reduction=2),
        hourglass=dict(structure='shn', inflate=True),
    )
    assert stbta.spatial_attention.grid == 2
    assert stbta.temporal_attention.mode == 'st'
    assert stbta.channel_attention.fc1.out_features == 2
    assert stbta.hourglass.resize_mode == 'trilinear'
    assert stbta(torch.randn(B, C, T, H, W)).shape == (B, C, T, H, W)


@pytest.mark.parametrize(
    'options, message',
    [
        ({'t': 0}, 't: expected int at least 1, got 0'),
        ({'spatial_attention': 'tam'}, "spatial_attention: expected one of .*'tam'"),
        ({'temporal_attention': 'se'}, "temporal_attention: expected one of .*'se'"),
        ({'channel_attention': 'sam'}, "channel_attention: expected one of .*'sam'"),
        ({'arrangement': 'serial'}, "arrangement: expected one of .*'serial'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        STBTA(C, **options)


# Backbone, places of table 2 with their t, and the channels there.
NETS = {
    'bninception': (
        dict(type='mmattn.BNInception', out='inception_4d'),
        [('inception_3c', 2, 320), ('inception_4d', 1, 608)],
    ),
    'inception_v3': (
        dict(type='mmattn.InceptionV3', out='mixed_7a'),
        [('mixed_5b', 3, 192), ('mixed_7a', 2, 768)],
    ),
    'inception_resnet_v2': (
        dict(type='mmattn.InceptionResNetV2', out='mixed_7a'),
        [('mixed_5b', 3, 192), ('mixed_7a', 2, 1088)],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', NETS)
def test_places_of_table_2(name, tmp_path):
    config, places = NETS[name]
    bare = HOST_MODELS.build(config).eval()
    torch.save(bare.state_dict(), tmp_path / 'bare.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'bare.pth'))
    net = AttentionBackbone(
        config | dict(init_cfg=init_cfg),
        attentions=[
            dict(before=place, module=dict(type='mmattn.STBTA', t=t, zero_init=True))
            for place, t, _ in places
        ],
    )
    net.init_weights()
    tell_num_segments(net, 1)
    assert [m.in_channels for m in net.attentions] == [c for _, _, c in places]
    x = torch.randn(1, 3, 107, 112)
    assert torch.equal(net.eval()(x), bare(x))
    for module in net.attentions:
        nn.init.ones_(module.scale)
    assert not torch.allclose(net(x), bare(x))
    assert net(x).shape == bare(x).shape


@pytest.mark.parametrize(
    'config, place, shape',
    [
        (dict(type='ResNet', depth=18), 'layer3', (6, 3, 33, 40)),
        (
            dict(type='mmattn.InceptionI3D', base_channels=8),
            'Mixed_4b',
            (2, 3, 9, 64, 70),
        ),
    ],
)
def test_plugged_into_2d_and_3d_nets(config, place, shape):
    module = dict(type='mmattn.STBTA', num_segments=3)
    net = AttentionBackbone(config, attentions=[dict(before=place, module=module)])
    x = torch.randn(shape)
    net(x).square().mean().backward()
    assert net.attentions[0].spatial_attention.conv.weight.grad.any()
    with capture_attention(net) as records:
        net(x)
    assert records[0].map.shape[0] == 2
    assert records[0].name == 'attentions.0.spatial_attention.spatial_gate'
