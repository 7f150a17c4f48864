"""Training options and configs of the backbones made of stages."""

import pytest
import torch
from staged_checks import (
    check_builds_by_name,
    check_freezing,
    check_norm_eval,
    check_partial_bn,
)

from mmattn.registry import MODELS

# Last stage, side of the frames, and the first parameter behind three frozen stages.
INCEPTIONS = {
    'BNInception': ('inception_3c', 32, 'inception_3b.1x1.conv.weight'),
    'InceptionV3': ('mixed_5b', 43, 'Conv2d_3b_1x1.conv.weight'),
    'InceptionResNetV2': ('mixed_5b', 43, 'conv2d_3b.conv.weight'),
}
inceptions = pytest.mark.parametrize('name', INCEPTIONS)


def build(name, **options):
    return MODELS.get(name)(out=INCEPTIONS[name][0], **options)


def frames(name):
    side = INCEPTIONS[name][1]
    return torch.randn(2, 3, side, side)


@inceptions
def test_frozen_stages(name):
    check_freezing(build(name, frozen_stages=3), INCEPTIONS[name][2], frames(name))


@inceptions
def test_partial_bn(name):
    check_partial_bn(build(name, partial_bn=True), frames(name))


@inceptions
def test_norm_eval(name):
    check_norm_eval(build(name, norm_eval=True))


@pytest.mark.parametrize(
    'scope', ['mmaction', pytest.param('mmdet', marks=pytest.mark.det)]
)
@pytest.mark.parametrize(
    'name, options, shape',
    [
        *((n, {'out': out}, (side, side)) for n, (out, side, _) in INCEPTIONS.items()),
        ('InceptionI3D', {'base_channels': 4}, (2, 9, 9)),
        ('ResNeXt3D', {'depth': 50, 'base_channels': 6, 'cardinality': 4}, (2, 9, 9)),
        ('VGG', {'depth': 11, 'base_channels': 2, 'fc_channels': 5}, (64, 32)),
    ],
)
def test_builds_by_name_and_its_weights_load(name, options, shape, scope):
    config = {'type': f'mmattn.{name}', **options}
    check_builds_by_name(config, torch.randn(1, 3, *shape), scope)
