"""Inception-v3: published names and values, sizes, stages and training options."""

import pytest
import torch
from reference.inception_v3 import NUM_PARAMETERS, features, torchvision_shapes
from reference.published import doubled, seeded_weights
from staged_checks import (
    check_features,
    check_flow_initialization,
    check_loaded,
    fill,
    save,
)

from mmattn.models.backbones import InceptionV3

STAGES = tuple(InceptionV3.stages)
SHORT = 'mixed_5b'


@pytest.fixture(scope='module')
def weights():
    return seeded_weights(torchvision_shapes())


@pytest.fixture(scope='module')
def short_weights():
    return seeded_weights(torchvision_shapes(blocks=('Mixed_5b', 'Mixed_5c')))


@pytest.mark.parametrize('size', [(75, 75), (107, 76), (91, 110)])
def test_published_values(weights, size):
    net = fill(InceptionV3, weights, out=STAGES)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    check_features(net, features(doubled(weights), x), x)


def test_names_are_torchvisions_but_for_the_classifiers():
    with torch.device('meta'):
        names = list(InceptionV3().state_dict())
    published = torchvision_shapes()
    left_out = [n for n in published if n.startswith(('fc', 'AuxLogits'))]
    assert len(left_out) == 2 + 14
    assert sorted(names) == sorted(set(published) - set(left_out))


@pytest.mark.parametrize('side, sides', [(224, (25, 12, 5)), (299, (35, 17, 8))])
def test_parameters_and_shapes(side, sides):
    with torch.device('meta'):
        net = InceptionV3(out=('maxpool2', 'mixed_5d', 'mixed_6e', 'mixed_7c'))
        maps = net(torch.empty(2, 3, side, side))
    a, b, c = sides
    expected = [(192, a, a), (288, a, a), (768, b, b), (2048, c, c)]
    assert [x.shape[1:] for x in maps] == expected
    assert sum(p.numel() for p in net.parameters()) == NUM_PARAMETERS


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('layout', ['torchvision', 'timm'])
def test_files_load_as_they_are(tmp_path, short_weights, layout, prefix):
    content = {
        prefix + name: x
        for name, x in short_weights.items()
        if layout == 'torchvision' or not name.startswith('AuxLogits')
    }
    net = InceptionV3(out='mixed_5c', init_cfg=save(tmp_path, content))
    net.init_weights()
    check_loaded(net, short_weights)


def test_flow_gets_the_mean_of_rgb(tmp_path, short_weights):
    net = check_flow_initialization(tmp_path, InceptionV3, short_weights, out=SHORT)
    assert net(torch.randn(1, 10, 27, 43)).shape == (1, 256, 1, 3)
