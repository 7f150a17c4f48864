"""Inception-ResNet-v2: published names and values, sizes, stages and training."""

import pytest
import torch
from reference.inception_resnet_v2 import NUM_PARAMETERS, features, timm_shapes
from reference.published import doubled, seeded_weights
from staged_checks import (
    check_bf16,
    check_copies,
    check_features,
    check_flow_initialization,
    check_gradients_and_recomputing,
    check_one_graph,
    check_outputs_are_not_overwritten,
    check_sizes,
    check_stages_compose,
    check_widths,
    fill,
    save,
)

from mmattn.models.backbones import InceptionResNetV2

STAGES = tuple(InceptionResNetV2.stages)
SHORT = 'mixed_5b'


@pytest.fixture(scope='module')
def weights():
    return seeded_weights(timm_shapes())


@pytest.fixture(scope='module')
def short_weights():
    stages = (*STAGES[: STAGES.index('mixed_6a')], 'repeat_2')
    return seeded_weights(timm_shapes(stages=stages))


@pytest.fixture
def short(short_weights):
    return fill(InceptionResNetV2, short_weights, out='repeat_relu')


@pytest.mark.parametrize('size', [(75, 80), (107, 75)])
def test_published_values(weights, size):
    net = fill(InceptionResNetV2, weights, out=STAGES)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    check_features(net, features(doubled(weights), x), x)


def test_last_layers_of_the_blocks_have_no_activation(weights):
    net = fill(InceptionResNetV2, weights, out=('repeat', 'repeat_1', 'block8'))
    maps = net(torch.randn(1, 3, 75, 75))
    assert all(x.min() < 0 for x in maps)
    assert net.forward_stages(maps[0], 'repeat_relu', 'mixed_6a').min() == 0


@pytest.mark.parametrize('classifier', ['classif', 'last_linear'])
def test_names_are_timms_but_for_the_classifier(classifier):
    with torch.device('meta'):
        net = InceptionResNetV2()
    published = timm_shapes(classifier=classifier)
    shapes = {name: tuple(x.shape) for name, x in net.state_dict().items()}
    left_out = {f'{classifier}.weight', f'{classifier}.bias'}
    assert shapes == {k: v for k, v in published.items() if k not in left_out}


def test_widths():
    check_widths(InceptionResNetV2, (1, 3, 75, 91))


@pytest.mark.parametrize('side, sides', [(224, (25, 12, 5)), (299, (35, 17, 8))])
def test_parameters_and_shapes(side, sides):
    outs = ('maxpool_5a', 'repeat', 'repeat_1', 'block8', 'conv2d_7b')
    with torch.device('meta'):
        net = InceptionResNetV2(out=outs)
        maps = net(torch.empty(2, 3, side, side))
    a, b, c = sides
    expected = [(192, a, a), (320, a, a), (1088, b, b), (2080, c, c), (1536, c, c)]
    assert [x.shape[1:] for x in maps] == expected
    assert sum(p.numel() for p in net.parameters()) == NUM_PARAMETERS


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_files_load_as_they_are(tmp_path, short_weights, prefix):
    content = {prefix + name: x for name, x in short_weights.items()}
    net = InceptionResNetV2(out='repeat_relu', init_cfg=save(tmp_path, content))
    net.init_weights()
    for name, value in net.state_dict().items():
        assert torch.equal(value, short_weights[name]), name


def test_flow_gets_the_mean_of_rgb(tmp_path, short_weights):
    net = check_flow_initialization(
        tmp_path, InceptionResNetV2, short_weights, out=SHORT
    )
    assert net(torch.randn(1, 10, 27, 43)).shape == (1, 320, 1, 3)


def test_smallest_frames():
    check_sizes(InceptionResNetV2, 75)
    check_sizes(InceptionResNetV2, 43, out='repeat_1')
    check_sizes(InceptionResNetV2, 27, out='repeat')


def test_stages_compose(weights):
    net = fill(InceptionResNetV2, weights)
    stages = ('conv2d_1a', 'mixed_5b', 'repeat_relu', 'repeat_1', 'block8')
    check_stages_compose(net, torch.randn(1, 3, 75, 76), stages)


def test_outputs_are_not_overwritten(weights):
    net = fill(InceptionResNetV2, weights, out=STAGES)
    check_outputs_are_not_overwritten(net, torch.randn(1, 3, 75, 75))


def test_gradients_and_recomputing(weights):
    net = fill(InceptionResNetV2, weights)
    check_gradients_and_recomputing(net, torch.randn(1, 3, 107, 107))


def test_copies(short):
    check_copies(short, torch.randn(1, 3, 43, 43))


def test_one_graph(short):
    check_one_graph(short, torch.randn(1, 3, 75, 77))


def test_bf16(weights):
    net = fill(InceptionResNetV2, weights)
    check_bf16(net, torch.randn(2, 3, 91, 75))


@pytest.mark.parametrize(
    'options, message',
    [
        ({'out': 'repeat_3'}, "out: expected names among .*, got 'repeat_3'"),
        ({'frozen_stages': 14}, 'frozen_stages: .* -1 to 13, .* got 14'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        InceptionResNetV2(**options)


def test_wrong_stages_and_small_maps(short):
    with pytest.raises(ValueError, match=r"start: expected one of .*, got 'block8'"):
        short.forward_stages(torch.ones(1, 3, 75, 75), start='block8')
    with pytest.raises(ValueError, match='input of conv2d_4a: expected at least 5 x 5'):
        short.forward_stages(torch.ones(1, 80, 4, 9), start='conv2d_4a')
