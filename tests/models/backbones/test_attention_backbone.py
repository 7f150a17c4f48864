"""Attention anywhere: the wrapped backbones, places, checkpoints, training options."""

import copy
import pickle

import pytest
import torch
from mmaction.models.recognizers import Recognizer2D
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmcv.cnn import NonLocal3d
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmattn.attention.capture import capture_attention
from mmattn.models.backbones import AttentionBackbone
from mmattn.models.layers import SqueezeExcitation
from mmattn.registry import MODELS

SE = {'type': 'mmattn.SqueezeExcitation', 'reduction': 4}
FCS = ('fc1', 'fc2')
SLOW = dict(
    type='resnet3d',
    depth=18,
    pretrained=None,
    lateral=True,
    base_channels=16,
    conv1_kernel=(1, 7, 7),
    inflate=(0, 0, 1, 1),
)
FAST = dict(
    type='resnet3d',
    depth=18,
    pretrained=None,
    lateral=False,
    base_channels=2,
    conv1_kernel=(5, 7, 7),
)
R3D = dict(depth=18, pretrained=None, base_channels=8)
# Options of the backbone, place, shape of an input.
CASES = {
    'ResNet': (dict(depth=18), 'layer3', (2, 3, 40, 48)),
    'ResNetTSM': (
        dict(depth=18, num_segments=4, pretrained2d=False),
        'layer2.1',
        (4, 3, 40, 48),
    ),
    'TANet': (dict(depth=50, num_segments=3), 'layer1', (3, 3, 33, 32)),
    'MobileNetV2': (dict(widen_factor=0.25), 'layer4', (2, 3, 40, 48)),
    'MobileNetV2TSM': (
        dict(num_segments=4, widen_factor=0.25),
        'layer4',
        (4, 3, 40, 48),
    ),
    'ResNet3d': (R3D, 'layer2', (1, 3, 7, 40, 32)),
    'ResNet3dSlowOnly': (R3D | dict(inflate=(0, 0, 1, 1)), 'layer3', (1, 3, 5, 40, 32)),
    'ResNet3dSlowFast': (
        dict(slow_pathway=SLOW, fast_pathway=FAST),
        'slow_path.layer2',
        (1, 3, 16, 32, 40),
    ),
    'ResNet3dCSN': (R3D | dict(depth=50), 'layer2', (1, 3, 4, 32, 40)),
    'ResNet2Plus1d': (
        R3D | dict(pretrained2d=False, conv_cfg=dict(type='Conv2plus1d')),
        'layer2',
        (1, 3, 8, 32, 40),
    ),
    'C3D': (dict(out_dim=512), 'conv4a', (1, 3, 16, 16, 16)),
    'C2D': (dict(depth=18), 'maxpool3d_1', (1, 3, 4, 40, 32)),
    'X3D': (dict(gamma_d=1), 'layer3', (1, 3, 4, 40, 32)),
    'UniFormer': (
        dict(depth=[1, 1, 1, 1], embed_dim=[16, 24, 32, 40], head_dim=8),
        'blocks2.0',
        (1, 3, 8, 64, 32),
    ),
    'mmattn.VGG': (
        dict(depth=16, base_channels=4, out='pool5'),
        'conv3',
        (2, 3, 40, 48),
    ),
    'mmattn.BNInception': (dict(out='inception_3c'), 'inception_3b', (1, 3, 40, 48)),
    'mmattn.InceptionV3': (dict(out='mixed_5d'), 'mixed_5c', (1, 3, 80, 80)),
    'mmattn.InceptionI3D': (dict(base_channels=8), 'Mixed_4b', (1, 3, 5, 33, 40)),
    'mmattn.ResNeXt3D': (
        dict(depth=50, base_channels=6, cardinality=4),
        'layer2',
        (1, 3, 5, 33, 40),
    ),
    'mmpretrain.ResNet': (dict(depth=18), 'layer3', (2, 3, 40, 48)),
    'torchvision.resnet18': ({}, 'layer3', (2, 3, 40, 48)),
    'torchvision.vgg11': ({}, 'features.6', (2, 3, 40, 48)),
    'timm.resnet18': ({}, 'layer3', (2, 3, 40, 48)),
}


def config_of(name):
    return {'type': name, **copy.deepcopy(CASES[name][0])}


def attend(name, *places, **options):
    """A wrapped backbone of :data:`CASES`, small inputs for its run on zeros."""
    entries = [{'after': place, 'module': SE} for place in places or [CASES[name][1]]]
    options = {'input_shape': CASES[name][2][1:], 'attentions': entries} | options
    return AttentionBackbone(config_of(name), **options)


def open_gates(net):
    """Make the attention an identity: every weight exactly 1."""
    for se in net.attentions:
        nn.init.zeros_(se.fc2.weight)
        nn.init.constant_(se.fc2.bias, 100)


def flat(outputs):
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return torch.cat([x.flatten() for x in outputs])


def plain_features(recognizer, x):
    """What the host's recognizer gets from the backbone alone."""
    if recognizer.backbone_from == 'mmaction2':
        return recognizer.backbone(x)
    return recognizer.extract_feat(x[None], stage='backbone')[0]


def pooled_if_asked(net, x):
    """The host pools the maps of torchvision and timm before the head does."""
    y = net(x)
    if net.backbone_from in ('torchvision', 'timm'):
        return nn.functional.adaptive_avg_pool2d(y, 1)
    return y


@pytest.mark.parametrize('name', CASES)
def test_identity_changes_nothing_and_gradient_reaches_both(name):
    if not name.startswith('mmattn.') and '.' in name:
        pytest.importorskip(name.split('.')[0])
    recognizer = Recognizer2D(config_of(name))
    bare, net = recognizer.backbone, attend(name)
    bare.eval()
    net.eval()
    weights = bare.state_dict()
    new = [f'attentions.0.{fc}.{key}' for fc in FCS for key in ('weight', 'bias')]
    assert list(net.state_dict()) == [*weights, *new]
    result = net.load_state_dict(weights, strict=False)
    assert result.missing_keys == new
    assert not result.unexpected_keys

    open_gates(net)
    x = torch.randn(CASES[name][2])
    expected, got = flat(plain_features(recognizer, x)), flat(pooled_if_asked(net, x))
    assert torch.equal(got, expected)
    assert expected.std() > 0
    expected.square().mean().backward()
    got.square().mean().backward()
    for key, p in bare.named_parameters():
        grad = net.get_parameter(key).grad
        assert grad is p.grad is None or torch.equal(grad, p.grad), key
    assert next(bare.parameters()).grad.abs().max() > 0

    nn.init.normal_(net.attentions[0].fc2.bias)
    flat(net(x)).square().mean().backward()
    assert net.attentions[0].fc2.bias.grad.abs().max() > 0
    assert not torch.equal(flat(pooled_if_asked(net, x)), expected)


def test_own_and_package_class():
    net = attend('ResNetTSM')
    assert isinstance(net, AttentionBackbone)
    assert isinstance(net, type(HOST_MODELS.build(config_of('ResNetTSM'))))
    assert net.num_segments == 4
    assert attend('mmattn.VGG').stage_names[-1] == 'pool5'


class Trace(nn.Module):
    """Notes in which order and with what it is called, and adds a number."""

    calls: list = []

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x):
        self.calls.append((self.number, tuple(x.shape)))
        return x + self.number


@pytest.mark.parametrize(
    'config, place, before, after',
    [
        (dict(type='ResNet', depth=18), 'layer2', (64, 8, 12), (128, 4, 6)),
        (
            dict(type='mmattn.VGG', depth=11, base_channels=4, out='pool3'),
            'conv3',
            (8, 8, 12),
            (16, 8, 12),
        ),
    ],
)
def test_order_and_places(config, place, before, after):
    modules = [('after', 5), ('before', 2), ('after', 7), ('before', 3)]
    entries = [
        {when: place, 'module': dict(type=Trace, number=number)}
        for when, number in modules
    ]
    net = AttentionBackbone(config, attentions=entries).eval()
    bare = HOST_MODELS.build(config)
    bare.eval()
    bare.load_state_dict(net.state_dict())
    Trace.calls = []
    x = torch.randn(1, 3, 32, 48)
    got = net(x)
    shapes = [(1, *before), (1, *before), (1, *after), (1, *after)]
    assert Trace.calls == list(zip((2, 3, 5, 7), shapes, strict=True))
    if config['type'] == 'ResNet':
        y = bare.layer1(bare.maxpool(bare.conv1(x)))
        expected = bare.layer4(bare.layer3(bare.layer2(y + 2 + 3) + 5 + 7))
    else:
        y = bare.forward_stages(x, stop='conv3')
        y = bare.forward_stages(y + 2 + 3, 'conv3', 'pool3') + 5 + 7
        expected = bare.forward_stages(y, 'pool3')
    torch.testing.assert_close(got, expected)


def test_stages_of_ours_can_be_run_apart():
    net, x = attend('mmattn.VGG').eval(), torch.randn(1, 3, 40, 48)
    middle = net.forward_stages(x, stop='conv3')
    assert torch.equal(net.forward_stages(middle, 'conv3'), net(x))
    bare = HOST_MODELS.build(config_of('mmattn.VGG')).eval()
    bare.load_state_dict(net.state_dict(), strict=False)
    torch.testing.assert_close(middle, bare.forward_stages(x, stop='conv3'))
    assert not torch.allclose(net(x), bare(x))


def test_a_tapped_stage_is_tapped_after_its_attention():
    config = dict(type='ResNet', depth=18, out_indices=(1, 3))
    net = AttentionBackbone(config, attentions=[{'after': 'layer2', 'module': SE}])
    x = torch.randn(1, 3, 32, 32)
    middle, last = net.eval()(x)
    torch.testing.assert_close(net.layer4(net.layer3(middle)), last)


def test_maps_are_handed_out():
    net = attend('ResNet3d', 'layer1', 'layer2').eval()
    with capture_attention(net) as records:
        net(torch.randn(CASES['ResNet3d'][2]))
    names = ['attentions.0.channel_weights', 'attentions.1.channel_weights']
    assert [r.name for r in records] == names
    assert records[1].map.shape == (1, 3, 16)


class Odd(nn.Module):
    """Places that are no single map, run twice or never run."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.narrow = nn.Conv2d(4, 2, 1)
        self.act = nn.ReLU()
        self.pair = Pair()
        self.unused = nn.ModuleList([nn.Conv2d(2, 2, 1)])

    def forward(self, x):
        x = self.act(self.conv(x))
        return self.pair(self.act(self.narrow(x)))[0]


class Pair(nn.Module):
    def forward(self, x):
        return x, x


PLACES = "one of .'conv', 'narrow', 'act', 'pair'. or inside"


@pytest.mark.parametrize(
    'entry, message',
    [
        (dict(before='layer9', module=SE), rf"0..before: .*{PLACES}.*, got 'layer9'"),
        (dict(after='unused.0', module=SE), rf"0..after: .*{PLACES}.*, got 'unused.0'"),
        (dict(after='act', module=SE), r"after 'act': .* got \[\(1, 4, .*\(1, 2, "),
        (dict(after='pair', module=SE), r"after 'pair': expected one map, .*'tuple'"),
        (dict(after='conv', module=SE | dict(in_channels=5)), '0..*: expected 4, .*5'),
        (dict(before='conv', after='conv', module=SE), r'0.: expected dict\(before'),
        (dict(before='conv'), r'attentions\[0\]: expected dict\(before.*, got'),
        (dict(at='conv', module=SE), r'attentions\[0\]: expected dict\(before.*, got'),
    ],
)
def test_wrong_places_and_channels(entry, message):
    with pytest.raises(ValueError, match=message):
        AttentionBackbone(dict(type=Odd), attentions=[entry])


@pytest.mark.parametrize(
    'config, message',
    [
        (
            dict(type='ResNet3dSlowFast', slow_pathway=SLOW, fast_pathway=FAST),
            "'slow_path.conv1', .*'slow_path.layer4', .*'fast_path.layer4'",
        ),
        (dict(type='mmattn.VGG', depth=11, base_channels=2, out='pool2'), "'conv2'"),
    ],
)
def test_places_are_listed(config, message):
    with pytest.raises(ValueError, match=f'{message}.*or inside of them, got .layer2'):
        AttentionBackbone(config, attentions=[{'before': 'layer2', 'module': SE}])


def test_a_module_without_channels_gets_none():
    entry = {'after': 'pair', 'module': dict(type=nn.Identity)}
    with pytest.raises(ValueError, match="after 'pair'"):
        AttentionBackbone(dict(type=Odd), attentions=[entry])
    entry['after'] = 'narrow'
    AttentionBackbone(dict(type=Odd), attentions=[entry])(torch.ones(1, 3, 2, 2))


def test_modules_called_twice_share_their_attention():
    class Twice(Odd):
        def forward(self, x):
            return self.act(self.conv(self.act(x)[:, [0, 1, 2]])[:, :3])

    net = AttentionBackbone(
        dict(type=Twice),
        attentions=[{'after': 'act', 'module': dict(type=Trace, number=1)}],
    )
    Trace.calls = []
    net(torch.ones(1, 3, 2, 2))
    assert len(Trace.calls) == 2


def test_inputs_that_cannot_be_guessed():
    class Vectors(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(5, 7)

        def forward(self, x):
            return self.fc(x)

    options = dict(attentions=[{'after': 'fc', 'module': dict(type=nn.Identity)}])
    with pytest.raises(
        ValueError, match=r'input_shape: .* no convolution .*, got None'
    ):
        AttentionBackbone(dict(type=Vectors), **options)
    with pytest.raises(ValueError, match=r'input_shape: .* errors for \(4,\): mat'):
        AttentionBackbone(dict(type=Vectors), input_shape=(4,), **options)
    net = AttentionBackbone(dict(type=Vectors), input_shape=(5,), **options)
    assert net(torch.ones(2, 5)).shape == (2, 7)


def test_attention_is_not_nested():
    inner = dict(type='mmattn.AttentionBackbone', backbone=dict(type=Odd))
    with pytest.raises(ValueError, match='backbone: expected one without attention'):
        AttentionBackbone(inner | dict(attentions=[]), attentions=[])


def test_the_run_on_zeros_leaves_no_trace():
    torch.manual_seed(3)
    bare = HOST_MODELS.build(config_of('ResNet'))
    torch.manual_seed(3)
    net = attend('ResNet')
    for name, value in bare.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name
    assert all(m.training for m in net.modules())
    hooks = [m for m in net.modules() if m._forward_hooks or m._forward_pre_hooks]
    assert hooks == [net.layer3]


def test_builds_without_memory():
    with torch.device('meta'):
        net = attend('mmattn.InceptionI3D')
    assert net.attentions[0].in_channels == 64


def test_pretrained_backbones_load_unchanged(tmp_path):
    path = str(tmp_path / 'bare.pth')
    bare = HOST_MODELS.build(config_of('ResNet'))
    torch.save(bare.state_dict(), path)
    init_cfg = dict(type='Pretrained', checkpoint=path)
    entries = [{'after': 'layer3', 'module': SE}]
    config = config_of('ResNet') | dict(init_cfg=init_cfg)
    net = AttentionBackbone(config, attentions=entries)
    net.init_weights()
    for name, value in bare.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name


def test_strict_loading_of_the_host(tmp_path):
    path = str(tmp_path / 'slowfast.pth')
    bare = HOST_MODELS.build(config_of('ResNet3dSlowFast'))
    torch.save(bare.state_dict(), path)
    net = attend('ResNet3dSlowFast')
    net.pretrained = path
    net.init_weights()
    assert torch.equal(
        net.slow_path.conv1.conv.weight, bare.slow_path.conv1.conv.weight
    )


def test_ours_load_published_files(tmp_path):
    path = str(tmp_path / 'vgg.pth')
    bare = HOST_MODELS.build(config_of('mmattn.VGG'))
    torch.save(bare.state_dict(), path)
    config = config_of('mmattn.VGG')
    config['init_cfg'] = dict(type='Pretrained', checkpoint=path)
    net = AttentionBackbone(config, attentions=[{'before': 'conv2', 'module': SE}])
    net.init_weights()
    assert torch.equal(net.features[0].weight, bare.features[0].weight)


def test_own_checkpoints(tmp_path):
    net, other = attend('ResNet3d'), attend('ResNet3d')
    torch.save({'state_dict': net.state_dict()}, tmp_path / 'net.pth')
    load_checkpoint(other, str(tmp_path / 'net.pth'), strict=True)
    x = torch.randn(CASES['ResNet3d'][2])
    assert torch.equal(net.eval()(x), other.eval()(x))


def test_initialization_of_the_backbone_spares_the_attention():
    """The host's ResNet3d fills all 3D convolutions that it finds."""
    config = CASES['ResNet3d'][0] | dict(type='ResNet3d')
    constant = dict(type='Constant', layer='Linear', val=0.25)
    entries = [
        {'after': 'layer2', 'module': dict(type='mmcv.cnn.NonLocal3d')},
        {'after': 'layer2', 'module': SE | dict(init_cfg=constant)},
        {
            'after': 'layer3',
            'module': dict(type='mmcv.cnn.NonLocal3d', zeros_init=False),
        },
    ]
    net = AttentionBackbone(config, attentions=entries)
    before = net.layer1[0].conv1.conv.weight.clone()
    net.init_weights()
    non_local, se, not_zero = net.attentions
    assert isinstance(non_local, NonLocal3d)
    assert not non_local.conv_out.conv.weight.any()
    assert not_zero.conv_out.conv.weight.any()
    assert torch.equal(se.fc1.weight, torch.full_like(se.fc1.weight, 0.25))
    assert not torch.equal(net.layer1[0].conv1.conv.weight, before)


def test_non_local_block_of_the_host_at_the_same_place():
    config = dict(type='ResNet3d', **R3D)
    options = dict(sub_sample=True, zeros_init=False, std=0.3)
    host = HOST_MODELS.build(
        config | dict(non_local=((0, 0), (0, 1), (0, 0), (0, 0)), non_local_cfg=options)
    )
    module = dict(type='mmcv.cnn.NonLocal3d', **options)
    net = AttentionBackbone(
        config, attentions=[{'after': 'layer2.1', 'module': module}]
    )
    renamed = {
        name.replace('layer2.1.non_local_block', 'attentions.0'): value
        for name, value in host.state_dict().items()
    }
    net.load_state_dict(renamed)
    host.eval()
    x = torch.randn(2, 3, 4, 33, 40)
    got = net.eval()(x)
    assert torch.equal(got, host(x))
    nn.init.zeros_(net.attentions[0].conv_out.conv.weight)
    assert not torch.allclose(net(x), got)


def test_options_of_the_backbone_do_not_reach_the_attention():
    module = dict(type='mmcv.cnn.NonLocal3d', norm_cfg=dict(type='BN3d'))
    config = dict(type='ResNet3d', **R3D, frozen_stages=2, norm_eval=True)
    net = AttentionBackbone(config, attentions=[{'after': 'layer2', 'module': module}])
    assert net.train() is net
    assert not net.layer4[0].conv1.bn.training
    assert not any(p.requires_grad for p in net.layer2.parameters())
    assert net.attentions[0].conv_out.bn.training
    assert all(p.requires_grad for p in net.attentions.parameters())
    net.eval()
    assert not net.attentions[0].conv_out.bn.training


def test_partial_bn_of_the_host_leaves_the_attention_free():
    module = dict(type='NonLocal2d', norm_cfg=dict(type='BN2d'))
    config = config_of('ResNet') | dict(partial_bn=True)
    net = AttentionBackbone(config, attentions=[{'after': 'layer2', 'module': module}])
    net.train()
    assert not net.layer4[0].conv1.bn.weight.requires_grad
    assert net.attentions[0].conv_out.bn.weight.requires_grad
    assert net.attentions[0].conv_out.bn.training


@pytest.mark.parametrize('name', ['MobileNetV2', 'mmattn.VGG'])
def test_frozen_backbone(name):
    net = attend(name, freeze_backbone=True)
    for mode in (True, False):
        net.train(mode)
        assert not any(m.training for m in net.children() if m is not net.attentions)
        assert net.attentions[0].fc1.training == mode
    flat(net(torch.randn(CASES[name][2]))).square().sum().backward()
    learned = {key for key, p in net.named_parameters() if p.grad is not None}
    assert learned == {key for key in net.state_dict() if key.startswith('attentions')}


@pytest.mark.filterwarnings('ignore:torch.utils.checkpoint')  # of the host's call
@pytest.mark.parametrize(
    'name, place', [('ResNet3d', 'layer3.1.conv1'), ('mmattn.VGG', 'conv3')]
)
def test_recomputing_keeps_the_gradients(name, place):
    nets = []
    for with_cp in (False, True):
        config = config_of(name) | dict(with_cp=with_cp)
        entries = [{'after': place, 'module': SE}]
        nets.append(AttentionBackbone(config, attentions=entries).eval())
    nets[1].load_state_dict(nets[0].state_dict())
    x = torch.randn(CASES[name][2])
    for net in nets:
        net(x).square().mean().backward()
    for key, p in nets[0].named_parameters():
        torch.testing.assert_close(nets[1].get_parameter(key).grad, p.grad)
    assert nets[1].attentions[0].fc2.bias.grad.any()


@pytest.mark.parametrize('name', ['ResNetTSM', 'ResNet3d', 'mmattn.VGG'])
def test_copies_use_their_own_attention(name):
    net = attend(name).eval()
    x = torch.randn(CASES[name][2])
    expected = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert type(other) is type(net)
        assert torch.equal(other(x), expected)
        nn.init.constant_(other.attentions[0].fc2.bias, 3)
        assert not torch.allclose(other(x), expected)
        assert torch.equal(net(x), expected)


@pytest.mark.parametrize('name', ['ResNet', 'ResNet3d', 'mmattn.VGG'])
def test_one_graph_and_bf16(name):
    net, x = attend(name).eval(), torch.randn(CASES[name][2])
    with torch.autocast('cpu', torch.bfloat16):
        assert flat(net(x)).isfinite().all()
    torch._dynamo.reset()
    compiled = torch.compile(net, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x))
    nn.init.constant_(net.attentions[0].fc2.bias, 3)
    torch.testing.assert_close(compiled(x), net(x))


@pytest.mark.parametrize('name', ['ResNet', 'mmattn.VGG'])
def test_distributed(monkeypatch, name):
    net = attend(name).eval()
    monkeypatch.setenv('GLOO_SOCKET_IFNAME', 'lo')
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    try:
        parallel = DistributedDataParallel(net)
        parallel(torch.randn(CASES[name][2])).square().mean().backward()
    finally:
        torch.distributed.destroy_process_group()
    assert net.attentions[0].fc2.bias.grad.any()


@pytest.mark.parametrize(
    'kind, name, place, head, shape',
    [
        (
            'Recognizer2D',
            'ResNetTSM',
            'layer3',
            dict(type='TSMHead', num_segments=4, in_channels=512),
            (2, 4, 3, 32, 40),
        ),
        (
            'Recognizer3D',
            'mmattn.InceptionI3D',
            'Mixed_5c',
            dict(type='I3DHead', in_channels=128),
            (2, 1, 3, 4, 33, 40),
        ),
    ],
)
def test_recognizers_of_the_host(kind, name, place, head, shape):
    config = dict(
        type=kind,
        backbone=dict(
            type='mmattn.AttentionBackbone',
            backbone=config_of(name),
            attentions=[{'before': place, 'module': SE}],
        ),
        cls_head=dict(head, num_classes=5, average_clips='prob'),
    )
    model = HOST_MODELS.build(config)
    model.init_weights()
    clips = torch.randn(shape)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 3)]
    model(clips, samples, mode='loss')['loss_cls'].backward()
    assert model.backbone.attentions[0].fc2.bias.grad.any()
    results = model.eval()(clips, samples, mode='predict')
    assert results[1].pred_score.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    'scope', ['mmaction', pytest.param('mmdet', marks=pytest.mark.det)]
)
def test_builds_by_name(scope):
    if scope == 'mmdet':
        pytest.importorskip('mmdet')
    init_default_scope(scope)
    config = dict(
        type='mmattn.AttentionBackbone',
        backbone=dict(type='mmaction.ResNet3d', **R3D),
        attentions=[{'before': 'layer2', 'module': SE}],
    )
    kept = copy.deepcopy(config)
    net = MODELS.build(config)
    assert config == kept
    assert isinstance(net.attentions[0], SqueezeExcitation)
    assert net.attentions[0].in_channels == 8
