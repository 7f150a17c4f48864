"""Inception-ResNet-v2: published names and values, sizes, stages and training."""

import pytest
import torch
from reference.inception_resnet_v2 import NUM_PARAMETERS, features, timm_shapes
from reference.published import doubled, seeded_weights
from staged_checks import (
    check_features,
    check_flow_initialization,
    check_loaded,
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
    check_loaded(net, short_weights)


def test_flow_gets_the_mean_of_rgb(tmp_path, short_weights):
    net = check_flow_initialization(
        tmp_path, InceptionResNetV2, short_weights, out=SHORT
    )
    assert net(torch.randn(1, 10, 27, 43)).shape == (1, 320, 1, 3)
