"""VGG: published names, values, stages, freezing and pretrained weights."""

import pytest
import torch
from staged_checks import (
    check_flow_initialization,
    check_loaded,
    save,
)
from torch.nn import functional as F

from mmattn.models.backbones import VGG

WIDTH, FC = 3, 11  # 64 and 4096 in the published network
CONVS = {
    False: (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    True: (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40),
}
WIDTHS = (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8)  # times the first block's
LAST_OF_BLOCK = (1, 3, 6, 9, 12)


def make(**options):
    options = {'base_channels': WIDTH, 'fc_channels': FC, 'out': 'fc7'} | options
    return VGG(16, **options)


def torchvision_weights(batch_norm=False, classes=5, width=WIDTH, fc=FC):
    """Weights under torchvision's names of vgg16 and vgg16_bn."""
    g = torch.Generator().manual_seed(3)

    def random(*shape):
        return (
            torch.randn(*shape, generator=g)
            / max(1, torch.Size(shape[1:]).numel()) ** 0.5
        )

    weights, channels = {}, 3
    for index, ratio in zip(CONVS[batch_norm], WIDTHS, strict=True):
        weights[f'features.{index}.weight'] = random(ratio * width, channels, 3, 3)
        channels = ratio * width
        weights[f'features.{index}.bias'] = random(channels)
        if batch_norm:
            norm = f'features.{index + 1}'
            weights[f'{norm}.weight'] = random(channels)
            weights[f'{norm}.bias'] = random(channels)
            weights[f'{norm}.running_mean'] = random(channels)
            weights[f'{norm}.running_var'] = random(channels).square() + 0.5
            weights[f'{norm}.num_batches_tracked'] = torch.tensor(9)
    for index, shape in ((0, (fc, channels * 49)), (3, (fc, fc)), (6, (classes, fc))):
        weights[f'classifier.{index}.weight'] = random(*shape)
        weights[f'classifier.{index}.bias'] = random(shape[0])
    return weights


def literal_vgg(weights, x, batch_norm=False):
    """All outputs by stage, straight from the flat weights."""
    w = {name: value.double() for name, value in weights.items()}
    maps, block = {}, 1
    for n, index in enumerate(CONVS[batch_norm]):
        x = F.conv2d(
            x, w[f'features.{index}.weight'], w[f'features.{index}.bias'], padding=1
        )
        if batch_norm:
            k = f'features.{index + 1}'
            shape = (1, -1, 1, 1)
            scale = w[f'{k}.weight'] / (w[f'{k}.running_var'] + 1e-5).sqrt()
            x = (x - w[f'{k}.running_mean'].view(shape)) * scale.view(shape)
            x = x + w[f'{k}.bias'].view(shape)
        x = x.clamp(min=0)
        if n in LAST_OF_BLOCK:
            maps[f'conv{block}'] = x
            x = F.max_pool2d(x, 2, 2)
            maps[f'pool{block}'] = x
            block += 1
    x = F.adaptive_avg_pool2d(x, 7).flatten(1)
    for fc, index in (('fc6', 0), ('fc7', 3)):
        x = x @ w[f'classifier.{index}.weight'].T + w[f'classifier.{index}.bias']
        maps[f'{fc} before relu'] = x[:, :, None, None]
        x = x.clamp(min=0)
        maps[fc] = x[:, :, None, None]
    return maps


@pytest.mark.parametrize('batch_norm', [False, True])
def test_published_names_and_values(tmp_path, batch_norm):
    weights = torchvision_weights(batch_norm)
    outs = ('conv1', 'pool2', 'conv3', 'conv5', 'pool5', 'fc6', 'fc7')
    vgg = make(
        batch_norm=batch_norm, out=outs, init_cfg=save(tmp_path, weights)
    ).double()
    unused = {'classifier.6.weight', 'classifier.6.bias'}
    assert set(vgg.state_dict()) == set(weights) - unused
    vgg.init_weights()
    x = torch.randn(2, 3, 64, 73, dtype=torch.float64)
    expected = literal_vgg(weights, x, batch_norm)
    for name, got in zip(outs, vgg.eval()(x), strict=True):
        torch.testing.assert_close(got, expected[name], rtol=1e-9, atol=1e-9)
    assert expected['fc7'].abs().max() > 0.1


def test_full_size_shapes():
    with torch.device('meta'):
        vgg = VGG(16, out='fc7')
        features = vgg(torch.empty(2, 3, 224, 224))
    assert features.shape == (2, 4096, 1, 1)
    expected = torchvision_weights(classes=1000, width=1, fc=1)
    assert [k for k in expected if 'classifier.6' not in k] == list(vgg.state_dict())
    assert vgg.classifier[0].weight.shape == (4096, 25088)
    assert sum(p.numel() for p in vgg.parameters()) == 138357544 - 4097 * 1000


@pytest.mark.parametrize('depth, convs', [(11, 8), (13, 10), (16, 13), (19, 16)])
def test_depths(depth, convs):
    vgg = VGG(depth, base_channels=2, out='pool5')
    assert sum(name.endswith('weight') for name in vgg.state_dict()) == convs
    assert vgg(torch.ones(1, 3, 32, 65)).shape == (1, 16, 1, 2)


def test_layers_before_their_relu():
    weights = torchvision_weights()
    vgg = make(out=('fc6', 'fc7'), fc_relu=False).double().eval()
    vgg.load_state_dict(weights, strict=False)
    x = torch.randn(2, 3, 33, 40, dtype=torch.float64)
    expected = literal_vgg(weights, x)
    for name, got in zip(('fc6', 'fc7'), vgg(x), strict=True):
        assert got.min() < 0
        torch.testing.assert_close(
            got, expected[f'{name} before relu'], rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize(
    'out, last',
    [('conv5', 'features.29'), ('pool5', 'features.30'), ('fc6', 'classifier.1')],
)
def test_only_what_is_needed_is_built(out, last):
    vgg = make(out=out)
    assert [
        name
        for name, m in vgg.named_modules()
        if 'features.' in name or 'classifier.' in name
    ][-1] == last
    vgg(torch.randn(2, 3, 64, 64)).square().sum().backward()
    for name, weight in vgg.named_parameters():
        assert weight.grad is not None, name


def test_one_output_or_a_tuple():
    x = torch.randn(1, 3, 32, 32)
    vgg = make(out=('pool1',))
    (single,) = vgg(x)
    vgg.out = 'pool1'
    assert torch.equal(vgg(x), single)
    assert single.shape == (1, WIDTH, 16, 16)


def test_widths():
    with torch.device('meta'):
        outs = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6')
        maps = VGG(13, base_channels=5, fc_channels=7, out=outs)(
            torch.empty(1, 3, 32, 32)
        )
    assert [x.shape[1] for x in maps] == [5, 10, 20, 40, 40, 7]
    with pytest.raises(ValueError, match='base_channels: expected a positive multiple'):
        make(base_channels=0)


def test_dropout_is_between_the_layers():
    torch.manual_seed(0)
    vgg, x = make(out=('fc6', 'fc7'), dropout=1.0), torch.randn(1, 3, 32, 32)
    trained, evaluated = vgg.train()(x), vgg.eval()(x)
    torch.testing.assert_close(trained[0], evaluated[0])
    bias = vgg.classifier[3].bias.clamp(min=0)
    torch.testing.assert_close(trained[1][0, :, 0, 0], bias)


def test_frozen_dense_layers():
    vgg = make(frozen_stages=6).train()
    free = [name for name, p in vgg.named_parameters() if p.requires_grad]
    assert free == ['classifier.3.weight', 'classifier.3.bias']


def test_dropout_is_frozen_with_its_layer():
    vgg = make(frozen_stages='all').train()
    assert not vgg.classifier[2].training


def test_dropout_stays_where_statistics_do_not_learn():
    vgg = make(batch_norm=True, norm_eval=True).train()
    assert vgg.classifier[2].training


def test_flow_gets_the_mean_of_rgb_at_initialization_only(tmp_path):
    weights = torchvision_weights()
    options = {'out': 'fc7', 'base_channels': WIDTH, 'fc_channels': FC}
    vgg = check_flow_initialization(tmp_path, VGG, weights, **options)
    assert torch.equal(vgg.features[2].weight, weights['features.2.weight'])
    assert vgg(torch.randn(1, 10, 32, 32)).shape == (1, FC, 1, 1)
    with pytest.raises(RuntimeError, match='size mismatch'):
        vgg.load_state_dict(weights, strict=False)


def test_timm_names(tmp_path):
    weights = torchvision_weights()
    timm = {k: v for k, v in weights.items() if k.startswith('features')}
    for fc, index, size in (('fc1', 0, 7), ('fc2', 3, 1)):
        kernel = weights[f'classifier.{index}.weight'].view(FC, -1, size, size)
        timm[f'pre_logits.{fc}.weight'] = kernel
        timm[f'pre_logits.{fc}.bias'] = weights[f'classifier.{index}.bias']
    timm['head.fc.weight'] = weights['classifier.6.weight']
    vgg = make(init_cfg=save(tmp_path, timm))
    vgg.init_weights()
    check_loaded(vgg, weights)


def test_recognizer_checkpoint_by_prefix(tmp_path):
    weights = torchvision_weights()
    content = {f'flow.{k}': v for k, v in weights.items()}
    content |= {f'rgb.{k}': v + 1 for k, v in weights.items()}
    vgg = make(init_cfg=save(tmp_path, content) | {'prefix': 'flow.'})
    vgg.init_weights()
    assert torch.equal(vgg.features[0].weight, weights['features.0.weight'])


def test_weights_of_another_network(tmp_path):
    vgg = make(init_cfg=save(tmp_path, torchvision_weights(batch_norm=True)))
    with pytest.raises(ValueError, match=r"published\.pth: .* first \['features\.2\."):
        vgg.init_weights()


def test_default_initialization():
    vgg = make(batch_norm=True)
    vgg.init_weights()
    expected = (2 / (9 * WIDTH)) ** 0.5  # He's, fan-out of the first block
    assert vgg.features[3].weight.std().item() == pytest.approx(expected, rel=0.3)
    assert vgg.classifier[0].weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert torch.equal(vgg.features[1].weight, torch.ones(WIDTH))


@pytest.mark.parametrize(
    'options, message',
    [
        ({'depth': 12}, r'depth: expected one of \[11, 13, 16, 19\], got 12'),
        ({'frozen_stages': 6, 'out': 'pool5'}, 'frozen_stages: .* -1 to 5, .* got 6'),
        ({'input_size': 31}, 'input_size: expected int at least 32, got 31'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        VGG(**({'base_channels': 2, 'fc_channels': 5} | options))
