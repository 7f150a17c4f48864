"""BN-Inception: published names and values, sizes, stages and training options."""

import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from reference.bninception import NUM_PARAMETERS, as_tsn, cadene_shapes, features
from reference.published import doubled, seeded_weights
from staged_checks import (
    check_features,
    check_flow_initialization,
    check_loaded,
    fill,
    save,
)
from torch.nn import functional as F

from mmattn.models.backbones import BNInception
from mmattn.models.backbones.bninception import HalvingMaxPool

STAGES = tuple(BNInception.stages)
SHORT = 'inception_3c'


@pytest.fixture(scope='module')
def weights():
    return seeded_weights(cadene_shapes())


@pytest.mark.parametrize('size', [(31, 38), (95, 70), (102, 63)])
def test_published_values(weights, size):
    net = fill(BNInception, weights, out=STAGES)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    check_features(net, features(doubled(weights), x), x)


def test_parameters_and_shapes():
    with torch.device('meta'):
        net = BNInception(out=('inception_3b', 'inception_4c', 'inception_5b'))
        maps = net(torch.empty(2, 3, 224, 224))
    assert [x.shape[1:] for x in maps] == [(320, 28, 28), (608, 14, 14), (1024, 7, 7)]
    assert sum(p.numel() for p in net.parameters()) == NUM_PARAMETERS
    published = cadene_shapes()
    total = sum(
        torch.Size(shape).numel()
        for name, shape in published.items()
        if not name.startswith('last_linear')
        and not name.endswith(('mean', 'var', 'tracked'))
    )
    assert total == NUM_PARAMETERS


@pytest.mark.parametrize('prefix', ['', 'module.', 'module.base_model.'])
@pytest.mark.parametrize('layout', ['cadene', 'tsn'])
def test_files_load_as_they_are(tmp_path, weights, layout, prefix):
    content = weights if layout == 'cadene' else as_tsn(weights)
    content = {prefix + name: x for name, x in content.items()}
    net = BNInception(out=SHORT, init_cfg=save(tmp_path, content))
    net.init_weights()
    expected = fill(BNInception, weights, out=SHORT).state_dict()
    check_loaded(net, expected)


def test_flow_gets_the_mean_of_rgb(tmp_path, weights):
    net = check_flow_initialization(tmp_path, BNInception, weights, out=SHORT)
    assert torch.equal(net.conv1[0].conv.bias, weights['conv1_7x7_s2.bias'])
    assert net(torch.randn(1, 10, 32, 32)).shape == (1, 576, 2, 2)


@pytest.mark.parametrize('size', [8, 9])
def test_halving_pool_has_a_window_at_every_second_pixel(size):
    x = torch.randn(2, 3, size, size + 5)
    expected = [
        [x[..., i : i + 3, j : j + 3].amax((2, 3)) for j in range(0, size + 5, 2)]
        for i in range(0, size, 2)
    ]
    got = HalvingMaxPool()(x)
    assert torch.equal(got, torch.stack([torch.stack(r, -1) for r in expected], -2))
    if size == 8:
        even = x[..., :12]
        published = F.max_pool2d(even, 3, 2, ceil_mode=True)
        assert torch.equal(HalvingMaxPool()(even), published)


@pytest.mark.parametrize('side, last', [(112, 4), (299, 10), (7, 1)])
def test_sizes_that_the_caffe_network_does_not_take(side, last):
    with torch.device('meta'):
        assert BNInception()(torch.empty(1, 3, side, 224)).shape == (1, 1024, last, 7)


def test_builds_in_the_hosts_recognizer():
    config = {
        'type': 'Recognizer2D',
        'backbone': {'type': 'mmattn.BNInception', 'num_segments': 3},
        'cls_head': {'type': 'TSNHead', 'num_classes': 5, 'in_channels': 1024},
        'test_cfg': {'fcn_test': True},
    }
    recognizer = HOST_MODELS.build(config).eval()
    maps, options = recognizer.extract_feat(
        torch.randn(1, 3, 3, 32, 32), test_mode=True
    )
    assert options['num_segs'] == 3
    assert maps.shape == (1, 1024, 3, 1, 1)
