"""Published key layouts, converted."""

import pytest
import torch
from mmengine.runner import load_checkpoint
from reference import inception_i3d, resnext3d
from reference.bninception import as_tsn, cadene_shapes, convolutions
from reference.inception_resnet_v2 import timm_shapes
from reference.inception_v3 import torchvision_shapes
from reference.published import norm_shapes, seeded_weights
from torch import nn

from mmattn.models.weights.conversion import ARCHITECTURES, SOURCES, convert
from mmattn.models.weights.pretrained import read_weights
from mmattn.registry import MODELS

TOOL = 'convert/convert_weights.py'
IMAGENET = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
VGG_CONVS = {
    'vgg16': (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    'vgg16_bn': (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40),
}
VGG_WIDTHS = (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8)
SMALL_VGG = {'base_channels': 2, 'fc_channels': 5}


def vgg_shapes(arch, classes=1000):
    """torchvision's layout, with 2 and 5 channels for 64 and 4096."""
    shapes, channels = {}, 3
    for index, ratio in zip(VGG_CONVS[arch], VGG_WIDTHS, strict=True):
        shapes[f'features.{index}.weight'] = (2 * ratio, channels, 3, 3)
        shapes[f'features.{index}.bias'] = (2 * ratio,)
        channels = 2 * ratio
        if arch == 'vgg16_bn':
            shapes |= norm_shapes(f'features.{index + 1}', channels)
    for index, shape in ((0, (5, 16 * 49)), (3, (5, 5)), (6, (classes, 5))):
        shapes[f'classifier.{index}.weight'] = shape
        shapes[f'classifier.{index}.bias'] = shape[:1]
    return shapes


def as_timm_vgg(weights):
    timm = {}
    for name, x in weights.items():
        if name.startswith('features'):
            timm[name] = x
        for index, layer in ((0, 'pre_logits.fc1'), (3, 'pre_logits.fc2')):
            if name == f'classifier.{index}.weight':
                side = 7 if index == 0 else 1
                timm[f'{layer}.weight'] = x.view(5, -1, side, side)
            elif name == f'classifier.{index}.bias':
                timm[f'{layer}.bias'] = x
        if name.startswith('classifier.6'):
            timm[name.replace('classifier.6', 'head.fc')] = x
    return timm


def same(weights):
    """Our names equal the published ones."""
    return {name: name for name in weights}


def bninception_names(weights):
    ours = {}
    for name in weights:
        conv, _, value = name.removeprefix('base_model.').rpartition('.')
        kind = 'bn' if conv.endswith('_bn') else 'conv'
        conv = conv.removesuffix('_bn')
        stage = conv[:12] if conv.startswith('inception') else conv[:5]
        ours[name] = f'{stage}.{conv[len(stage) + 1 :]}.{kind}.{value}'
    return ours


def timm_vgg_names(weights):
    layers = {'pre_logits.fc1': 'classifier.0', 'pre_logits.fc2': 'classifier.3'}
    ours = {}
    for name in weights:
        layer, _, value = name.rpartition('.')
        ours[name] = f'{layers.get(layer, layer)}.{value}'
    return ours


def without_aux(weights):
    return {k: x for k, x in weights.items() if not k.startswith('AuxLogits')}


def trained_tsn(in_channels=3):
    weights = as_tsn(seeded_weights(cadene_shapes(101, in_channels, 'new_fc')))
    return {
        name if name.startswith('new_fc') else f'base_model.{name}': x
        for name, x in weights.items()
    }


# layout: network, weights, our names, layer of the classifier, source, mean, std
LAYOUTS = {
    'torchvision vgg16': (
        'vgg16',
        lambda: seeded_weights(vgg_shapes('vgg16')),
        same,
        'classifier.6',
        'torchvision',
        *IMAGENET,
    ),
    'torchvision vgg16_bn': (
        'vgg16_bn',
        lambda: seeded_weights(vgg_shapes('vgg16_bn')),
        same,
        'classifier.6',
        'torchvision',
        *IMAGENET,
    ),
    'timm vgg16': (
        'vgg16',
        lambda: as_timm_vgg(seeded_weights(vgg_shapes('vgg16'))),
        timm_vgg_names,
        'head.fc',
        'timm',
        *IMAGENET,
    ),
    'torchvision inception_v3': (
        'inception_v3',
        lambda: seeded_weights(torchvision_shapes()),
        same,
        'fc',
        'torchvision',
        [127.5] * 3,
        [127.5] * 3,
    ),
    'timm inception_v3': (
        'inception_v3',
        lambda: without_aux(seeded_weights(torchvision_shapes())),
        same,
        'fc',
        'timm',
        [127.5] * 3,
        [127.5] * 3,
    ),
    'timm inception_resnet_v2': (
        'inception_resnet_v2',
        lambda: seeded_weights(timm_shapes()),
        same,
        'classif',
        'timm',
        [127.5] * 3,
        [127.5] * 3,
    ),
    'cadene bninception': (
        'bninception',
        lambda: seeded_weights(cadene_shapes()),
        bninception_names,
        'last_linear',
        'cadene',
        [104, 117, 128],
        [1] * 3,
    ),
    'tsn bn_inception': (
        'bninception',
        lambda: as_tsn(seeded_weights(cadene_shapes(classifier='fc'))),
        bninception_names,
        'fc',
        'tsn',
        [104, 117, 128],
        [1] * 3,
    ),
    'trained tsn': (
        'bninception',
        trained_tsn,
        bninception_names,
        'new_fc',
        'tsn',
        [104, 117, 128],
        [1] * 3,
    ),
    'piergiaj i3d': (
        'i3d',
        inception_i3d.published_weights,
        same,
        'logits.conv3d',
        'piergiaj',
        [127.5] * 3,
        [127.5] * 3,
    ),
    'hara resnext-101': (
        'resnext3d_101',
        lambda: resnext3d.published_weights(width=16),
        same,
        'fc',
        'hara',
        [114.77, 107.74, 99.48],
        [1] * 3,
    ),
}
OPTIONS = {
    'vgg16': SMALL_VGG,
    'vgg16_bn': SMALL_VGG,
    'resnext3d_101': {'base_channels': 16},
}


def build(arch, **options):
    config = ARCHITECTURES[arch].backbone | OPTIONS.get(arch, {}) | options
    with torch.device('meta'):
        return MODELS.build(config)


def backbone_of(content):
    state = {k: x for k, x in content['state_dict'].items() if k[:9] == 'backbone.'}
    return {k.removeprefix('backbone.'): x for k, x in state.items()}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_value_lands_where_it_should(layout):
    arch, make, names, classifier, source, mean, std = LAYOUTS[layout]
    weights = make()
    result = convert(weights, arch, options=OPTIONS.get(arch))
    content = result.checkpoint()
    state = backbone_of(content)
    build(arch).load_state_dict(state, strict=True, assign=True)
    inner = {
        name: x
        for name, x in weights.items()
        if name.rpartition('.')[0] != classifier and not name.startswith('AuxLogits')
    }
    filled = set()
    for name, ours in names(inner).items():
        assert torch.equal(state[ours].flatten(), weights[name].flatten()), name
        filled.add(ours)
    rest = set(state) - filled
    assert all(name.endswith('num_batches_tracked') for name in rest)
    assert not any(state[name] for name in rest)
    assert set(result.matched) == filled
    head = content['state_dict']['cls_head.fc_cls.weight']
    assert torch.equal(head, weights[f'{classifier}.weight'].flatten(1))
    bias = content['state_dict']['cls_head.fc_cls.bias']
    assert torch.equal(bias, weights[f'{classifier}.bias'])
    assert result.source == source
    expected = {'mean': mean, 'std': std, 'to_rgb': arch == 'bninception'}
    assert content['meta']['data_preprocessor'] == expected
    assert not result.unexpected
    assert len(result.left_out) == (14 if layout == 'torchvision inception_v3' else 0)


@pytest.mark.parametrize(
    'num_classes, rows', [(None, 1000), (1000, 1000), (1001, 1001), (101, None)]
)
def test_background_class(num_classes, rows):
    weights = seeded_weights(timm_shapes(1001, 'last_linear', stages=()))
    result = convert(weights, 'inception_resnet_v2', num_classes=num_classes)
    assert result.source == 'cadene'
    if rows is None:
        assert not any(name.startswith('cls_head') for name in result.state_dict)
        assert '1001 classes, left out as the head has 101' in result.report()
        return
    for value in ('weight', 'bias'):
        head = result.state_dict[f'cls_head.fc_cls.{value}']
        assert torch.equal(head, weights[f'last_linear.{value}'][-rows:])
        assert head.untyped_storage().nbytes() == 4 * head.numel()


def test_only_networks_with_a_background_class_lose_it():
    weights = seeded_weights({'fc.weight': (1001, 2048), 'fc.bias': (1001,)})
    result = convert(weights, 'inception_v3')
    assert len(result.state_dict['cls_head.fc_cls.bias']) == 1001


def test_flow_weights_keep_their_channels():
    content = convert(trained_tsn(in_channels=10), 'bninception').checkpoint()
    net = build('bninception', in_channels=10)
    net.load_state_dict(backbone_of(content), strict=True, assign=True)
    expected = {'mean': [128] * 10, 'std': [1] * 10, 'to_rgb': False}
    assert content['meta']['data_preprocessor'] == expected


def test_flow_weights_of_unknown_normalization():
    shapes = vgg_shapes('vgg16') | {'features.0.weight': (2, 10, 3, 3)}
    result = convert(seeded_weights(shapes), 'vgg16', options=SMALL_VGG)
    assert result.checkpoint()['meta']['data_preprocessor'] is None
    assert 'input: 10 channels, normalization unknown' in result.report()


def test_half_precision_becomes_single():
    weights = {k: x.half() for k, x in seeded_weights(vgg_shapes('vgg16')).items()}
    state = convert(weights, 'vgg16', options=SMALL_VGG).state_dict
    assert {x.dtype for x in state.values()} == {torch.float32}


def test_report():
    weights = seeded_weights(vgg_shapes('vgg16'))
    del weights['features.5.bias']
    weights['features.7.weight'] = torch.ones(4, 4, 1, 1)
    weights['extra'] = torch.ones(1)
    result = convert(weights, 'vgg16', options=SMALL_VGG)
    lines = result.report().splitlines()
    assert lines[0] == 'vgg16 of torchvision'
    assert lines[1] == 'matched: 28 tensors'
    assert lines[2] == 'missing: 1 (features.5.bias)'
    shapes = 'features.7.weight (4, 4, 1, 1) for (4, 4, 3, 3)'
    assert lines[3] == f'of another shape: 1 ({shapes})'
    assert lines[4] == 'unexpected: 1 (extra)'
    assert lines[6] == 'classifier: 1000 classes, to cls_head.fc_cls'
    assert lines[7] == 'input: 3 channels (RGB), 0 to 255'
    with pytest.raises(ValueError, match='got 1 missing, 1 of another shape and 1 un'):
        result.checkpoint()


def test_another_shape_alone_is_refused():
    weights = seeded_weights(vgg_shapes('vgg16'))
    weights['features.7.bias'] = torch.ones(5)
    result = convert(weights, 'vgg16', options=SMALL_VGG)
    assert not result.missing
    assert not result.complete


def test_bgr_and_notes_are_reported():
    report = convert(seeded_weights({'conv1_7x7_s2.bias': (64,)}), 'bninception')
    assert 'input: 3 channels (BGR), 0 to 255' in report.report()
    assert 'to_rgb=True' in report.report()
    report = convert({'Conv2d_1a_3x3.bn.bias': torch.ones(32)}, 'inception_v3')
    assert 'note: the weights inception_v3.gluon_in1k' in report.report()


@pytest.mark.parametrize('extra, complete', [(3, True), (4, False)])
def test_many_unexpected_weights_are_another_network(extra, complete):
    """30 tensors are matched."""
    shapes = vgg_shapes('vgg16') | {
        f'features.{n + 50}.bias': (1,) for n in range(extra)
    }
    result = convert(seeded_weights(shapes), 'vgg16', options=SMALL_VGG)
    assert result.complete == complete


def test_other_networks_are_refused():
    result = convert(seeded_weights(vgg_shapes('vgg16')), 'vgg16_bn', options=SMALL_VGG)
    assert not result.complete
    with pytest.raises(
        ValueError, match=r'expected those of vgg16_bn, got \d+ missing'
    ):
        result.checkpoint()


def test_names_that_coincide_are_reported():
    weights = {'conv1_7x7_s2.bias': torch.ones(64)}
    weights['base_model.conv1_7x7_s2.bias'] = torch.zeros(64)
    result = convert(weights, 'bninception')
    assert result.unexpected == ['base_model.conv1_7x7_s2.bias']
    assert result.state_dict['backbone.conv1.7x7_s2.conv.bias'].sum() == 64


def test_unknown_network_and_source():
    with pytest.raises(ValueError, match=r"arch: expected one of \['vgg16'.*'resnet'"):
        convert({}, 'resnet')
    message = r"source: expected one of \['cadene', 'tsn'\], got 'timm'"
    with pytest.raises(ValueError, match=message):
        convert({}, 'bninception', source='timm')


def test_every_source_is_offered():
    used = {name for arch in ARCHITECTURES.values() for name in arch.sources}
    assert used == set(SOURCES)


class Recognizer(nn.Module):
    def __init__(self, backbone, classes):
        super().__init__()
        self.backbone = backbone
        self.cls_head = nn.Module()
        self.cls_head.fc_cls = nn.Linear(1024, classes)


def test_tool(run_tool, tmp_path, capsys):
    weights = trained_tsn()
    content = {'state_dict': {f'module.{k}': x for k, x in weights.items()}}
    torch.save(content, tmp_path / 'tsn.pth')
    out = tmp_path / 'new' / 'bninception.pth'
    code = run_tool(
        TOOL,
        *(tmp_path / 'tsn.pth', out, '--arch', 'bninception', '--num-classes', 101),
    )
    assert code == 0
    printed = capsys.readouterr().out
    assert f'matched: {len(convolutions()) * 6} tensors' in printed
    assert 'missing: 0' in printed
    assert 'bninception of tsn' in printed
    model = Recognizer(MODELS.build({'type': 'mmattn.BNInception'}), 101)
    load_checkpoint(model, str(out), strict=True)
    head = model.cls_head.fc_cls.weight
    assert torch.equal(head, weights['new_fc.weight'])
    again = MODELS.build(
        {
            'type': 'mmattn.BNInception',
            'init_cfg': {'type': 'Pretrained', 'checkpoint': str(out)},
        }
    )
    again.init_weights()
    for name, x in again.state_dict().items():
        assert torch.equal(x, model.backbone.state_dict()[name]), name


def test_tool_refuses(run_tool, tmp_path, capsys):
    torch.save(seeded_weights(vgg_shapes('vgg16')), tmp_path / 'vgg.pth')
    out = tmp_path / 'out.pth'
    code = run_tool(TOOL, tmp_path / 'vgg.pth', out, '--arch', 'bninception')
    printed = capsys.readouterr()
    assert code == 1
    assert not out.exists()
    assert (
        f'missing: {len(convolutions()) * 6} (conv1.7x7_s2.conv.weight, ' in printed.out
    )
    assert 'vgg.pth: weights: expected those of bninception' in printed.err
    missing = tmp_path / 'none.pth'
    assert run_tool(TOOL, missing, out, '--arch', 'vgg16') == 1
    assert 'none.pth' in capsys.readouterr().err


def test_widths_of_what_the_layouts_shrink():
    with torch.device('meta'):
        vgg = MODELS.build(ARCHITECTURES['vgg16_bn'].backbone).state_dict()
        resnext = MODELS.build(ARCHITECTURES['resnext3d_101'].backbone).state_dict()
    assert vgg['features.40.weight'].shape == (512, 512, 3, 3)
    assert vgg['classifier.0.weight'].shape == (4096, 25088)
    for name, shape in resnext3d.published_shapes().items():
        assert name == 'fc' or resnext[f'{name}.weight'].shape == shape


def test_files_are_read_without_the_wrapper(tmp_path):
    content = {'arch': 'resnext-101', 'state_dict': {'module.fc.bias': torch.ones(400)}}
    torch.save(content, tmp_path / 'hara.pth')
    weights = read_weights(str(tmp_path / 'hara.pth'))
    result = convert(weights, 'resnext3d_101')
    assert result.classifier == 'none in the file'
    assert not result.complete
