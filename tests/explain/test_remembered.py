"""Frames that were seen are not computed again, and nothing else changes."""

import pytest
import torch
from attending_models import spatial_model
from torch import nn

from mmattn.explain.remembered import remembered_frames
from mmattn.models.backbones import VGG


def model_of(backbone):
    model = nn.Module()
    model.backbone = backbone.eval()
    return model


@pytest.fixture
def counted():
    """A model, frames, and the numbers of frames that its first layer computes."""
    model = model_of(VGG(11, base_channels=4, out='conv5'))
    rows = []
    first = model.backbone.stage_layers(model.backbone.stage_names[0])[0]
    first.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    return model, torch.rand(3, 3, 32, 32), rows


def test_each_frame_is_computed_once(counted):
    model, frames, rows = counted
    expected = model.backbone(frames)
    del rows[:]
    with remembered_frames(model), torch.no_grad():
        torch.testing.assert_close(model.backbone(frames), expected)
        order = [2, 0, 2, 1]
        torch.testing.assert_close(model.backbone(frames[order]), expected[order])
        other = frames.flip(-1)
        mixed = torch.cat((other[:1], frames[1:], other[:1]))
        torch.testing.assert_close(model.backbone(mixed)[1:3], expected[1:])
    assert rows == [3, 1]
    model.backbone(frames)
    assert rows == [3, 1, 3]


@pytest.mark.parametrize('kind', ['attention', 'several maps', 'none'])
def test_networks_that_are_left_alone(kind):
    """Modules between the stages may mix the frames."""
    model = dict(
        attention=spatial_model,
        none=nn.Module,
        **{'several maps': lambda: model_of(VGG(11, out=('conv4', 'conv5')))},
    )[kind]()
    with remembered_frames(model):
        assert 'forward' not in vars(getattr(model, 'backbone', model))
