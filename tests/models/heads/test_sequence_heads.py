"""What all heads of sequences have to do, whatever their layers are."""

import math

import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from torch import nn

T, C, CLASSES = 3, 11, 7
HEADS = {
    'ConvLSTMHead': dict(recurrence=dict(hidden_channels=5, feature_size=(3, 2))),
    'TemporalLSTMHead': dict(lstm=dict(num_steps=4, hidden_channels=5), test_steps=2),
    'SlowFastClipHead': dict(slowfast=dict(channels=6, num_layers=1, norm='layer')),
}
heads = pytest.mark.parametrize('name', HEADS)


def config_of(name):
    shared = dict(num_classes=CLASSES, in_channels=C, num_segments=T)
    return dict(type=f'mmattn.{name}', **shared, **HEADS[name])


def make(name, dtype=torch.float64, **options):
    return HOST_MODELS.build(config_of(name) | options).to(dtype).eval()


def features(name, dtype=torch.float64):
    """Frames of two sequences, as vectors where the head reads those."""
    x = torch.randn(2 * T, C, 3, 2, dtype=dtype)
    return x[:, :, 0, 0] if name == 'TemporalLSTMHead' else x


def samples(*labels):
    return [ActionDataSample().set_gt_label(label) for label in labels]


@heads
def test_loss_of_uniform_predictions(name):
    head = make(name, step_reduction='sum')
    nn.init.zeros_(head.fc_cls.weight)
    nn.init.zeros_(head.fc_cls.bias)
    x = features(name)
    loss = head.loss(x, samples(0, 6))['loss_cls'].item()
    steps = head.step_logits(x).shape[1]
    assert loss == pytest.approx(steps * math.log(CLASSES), rel=1e-12)


@heads
def test_bf16_autocast_is_finite(name):
    head, x = make(name, torch.float32), features(name, torch.float32)
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss(x, samples(0, 2))
        result = head.predict(x, samples(0, 2))
    losses['loss_cls'].backward()
    assert all(weight.grad.isfinite().all() for weight in head.parameters())
    exact = head.loss(x, samples(0, 2))['loss_cls']
    assert losses['loss_cls'].item() == pytest.approx(exact.item(), rel=0.02)
    assert result[0].pred_score.dtype == torch.float32


@heads
def test_compiles_in_one_graph(name):
    head, x = make(name), features(name)
    torch._dynamo.reset()
    compiled = torch.compile(head, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(x), head(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    'scope', ['mmaction', pytest.param('mmdet', marks=pytest.mark.det)]
)
@heads
def test_builds_by_name_and_its_weights_load(name, scope):
    if scope == 'mmdet':
        pytest.importorskip('mmdet')
    init_default_scope(scope)
    head, other = make(name), make(name)
    assert type(head.loss_cls).__module__.startswith('mmaction.')
    head.init_weights()
    assert head.fc_cls.weight.std() < 0.05
    assert head.fc_cls.bias.abs().max() == 0
    x = features(name)
    assert not torch.equal(head(x), other(x))
    other.load_state_dict(head.state_dict())
    assert torch.equal(head(x), other(x))


@heads
def test_other_numbers_of_frames_and_channels(name):
    x = features(name)
    with pytest.raises(ValueError, match=rf'expected \(frames, {C}.*, got .*, {C + 1}'):
        make(name)(torch.cat([x, x[:, :1]], dim=1))
    with pytest.raises(ValueError, match='multiple of num_segments=3 per video, got 5'):
        make(name)(x[:-1])


@heads
def test_wrong_options(name):
    with pytest.raises(ValueError, match=r"step_reduction: .*one of .*, got 'max'"):
        make(name, step_reduction='max')
    with pytest.raises(ValueError, match=r'num_segments: .* at least 1, got 0'):
        make(name, num_segments=0)
    with pytest.raises(TypeError, match=r'average_clips: expected one of .*, got None'):
        make(name, average_clips=None)
