"""Inception-v1 I3D: published names and values, padding, inflation, flow, options."""

import pytest
import torch
from reference.inception_i3d import LAYERS, inception_i3d, published_weights
from reference.published import doubled
from staged_checks import (
    check_features,
    check_flow_initialization,
    check_loaded,
    fill,
    save,
)

from mmattn.models.backbones.inception_i3d import InceptionI3D

STAGES = tuple(InceptionI3D.stages)
PARAMETERS = 12697264 - 400 * 1025  # published for Kinetics-400, less its classifier
SHORT = 'Mixed_3c'
BN = ('weight', 'bias', 'running_mean', 'running_var')


@pytest.fixture(scope='module')
def weights():
    return published_weights()


@pytest.mark.parametrize('size', [(9, 33, 40), (16, 38, 45), (7, 31, 66), (1, 1, 2)])
def test_published_values(weights, size):
    net = fill(InceptionI3D, weights, out=STAGES)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    check_features(net, inception_i3d(weights, x), x)


def test_stages_are_the_published_endpoints():
    assert [name for name, _, _ in LAYERS] == list(STAGES)


def test_full_size_shapes_and_parameters(weights):
    with torch.device('meta'):
        net = InceptionI3D(out=('MaxPool3d_3a_3x3', 'Mixed_3c', 'Mixed_4f', 'Mixed_5c'))
        maps = net(torch.empty(1, 3, 64, 224, 224))
    assert [tuple(x.shape[1:]) for x in maps] == [
        (192, 32, 28, 28),
        (480, 32, 28, 28),
        (832, 16, 14, 14),
        (1024, 8, 7, 7),
    ]
    assert sum(p.numel() for p in net.parameters()) == PARAMETERS
    names = {name for name in net.state_dict() if 'num_batches' not in name}
    assert names == {name for name in weights if 'logits' not in name}


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_published_file_loads_as_it_is(tmp_path, weights, prefix):
    content = {prefix + name: value for name, value in weights.items()}
    net = InceptionI3D(init_cfg=save(tmp_path, content))
    net.init_weights()
    check_loaded(net, weights)


def test_incomplete_file(tmp_path, weights):
    content = {name: x for name, x in weights.items() if 'Mixed_3b.b2b' not in name}
    net = InceptionI3D(out=SHORT, init_cfg=save(tmp_path, content))
    with pytest.raises(
        ValueError, match=r"published.pth: .* first \['Mixed_3b.b2b.conv3d"
    ):
        net.init_weights()


def test_flow_gets_the_mean_of_rgb(tmp_path, weights):
    options = dict(channels=2, out=SHORT)
    net = check_flow_initialization(tmp_path, InceptionI3D, weights, **options)
    assert net(torch.ones(1, 2, 3, 9, 9)).shape == (1, 480, 2, 2, 2)


def as_googlenet(weights):
    """2D weights under torchvision's names, with what else its files hold."""
    names = {
        'Conv3d_1a_7x7': 'conv1',
        'Conv3d_2b_1x1': 'conv2',
        'Conv3d_2c_3x3': 'conv3',
    }
    blocks = ('3a', '3b', '4a', '4b', '4c', '4d', '4e', '5a', '5b')
    branches = {
        'b0': 'branch1',
        'b1a': 'branch2.0',
        'b1b': 'branch2.1',
        'b2a': 'branch3.0',
        'b2b': 'branch3.1',
        'b3b': 'branch4.1',
    }
    mixes = [name for name in STAGES if name.startswith('Mixed')]
    for mix, block in zip(mixes, blocks, strict=True):
        for ours, theirs in branches.items():
            names[f'{mix}.{ours}'] = f'inception{block}.{theirs}'
    content = {
        f'{theirs}.{key.replace("conv3d", "conv")}': weights[f'{ours}.{key}']
        for ours, theirs in names.items()
        for key in ('conv3d.weight', *(f'bn.{part}' for part in BN))
    }
    extra = ('aux1.conv.conv.weight', 'aux2.fc1.bias', 'fc.weight')
    return content | {name: torch.ones(2, 2) for name in extra}


@pytest.mark.parametrize('layout', ['googlenet', 'own'])
def test_2d_weights_are_inflated(tmp_path, layout):
    flat = published_weights(dims=2)
    content = as_googlenet(flat) if layout == 'googlenet' else flat
    net = InceptionI3D(pretrained2d=True, init_cfg=save(tmp_path, content))
    net.init_weights()
    check_loaded(net, flat)
    depths = {x.shape[2] for x in net.state_dict().values() if x.dim() == 5}
    assert depths == {1, 3, 7}


def test_inflated_network_sees_a_repeated_frame_as_the_2d_network():
    flat, last = doubled(published_weights(dims=2)), 'Mixed_4b'
    net = fill(InceptionI3D, flat, pretrained2d=True, out=last)
    frame = torch.randn(1, 3, 33, 38, dtype=torch.float64)
    clip = frame.unsqueeze(2).expand(-1, -1, 40, -1, -1)
    got, expected = net(clip), inception_i3d(flat, frame)[last]
    assert got.shape[2] == 10
    for t in (4, 5):  # the 31 frames that they see lie inside the clip
        torch.testing.assert_close(got[:, :, t], expected, rtol=1e-9, atol=1e-9)
    assert (got[:, :, 0] - expected).abs().max() > 0.1


def test_3d_file_where_a_2d_one_is_announced(tmp_path, weights):
    net = InceptionI3D(
        out='Conv3d_1a_7x7', pretrained2d=True, init_cfg=save(tmp_path, weights)
    )
    with pytest.raises(ValueError, match=r'pretrained2d: .* got \(64, 3, 7, 7, 7\)'):
        net.init_weights()


def test_default_initialization():
    net = InceptionI3D(out='Conv3d_2c_3x3')
    net.init_weights()
    expected = (2 / (192 * 27)) ** 0.5  # He's, fan-out
    got = net.Conv3d_2c_3x3.conv3d.weight.std().item()
    assert got == pytest.approx(expected, rel=0.05)
    assert torch.equal(net.Conv3d_2c_3x3.bn.weight, torch.ones(192))


@pytest.mark.parametrize('shape', [(2, 3, 9, 9), (2, 2, 4, 9, 9), (2, 3, 0, 9, 9)])
def test_wrong_clips(shape):
    with pytest.raises(ValueError, match=r'clips: expected \(N, 3, T, H, W\) .* got'):
        InceptionI3D(out='Conv3d_1a_7x7')(torch.ones(shape))
