"""A backbone that goes on from stored maps."""

import pytest
import torch

from mmattn.models.backbones import VGG, AttentionBackbone

TINY = dict(depth=11, base_channels=4, fc_channels=13, input_size=32)


@pytest.mark.parametrize('start', ['pool2', 'conv4', 'fc6'])
def test_from_a_stage_on_it_is_the_same_network(start):
    whole, rest = VGG(**TINY).eval(), VGG(**TINY, start=start).eval()
    rest.load_state_dict(whole.state_dict())
    x = torch.rand(2, 3, 64, 32)
    maps = whole.forward_stages(x, None, start)
    assert maps.shape[1] != 3
    torch.testing.assert_close(rest(maps), whole(x))


def test_attention_behind_the_maps_stays():
    cfg = dict(type='mmattn.VGG', **TINY)
    module = dict(type='mmattn.SqueezeExcitation', reduction=4)
    entry = dict(before='fc6', module=module)
    whole = AttentionBackbone(cfg, attentions=[entry]).eval()
    rest = AttentionBackbone(dict(cfg, start='fc6'), attentions=[entry]).eval()
    rest.load_state_dict(whole.state_dict())
    x = torch.rand(2, 3, 32, 32)
    maps = whole.forward_stages(x, None, 'fc6')
    torch.testing.assert_close(rest(maps), whole(x))
    assert not torch.allclose(rest(maps), VGG.forward_stages(whole, maps * 0, 'fc6'))


def test_wrong_start():
    with pytest.raises(ValueError, match=r"start: expected one of .* got 'conv9'"):
        VGG(**TINY, start='conv9')
    with pytest.raises(ValueError, match=r"expected one stage with start='pool2', got"):
        VGG(**TINY, start='pool2', out=('conv3', 'conv4'))
