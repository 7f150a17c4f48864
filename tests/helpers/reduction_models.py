"""Backbones, reductions and models to test the reduction recognizer with."""

import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from torch import nn

from mmattn.attention.capture import emit_attention
from mmattn.models import FrameReduction
from mmattn.models.backbones.base import StagedBackbone
from mmattn.registry import MODELS

CLASSES = 5
VGG = dict(
    type='mmattn.VGG',
    depth=11,
    base_channels=4,
    fc_channels=13,
    init_cfg=dict(type='Kaiming', layer=['Conv2d', 'Linear']),
)
HEAD = dict(
    type='TSNHead',
    num_classes=CLASSES,
    in_channels=32,
    dropout_ratio=0,
    init_std=0.5,
    average_clips='prob',
)


@MODELS.register_module()
class LinearStages(StagedBackbone):
    """Three convolutions without anything between them."""

    stages = {'a': 5, 'b': 7, 'c': 11}
    first_conv = 'a.weight'

    def build_stage(self, name, channels):
        return {name: nn.Conv2d(channels, self.stages[name], 3)}


@MODELS.register_module()
class WeightedFrames(FrameReduction):
    """Frames weighted by their lowest tap, with losses and a map."""

    def __init__(self, loss_name='loss_level'):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.loss_name = loss_name

    def forward(self, taps, num_frames):
        low = taps[0].unflatten(0, (-1, num_frames))
        top = taps[-1].unflatten(0, (-1, num_frames))
        level = self.scale * low.mean(dim=(2, 3, 4))  # (V, K)
        weights = level.softmax(dim=1)
        emit_attention(self, 'frame_weights', weights, ('row', 'frame'))
        losses = {self.loss_name: level.square().mean(), 'level': level.mean()}
        return torch.einsum('vk,vkcyx->vcyx', weights, top), losses


@MODELS.register_module()
class EmitLevel(nn.Module):
    """Hands out the mean of each row."""

    def forward(self, x):
        emit_attention(self, 'level', x.mean(dim=(1, 2, 3)), ('row',))
        return x


@MODELS.register_module()
class EmittingHead(HOST_MODELS.get('TSNHead')):
    """Hands out the mean of each of its maps."""

    def forward(self, x, num_segs, **kwargs):
        assert num_segs == 1
        emit_attention(self, 'level', x.mean(dim=(1, 2, 3)), ('row',))
        return super().forward(x, num_segs, **kwargs)


@MODELS.register_module()
class FramesPassOn(FrameReduction):
    """No reduction at all."""

    def forward(self, taps, num_frames):
        return taps[-1], {}


def build(backbone=VGG, taps=('conv3',), module='mmattn.FrameMean', head=(), **options):
    module = dict(type=module) if isinstance(module, str) else module
    cfg = dict(
        type='mmattn.ReductionRecognizer',
        backbone=dict(backbone),
        reduction=dict(taps=taps, module=module),
        cls_head=dict(HEAD, **dict(head)),
    )
    model = HOST_MODELS.build(dict(cfg, **options))
    model.init_weights()
    return model


def vgg(out='conv5', **options):
    return {**VGG, 'out': out, **options}


def samples(count, **metainfo):
    labels = [ActionDataSample().set_gt_label(n % CLASSES) for n in range(count)]
    for label in labels:
        label.set_metainfo(metainfo)
    return labels


def frames(videos, count, size=(37, 41)):
    return torch.randn(videos, count, 3, *size)


@torch.no_grad()
def scores(model, inputs, num_clips=None, **metainfo):
    if num_clips is not None:
        metainfo['num_clips'] = num_clips
    found = model(inputs, samples(len(inputs), **metainfo), mode='predict')
    return torch.stack([sample.pred_score for sample in found])


def fill(model, other):
    assert not model.load_state_dict(other.state_dict(), strict=True).missing_keys
    return model


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)
