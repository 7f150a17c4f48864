"""Inception-v1 I3D: published names and values, padding, inflation, flow, options."""

import pytest
import torch
from reference.inception_i3d import LAYERS, inception_i3d, published_weights
from reference.published import doubled
from staged_checks import (
    check_bf16,
    check_copies,
    check_flow_initialization,
    check_freezing,
    check_gradients_and_recomputing,
    check_norm_eval,
    check_one_graph,
    check_outputs_are_not_overwritten,
    check_partial_bn,
    check_stages_compose,
    check_widths,
    fill,
    norms,
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


def small(**options):
    """A narrow network with random normalization."""
    net = InceptionI3D(**({'base_channels': 8} | options))
    for norm in norms(net):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
        torch.nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return net


@pytest.mark.parametrize('size', [(9, 33, 40), (16, 38, 45), (7, 31, 66), (1, 1, 2)])
def test_published_values(weights, size):
    net = fill(InceptionI3D, weights, out=STAGES).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = inception_i3d(weights, x)
    for name, got in zip(STAGES, net(x), strict=True):
        torch.testing.assert_close(got, expected[name], rtol=1e-9, atol=1e-9)
    last = expected['Mixed_5c']
    assert last.std() > 0.1
    features, wanted = net.float()(x.float())[-1].mean((2, 3, 4)), last.mean((2, 3, 4))
    assert (features - wanted).norm() < 1e-4 * wanted.norm()


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


def test_widths():
    check_widths(InceptionI3D, (1, 3, 9, 33, 40))


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_published_file_loads_as_it_is(tmp_path, weights, prefix):
    content = {prefix + name: value for name, value in weights.items()}
    net = InceptionI3D(init_cfg=save(tmp_path, content))
    net.init_weights()
    for name, value in net.state_dict().items():
        if 'num_batches' not in name:
            assert torch.equal(value, weights[name]), name


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
    for name, value in net.state_dict().items():
        if value.dim() == 5:
            assert value.shape[2] in (1, 3, 7)
            for t in range(value.shape[2]):
                assert torch.equal(value[:, :, t], flat[name] / value.shape[2]), name
        elif 'num_batches' not in name:
            assert torch.equal(value, flat[name]), name


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


def test_stages_compose():
    x = torch.randn(2, 3, 5, 33, 40)
    check_stages_compose(small().eval(), x, STAGES)


def test_outputs_are_not_overwritten():
    x = torch.randn(2, 3, 5, 33, 40)
    check_outputs_are_not_overwritten(small(out=STAGES).eval(), x)


def test_only_what_is_needed_is_built():
    assert list(dict(small(out='Mixed_3b').named_children()))[-1] == 'Mixed_3b'


def test_gradients_and_recomputing():
    check_gradients_and_recomputing(small().eval(), torch.randn(2, 3, 9, 34, 40))


@pytest.mark.parametrize(
    'stages, first_free', [(1, 'Conv3d_2b_1x1'), (4, 'Mixed_3c.b0'), (12, None)]
)
def test_frozen_stages(stages, first_free):
    net = small(frozen_stages=stages)
    if first_free is None:
        assert not any(p.requires_grad for p in net.parameters())
        assert not any(norm.training for norm in norms(net.train()))
    else:
        x = torch.randn(2, 3, 4, 33, 40)
        check_freezing(net, f'{first_free}.conv3d.weight', x)


def test_norm_eval_and_partial_bn():
    check_norm_eval(small(norm_eval=True))
    check_partial_bn(small(partial_bn=True), torch.randn(2, 3, 5, 33, 40))


def test_copies_bf16_and_one_graph():
    net, x = small().eval(), torch.randn(1, 3, 8, 33, 40)
    check_copies(net, x)
    check_bf16(net, x)
    check_one_graph(small(out='Mixed_3b').eval(), x)


def test_default_initialization():
    net = InceptionI3D(out='Conv3d_2c_3x3')
    net.init_weights()
    expected = (2 / (192 * 27)) ** 0.5  # He's, fan-out
    got = net.Conv3d_2c_3x3.conv3d.weight.std().item()
    assert got == pytest.approx(expected, rel=0.05)
    assert torch.equal(net.Conv3d_2c_3x3.bn.weight, torch.ones(192))


@pytest.mark.parametrize(
    'options, message',
    [
        ({'out': 'Logits'}, "out: expected names among .*, got 'Logits'"),
        ({'frozen_stages': 13}, 'frozen_stages: .* -1 to 12, .* got 13'),
        (
            {'base_channels': 6},
            'base_channels: expected a positive multiple of 4, got 6',
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.parametrize('shape', [(2, 3, 9, 9), (2, 2, 4, 9, 9), (2, 3, 0, 9, 9)])
def test_wrong_clips(shape):
    with pytest.raises(ValueError, match=r'clips: expected \(N, 3, T, H, W\) .* got'):
        small(out='Conv3d_1a_7x7')(torch.ones(shape))
