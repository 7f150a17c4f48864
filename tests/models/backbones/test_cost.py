"""Parameters and multiply-adds of the published networks."""

import pytest
import torch
from reference import bninception, inception_resnet_v2, inception_v3
from reference.inception_i3d import inception_i3d
from reference.resnext3d import resnext3d
from torch.utils.flop_counter import FlopCounterMode

from mmattn.models import backbones

# Of torchvision's and timm's networks without their classifiers, as counted on them,
# and for the others of ours; with batch normalization's scales and shifts.
COSTS = {
    ('VGG', (3, 224, 224)): (138_357_544 - 4_097_000, 15_470_264_320 - 4_096_000),
    ('InceptionV3', (3, 299, 299)): (21_785_568, 5_713_216_096 - 2_048_000),
    ('InceptionResNetV2', (3, 299, 299)): (54_306_464, 13_154_258_016),
    ('BNInception', (3, 224, 224)): (10_270_240, 2_031_576_064),
    ('InceptionI3D', (3, 16, 224, 224)): (12_287_264, 27_787_569_152),
    ('ResNeXt3D', (3, 16, 112, 112)): (47_521_216, 9_566_896_128),
}
OPTIONS = {'VGG': {'out': 'fc7'}}
LITERAL = {
    'BNInception': bninception.features,
    'InceptionV3': inception_v3.features,
    'InceptionResNetV2': inception_resnet_v2.features,
    'InceptionI3D': inception_i3d,
    'ResNeXt3D': lambda w, x: resnext3d(w, x, depth=101, cardinality=32),
}


def multiply_adds(function, *args):
    """Of convolutions and matrix products, as published numbers count."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        function(*args)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize('name, shape', COSTS)
def test_published_cost(name, shape):
    with torch.device('meta'):
        net = getattr(backbones, name)(**OPTIONS.get(name, {})).eval()
        flops = multiply_adds(net, torch.empty(1, *shape))
    assert (sum(p.numel() for p in net.parameters()), flops) == COSTS[name, shape]


@pytest.mark.parametrize('name', LITERAL)
def test_costs_what_the_equations_cost(name):
    clip = name in ('InceptionI3D', 'ResNeXt3D')
    with torch.device('meta'):
        net = getattr(backbones, name)().eval()
        x = torch.empty(2, 3, *(7, 66, 79) if clip else (96, 128))
        weights = net.state_dict()
        if name == 'BNInception':
            shapes = bninception.cadene_shapes()
            weights = {key: torch.empty(shape) for key, shape in shapes.items()}
        assert multiply_adds(net, x) == multiply_adds(LITERAL[name], weights, x)
