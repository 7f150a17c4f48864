"""Depths of layers along what a network computes."""

import random

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from small_systems import SLOW_ONLY
from torch import nn
from torch.nn import functional as F

from mmattn.engine.optimizers.layer_depths import depth_table, layer_depths


def recognizer(kind, backbone, channels, **options):
    head = {'Recognizer3D': 'I3DHead'}.get(kind, 'TSNHead')
    cls_head = dict(type=head, num_classes=5, in_channels=channels)
    config = dict(type=kind, backbone=backbone, cls_head=cls_head)
    return MODELS.build({**config, **options})


@pytest.mark.parametrize(
    'depth, kind, backbone, channels',
    [
        (18, 'Recognizer2D', dict(type='ResNet', depth=18), 512),
        (50, 'Recognizer2D', dict(type='ResNet', depth=50), 2048),
        (18, 'Recognizer3D', SLOW_ONLY | dict(base_channels=64), 512),
        (11, 'Recognizer3D', dict(type='C3D'), 4096),
        (16, 'Recognizer2D', dict(type='mmattn.VGG', out='fc7'), 4096),
        (48, 'Recognizer2D', dict(type='mmattn.InceptionV3'), 2048),
        (22, 'Recognizer3D', dict(type='mmattn.InceptionI3D'), 1024),
    ],
    ids=lambda value: value.get('type') if isinstance(value, dict) else None,
)
def test_published_depths(depth, kind, backbone, channels):
    """L is the number that the networks' papers give, parallel branches shared."""
    options = {}
    if backbone['type'] == 'C3D':
        options['cls_head'] = dict(
            type='I3DHead', num_classes=5, in_channels=channels, spatial_type=None
        )
    with torch.device('meta'):
        model = recognizer(kind, backbone, channels, **options)
    depths = layer_depths(model)
    assert list(depths) == [name for name, _ in model.named_parameters()]
    assert set(depths.values()) == set(range(1, depth + 1))
    deepest = {name for name, value in depths.items() if value == depth}
    assert deepest == {'cls_head.fc_cls.weight', 'cls_head.fc_cls.bias'}


def test_residual_block():
    """Of ResNet-18: convolutions one by one, the shortcut beside the first of two."""
    with torch.device('meta'):
        model = recognizer('Recognizer2D', dict(type='ResNet', depth=18), 512)
    depths = layer_depths(model)
    found = {
        name.removeprefix('backbone.').removesuffix('.weight'): depths[name]
        for name in depths
        if 'layer2.0' in name and name.endswith('weight')
    }
    assert found == {
        'layer2.0.conv1.conv': 6,
        'layer2.0.conv1.bn': 6,
        'layer2.0.conv2.conv': 7,
        'layer2.0.conv2.bn': 7,
        'layer2.0.downsample.conv': 6,
        'layer2.0.downsample.bn': 6,
    }
    assert depths['backbone.conv1.conv.weight'] == 1
    assert depths['backbone.layer2.1.conv1.conv.weight'] == 8


def test_parallel_branches_share_depths():
    with torch.device('meta'):
        net = MODELS.build(dict(type='mmattn.BNInception'))
    depths = layer_depths(net)
    first = depths['inception_3a.1x1.conv.weight']
    chain = [
        depths[f'inception_3a.{name}.conv.weight']
        for name in ('double_3x3_reduce', 'double_3x3_1', 'double_3x3_2')
    ]
    assert chain == [first, first + 1, first + 2]
    assert depths['inception_3a.pool_proj.conv.weight'] == first
    assert depths['inception_3a.3x3.bn.bias'] == first + 1
    assert depths['inception_3b.1x1.conv.weight'] == first + 3


def test_attention_counts_where_it_runs():
    """Its module is registered last, but runs between two stages."""
    attention = dict(after='layer1', module=dict(type='mmattn.SqueezeExcitation'))
    backbone = dict(
        type='mmattn.AttentionBackbone',
        backbone=dict(type='ResNet', depth=18),
        attentions=[attention],
    )
    model = recognizer('Recognizer2D', backbone, 512)
    depths = layer_depths(model)
    inside = {d for name, d in depths.items() if '.attentions.' in name}
    assert inside == {6, 7}
    assert depths['backbone.layer1.1.conv2.conv.weight'] == 5
    assert depths['backbone.layer2.0.conv1.conv.weight'] == 8
    assert max(depths.values()) == 20


@pytest.mark.parametrize('freeze', [False, True])
def test_recognizer_of_frames(freeze):
    """A backbone that runs without gradients is counted all the same."""
    head = dict(type='mmattn.TemporalLSTMHead', num_classes=5, in_channels=32)
    head.update(num_segments=3, test_steps=2, lstm=dict(num_steps=4, hidden_channels=8))
    backbone = dict(type='mmattn.VGG', base_channels=4, fc_channels=32, out='fc7')
    model = recognizer(
        'mmattn.FrameRecognizer', backbone, 32, cls_head=head, freeze_backbone=freeze
    )
    depths = layer_depths(model)
    assert depths['backbone.features.0.weight'] == 1
    fc7 = depths['backbone.classifier.3.weight']
    assert fc7 == 15
    inside = [d for name, d in depths.items() if name.startswith('cls_head.lstm')]
    assert min(inside) == fc7 + 1
    last = max(depths.values())
    assert max(inside) < last
    assert depths['cls_head.fc_cls.weight'] == last


class Scaled(nn.Module):
    """A scale in the module that holds the layers, and a branch of three steps."""

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.classifier = nn.Linear(5, 2)
        self.norm = nn.BatchNorm1d(3)
        self.wide = nn.ModuleList(nn.Linear(5, 5) for _ in range(2))
        self.kernel = nn.Parameter(torch.ones(5, 3))

    def forward(self, x):
        x = F.linear(self.norm(x), self.kernel)
        y = self.wide[1](self.wide[0](x))
        return self.classifier(x + self.gamma * y)


def test_parameters_of_a_module_itself():
    """The module's own matrix is a layer, and its scale belongs to that."""
    assert layer_depths(Scaled(), (3,)) == {
        'gamma': 1,
        'kernel': 1,
        'classifier.weight': 4,
        'classifier.bias': 4,
        'norm.weight': 1,
        'norm.bias': 1,
        'wide.0.weight': 2,
        'wide.0.bias': 2,
        'wide.1.weight': 3,
        'wide.1.bias': 3,
    }


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.inside = nn.Linear(3, 3)

    def forward(self, x):
        return x + self.gamma * self.inside(x)


def test_lone_scale_follows_the_layer_before_it():
    net = nn.Sequential(nn.Linear(3, 3), Residual(), nn.Linear(3, 2))
    assert list(layer_depths(net, (3,)).values()) == [1, 1, 2, 2, 2, 3, 3]


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, num_layers=2)
        self.attention = nn.MultiheadAttention(5, 1)
        self.classifier = nn.Linear(5, 2)

    def forward(self, x):
        x = self.lstm(x)[0]
        return self.classifier(self.attention(x, x, x)[0])


def test_modules_of_torch_that_run_as_one():
    depths = layer_depths(Recurrent(), (7, 3))
    assert {d for name, d in depths.items() if name.startswith('lstm')} == {1}
    assert {d for name, d in depths.items() if name.startswith('attention')} == {2}
    assert depths['classifier.weight'] == 3


def test_layers_that_run_twice_count_once():
    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, nn.Linear(3, 3), shared, nn.Linear(3, 2))
    assert layer_depths(net, (3,)) == {
        '0.weight': 1,
        '0.bias': 1,
        '1.weight': 2,
        '1.bias': 2,
        '3.weight': 3,
        '3.bias': 3,
    }


def test_weights_of_two_modules():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 2))
    net[2].weight = net[0].weight
    depths = layer_depths(net, (3,))
    assert '2.weight' not in depths
    assert (depths['0.weight'], depths['2.bias'], depths['3.weight']) == (1, 1, 2)


class Writing(nn.Module):
    """Data pass through a tensor made of a weight's shape, in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        x = self.first(x)
        y = self.second.weight.new_zeros(x.shape)
        y[:, :2] = x[:, :2]
        return self.second(y)


def test_values_written_in_place_are_followed():
    assert list(layer_depths(Writing(), (3,)).values()) == [1, 1, 2, 2]


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 2)
        self.backbone = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Conv2d(5, 5, 1))

    def forward(self, batch, boxes):
        raise AssertionError('never run')


def test_heads_of_other_models_come_last():
    depths = layer_depths(Detector())
    assert list(depths.values()) == [3, 3, 1, 1, 2, 2]


def test_what_does_not_run_has_the_last_depth():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    net[0].auxiliary = nn.Linear(3, 2)
    assert list(layer_depths(net, (3,)).values()) == [1, 1, 2, 2, 2, 2]


def test_frozen_layers_count():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    net[0].requires_grad_(False)
    assert list(layer_depths(net, (3,)).values()) == [1, 1, 2, 2]


def test_nothing_changes():
    with torch.device('cpu'):
        model = recognizer('Recognizer2D', dict(type='ResNet', depth=18), 512)
    model.train()
    model.backbone.layer1.eval()
    kept = {name: x.clone() for name, x in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    versions = [x._version for x in model.state_dict(keep_vars=True).values()]
    states = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    layer_depths(model)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert random.getstate() == states[2]
    assert [module.training for module in model.modules()] == modes
    assert [x._version for x in model.state_dict(keep_vars=True).values()] == versions
    for name, x in model.state_dict().items():
        assert torch.equal(x, kept[name]), name
        assert not hasattr(x, 'units')


def test_table():
    net = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    assert depth_table(layer_depths(net, (3,))).splitlines() == [
        'depth  rate    modules',
        '    1  0.7071  0, 1',
        '    2  1.0000  2',
    ]


def test_lazy_parameters():
    net = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ValueError, match=r'0\.weight: expected an initialized'):
        layer_depths(net, (3,))


class Constant(BaseModule):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    'net, shape, message',
    [
        (
            nn.Linear(3, 2),
            None,
            'input_shape: expected the shape .* Linear has no conv',
        ),
        (nn.Linear(3, 2), (4,), r'input_shape: expected .* Linear takes, .* \(4,\): '),
        (Constant(), (3,), 'expected Constant to use its parameters'),
    ],
)
def test_refusals(net, shape, message, recwarn):
    with pytest.raises(ValueError, match=message):
        layer_depths(net, shape)
