"""Training under bfloat16 autocast on any device."""

import pytest
import torch
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from mmattn.engine import Bf16OptimWrapper
from mmattn.testing import build_runner

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
CONVNET = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb'


def build(model, **kwargs):
    cfg = dict(
        type='mmattn.Bf16OptimWrapper',
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        **kwargs,
    )
    return OPTIM_WRAPPERS.build(cfg)


def test_forward_is_bf16_and_weights_stay_float32():
    model = nn.Linear(7, 5)
    before = model.weight.detach().clone()
    wrapper = build(model)
    assert isinstance(wrapper, Bf16OptimWrapper)
    x = torch.rand(3, 7)
    with wrapper.optim_context(model):
        out = model(x)
    assert out.dtype == torch.bfloat16
    assert model(x).dtype == torch.float32
    wrapper.update_params(out.float().pow(2).mean())
    assert model.weight.dtype == torch.float32
    assert not torch.equal(model.weight, before)


def test_gradients_equal_float32_up_to_rounding():
    model = nn.Linear(7, 5)
    x = torch.rand(3, 7)
    model(x).pow(2).mean().backward()
    expected = model.weight.grad.clone()
    model.zero_grad()
    with build(model).optim_context(model):
        loss = model(x).float().pow(2).mean()
    loss.backward()
    torch.testing.assert_close(model.weight.grad, expected, rtol=0.05, atol=1e-3)
    assert not torch.equal(model.weight.grad, expected)


def test_accumulates_as_the_host():
    model = nn.Linear(7, 5)
    before = model.weight.detach().clone()
    wrapper = build(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    for step in range(2):
        with wrapper.optim_context(model):
            loss = model(torch.ones(3, 7)).float().mean()
        wrapper.update_params(loss)
        assert torch.equal(model.weight, before) == (step == 0)


@pytest.mark.parametrize(
    'name, freeze', [(VIDEO, True), (VIDEO, False), (CONVNET, None)]
)
def test_our_recognizers_train(shrunk, tmp_path, name, freeze):
    cfg = shrunk(name)
    cfg.optim_wrapper.type = 'mmattn.Bf16OptimWrapper'
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    if freeze is not None:
        cfg.model.freeze_backbone = freeze
    runner = build_runner(cfg, tmp_path)
    seen = set()
    runner.model.backbone.register_forward_hook(
        lambda module, args, out: seen.add(out.dtype)
    )
    runner.train()
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in runner.model.parameters()} == {torch.float32}
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert torch.isfinite(torch.as_tensor(losses)).all()
