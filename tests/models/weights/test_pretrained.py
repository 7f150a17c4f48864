"""Loading published weights."""

import pytest
import torch
from torch import nn

from mmattn.models.weights.pretrained import (
    cross_modality_weight,
    load_pretrained,
    read_weights,
)


def make(in_channels=3):
    return nn.Sequential(
        nn.Conv2d(in_channels, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 2, 1)
    )


def save(path, content):
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize(
    'prefix', ['', 'module.', 'backbone.', 'module.backbone.'], ids=repr
)
@pytest.mark.parametrize('wrapped', [True, False])
def test_wrappers_and_prefixes(tmp_path, prefix, wrapped):
    source, target = make(), make()
    content = {prefix + name: x for name, x in source.state_dict().items()}
    content[f'{prefix.removesuffix("backbone.")}cls_head.fc.weight'] = torch.ones(7)
    content = {'state_dict': content, 'epoch': 3, 'arch': 'x'} if wrapped else content
    load_pretrained(target, save(tmp_path / 'a.pth', content))
    for name, x in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], x), name


def test_first_convolution_of_another_modality(tmp_path):
    source, target = make(), make(10)
    path = save(tmp_path / 'a.pth', source.state_dict())
    load_pretrained(target, path, first_conv='0.weight')
    r, g, b = source[0].weight.unbind(1)
    for k in range(10):
        torch.testing.assert_close(target[0].weight[:, k], (r + g + b) / 3)
    assert torch.equal(target[2].weight, source[2].weight)
    same = make(10)
    path = save(tmp_path / 'b.pth', target.state_dict())
    load_pretrained(same, path, first_conv='0.weight')
    assert torch.equal(same[0].weight, target[0].weight)


def test_rgb_weights_are_not_adapted_unasked(tmp_path):
    path = save(tmp_path / 'a.pth', make().state_dict())
    message = r'a\.pth: expected 0\.weight of shape \(5, 10, 3, 3\), got \(5, 3, 3, 3\)'
    with pytest.raises(ValueError, match=message):
        load_pretrained(make(10), path)


def test_cross_modality_in_3d():
    weight = torch.randn(2, 3, 5, 1, 1)
    result = cross_modality_weight(weight, 2)
    assert result.shape == (2, 2, 5, 1, 1)
    torch.testing.assert_close(result[:, 1], weight.sum(dim=1) / 3)


@pytest.mark.parametrize('shape', [(5, 4, 3, 3), (5, 3)])
def test_cross_modality_wants_rgb(shape):
    with pytest.raises(ValueError, match=r'expected RGB kernels .* got \(5, '):
        cross_modality_weight(torch.ones(shape), 10)


def test_key_map_renames_reshapes_and_drops(tmp_path):
    source, target = make(), make()
    content = {f'old.{k}': x[None] for k, x in source.state_dict().items()}
    path = save(tmp_path / 'a.pth', content | {'head': torch.ones(1)})

    def key_map(name, tensor):
        return None if name == 'head' else (name.removeprefix('old.'), tensor[0])

    load_pretrained(target, path, key_map=key_map)
    assert torch.equal(target[0].weight, source[0].weight)


def test_counters_may_be_missing(tmp_path):
    content = make().state_dict()
    del content['1.num_batches_tracked']
    load_pretrained(make(), save(tmp_path / 'a.pth', content))


def test_added_modules_may_be_missing(tmp_path):
    source = make()
    content = {k: x for k, x in source.state_dict().items() if k[0] != '2'}
    path = save(tmp_path / 'a.pth', content)
    target = make()
    load_pretrained(target, path, allow_missing=('2.',))
    assert torch.equal(target[0].weight, source[0].weight)
    assert not torch.equal(target[2].weight, source[2].weight)
    message = r"a\.pth: expected all 9 weights, .* for 2 of them, first \['2\.weight'"
    with pytest.raises(ValueError, match=message):
        load_pretrained(make(), path)


def test_files_of_other_networks_change_nothing(tmp_path):
    target = make()
    before = {k: x.clone() for k, x in target.state_dict().items()}
    path = save(tmp_path / 'a.pth', {'conv1.weight': torch.ones(5)})
    message = r"a\.pth: .* first \['0\.weight', '0\.bias', .* has \['conv1\.weight'\]"
    with pytest.raises(ValueError, match=message):
        load_pretrained(target, path)
    assert all(torch.equal(x, before[k]) for k, x in target.state_dict().items())


@pytest.mark.parametrize('content', [{}, [torch.ones(1)], {'state_dict': {'a': 1}}])
def test_files_without_weights(tmp_path, content):
    path = save(tmp_path / 'a.pth', content)
    with pytest.raises(ValueError, match=r'a\.pth: expected a dictionary of tensors'):
        read_weights(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        read_weights(str(tmp_path / 'none.pth'))
