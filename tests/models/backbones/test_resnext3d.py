"""3D ResNeXt: published names and values, inflation, flow, options."""

import pytest
import torch
from reference.published import doubled
from reference.resnext3d import published_shapes, published_weights, resnext3d
from staged_checks import (
    check_features,
    check_flow_initialization,
    check_loaded,
    fill,
    save,
)

from mmattn.models.backbones.resnext3d import ResNeXt3D

STAGES = tuple(ResNeXt3D.stages)
SMALL = {'cardinality': 4, 'base_channels': 6}
PUBLISHED = {'cardinality': 4, 'width': 6}


@pytest.fixture(scope='module')
def weights():
    return published_weights(depth=50, classes=7, **PUBLISHED)


@pytest.mark.parametrize(
    'depth, size',
    [(50, (16, 48, 41)), (50, (7, 33, 64)), (50, (1, 1, 2)), (101, (8, 31, 35))],
)
def test_published_values(depth, size):
    weights = published_weights(depth=depth, classes=7, **PUBLISHED)
    net = fill(ResNeXt3D, weights, depth=depth, out=STAGES, **SMALL)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    check_features(net, resnext3d(weights, x, depth=depth, cardinality=4), x)


def test_published_size():
    """Of the 101 layers: Kinetics-400's 48,340,816 parameters, less the classifier."""
    with torch.device('meta'):
        net = ResNeXt3D(out=STAGES)
        maps = net(torch.empty(1, 3, 64, 112, 112))
    assert [tuple(x.shape[1:]) for x in maps] == [
        (64, 32, 28, 28),
        (256, 32, 28, 28),
        (512, 16, 14, 14),
        (1024, 8, 7, 7),
        (2048, 4, 4, 4),
    ]
    assert sum(p.numel() for p in net.parameters()) == 48340816 - 400 * 2049
    published = published_shapes()
    kernels = {f'{name}.weight': shape for name, shape in published.items()}
    assert kernels.pop('fc.weight') == (400, 2048)
    assert kernels['conv1.weight'] == (64, 3, 7, 7, 7)
    assert kernels['layer1.0.conv2.weight'] == (128, 4, 3, 3, 3)
    got = {name: tuple(p.shape) for name, p in net.named_parameters() if p.dim() == 5}
    assert got == kernels


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_published_file_loads_as_it_is(tmp_path, weights, prefix):
    state = {prefix + name: value for name, value in weights.items()}
    content = {'arch': 'resnext-50', 'state_dict': state}
    net = ResNeXt3D(50, **SMALL, init_cfg=save(tmp_path, content))
    net.init_weights()
    check_loaded(net, weights)
    assert 'layer3.0.downsample.1.running_var' in net.state_dict()


def test_file_of_another_depth(tmp_path, weights):
    net = ResNeXt3D(101, **SMALL, init_cfg=save(tmp_path, weights))
    with pytest.raises(ValueError, match=r"published.pth: .* first \['layer3.6.conv1"):
        net.init_weights()


def test_flow_gets_the_mean_of_rgb(tmp_path, weights):
    options = dict(channels=2, depth=50, out='stem', **SMALL)
    net = check_flow_initialization(tmp_path, ResNeXt3D, weights, **options)
    assert net(torch.ones(1, 2, 3, 9, 9)).shape == (1, 6, 2, 3, 3)


def test_2d_weights_are_inflated(tmp_path):
    flat = published_weights(depth=50, dims=2, **PUBLISHED)
    init_cfg = save(tmp_path, flat)
    net = ResNeXt3D(50, **SMALL, pretrained2d=True, init_cfg=init_cfg)
    net.init_weights()
    check_loaded(net, flat)
    assert net.layer2[1].conv2.weight.shape[2] == 3


def test_inflated_network_sees_a_repeated_frame_as_the_2d_network():
    flat = doubled(published_weights(depth=50, dims=2, **PUBLISHED))
    options = dict(depth=50, pretrained2d=True, out='layer1', **SMALL)
    net = fill(ResNeXt3D, flat, **options)
    frame = torch.randn(1, 3, 33, 38, dtype=torch.float64)
    clip = frame.unsqueeze(2).expand(-1, -1, 28, -1, -1)
    got = net(clip)
    expected = resnext3d(flat, frame, depth=50, cardinality=4)['layer1']
    assert got.shape[2] == 14
    for t in (6, 7):  # the 21 frames that they see lie inside the clip
        torch.testing.assert_close(got[:, :, t], expected, rtol=1e-9, atol=1e-9)
    assert (got[:, :, 0] - expected).abs().max() > 0.1


@pytest.mark.parametrize('depth, blocks', [(50, 16), (101, 33), (152, 50)])
def test_depths(depth, blocks):
    with torch.device('meta'):
        names = ResNeXt3D(depth, **SMALL).state_dict()
    assert sum(name.endswith('conv2.weight') for name in names) == blocks


@pytest.mark.parametrize(
    'options, message',
    [
        ({'depth': 18}, r'depth: expected one of \[50, 101, 152\], got 18'),
        ({'cardinality': 5}, 'cardinality: expected a divisor of 2 x 6 .*, got 5'),
        ({'cardinality': 0}, 'cardinality: expected a divisor of 2 x 6 .*, got 0'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        ResNeXt3D(**SMALL | options)


@pytest.mark.parametrize('shape', [(2, 3, 9, 9), (2, 2, 4, 9, 9), (2, 3, 4, 9, 0)])
def test_wrong_clips(shape):
    with pytest.raises(ValueError, match=r'clips: expected \(N, 3, T, H, W\) .* got'):
        ResNeXt3D(50, **SMALL, out='stem')(torch.ones(shape))
