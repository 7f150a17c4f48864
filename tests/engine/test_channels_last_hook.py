import warnings
import weakref
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODEL_WRAPPERS
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from two_processes import in_two_processes

from mmattn.inference.models import load_model
from mmattn.registry import HOOKS
from mmattn.testing import build_runner, shrink
from mmattn.utils.configs import configs_root

PYRAMID = 'pyramid_in1k-pre-bninception_8xb8-1x1x3-10kiter_ucf101-split1-rgb.py'


def run_hook(model, **cfg):
    hook = HOOKS.build(dict(type='mmattn.ChannelsLastHook'))
    hook.before_run(SimpleNamespace(model=model, cfg=Config(cfg)))


@pytest.mark.parametrize(
    ('conv', 'size', 'layout'),
    [
        (nn.Conv2d, (3, 16, 29, 31), torch.channels_last),
        (nn.Conv3d, (3, 16, 11, 29, 31), torch.channels_last_3d),
    ],
)
def test_maps_are_channels_last_and_the_same(conv, size, layout):
    model = nn.Sequential(conv(16, 32, 3), nn.ReLU(), conv(32, 32, 3))
    x = torch.rand(size)
    expected = model(x)
    weights = list(model.parameters())
    run_hook(model)
    y = model(x)
    assert not expected.is_contiguous(memory_format=layout)
    assert y.is_contiguous(memory_format=layout)
    torch.testing.assert_close(y, expected)
    assert all(a is b for a, b in zip(weights, model.parameters(), strict=True))


def test_one_option_switches_it_off():
    model = nn.Conv2d(3, 5, 2)
    run_hook(model, channels_last=False)
    assert model.weight.is_contiguous()


def test_a_model_without_convolutions_stays_as_it_is():
    model = nn.Sequential(nn.Linear(3, 5), nn.LSTM(5, 7))
    before = [(x.data_ptr(), x.stride()) for x in model.parameters()]
    run_hook(model)
    assert before == [(x.data_ptr(), x.stride()) for x in model.parameters()]


def step(model, rank):
    torch.manual_seed(rank)
    x = torch.rand(4, 3, 7, 7)
    model.zero_grad()
    DistributedDataParallel.forward(model, x).square().mean().backward()


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 7, 3))


class Wraps:
    """What the hook uses of a runner."""

    def __init__(self, wrapper):
        self.cfg = Config(dict(model_wrapper_cfg=dict(wrapper)))
        self.model = self.wrap_model(self.cfg.model_wrapper_cfg, small())

    def wrap_model(self, wrapper, model):
        return MODEL_WRAPPERS.build(wrapper, default_args=dict(module=model))


def measure(rank):
    hook = HOOKS.build(dict(type='mmattn.ChannelsLastHook'))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        runner = Wraps(dict(type='MMDistributedDataParallel'))
        old = weakref.ref(runner.model)
        hook.before_run(runner)
        wrapped = runner.model
        hook.before_run(runner)
        gradients = []
        for _ in range(2):
            step(runner.model, rank)
            gradients.append([x.grad.clone() for x in runner.model.parameters()])
    strides = [x.stride() for x in runner.model.parameters()]
    messages = [str(x.message) for x in seen]

    fsdp = Config.fromfile(configs_root() / '_base_' / 'fsdp.py')
    fsdp.strategy.model_wrapper.auto_wrap_policy.min_num_params = 50
    sharded = Wraps(fsdp.strategy.model_wrapper)
    before = [(x.data_ptr(), x.stride()) for x in sharded.model.parameters()]
    hook.before_run(sharded)
    return dict(
        replaced=old() is None and runner.model is wrapped,
        gradients=gradients,
        strides=strides,
        messages=[x for x in messages if 'strides' in x],
        sharded_stays=before
        == [(x.data_ptr(), x.stride()) for x in sharded.model.parameters()],
    )


def test_two_processes(tmp_path):
    found = in_two_processes(measure, tmp_path)
    shares = []
    for rank in range(2):
        model = small()
        torch.manual_seed(rank)
        model(torch.rand(4, 3, 7, 7)).square().mean().backward()
        shares.append([x.grad for x in model.parameters()])
    means = [(a + b) / 2 for a, b in zip(*shares, strict=True)]
    for one in found:
        assert one['replaced']
        assert one['sharded_stays']
        assert not one['messages']  # DDP warns of gradients in another layout
        first, second = one['gradients']
        torch.testing.assert_close(first, means)
        for a, b, stride in zip(first, second, one['strides'], strict=True):
            assert torch.equal(a, b)
            assert a.stride() == stride
    assert found[0]['strides'][0] == (27, 1, 9, 3)


def test_every_config_has_it():
    files = list(configs_root().glob('[rd]*/*/*.py'))
    assert len(files) > 60
    for path in files:
        cfg = Config.fromfile(path)
        kinds = [hook['type'] for hook in cfg.custom_hooks]
        assert kinds.count('mmattn.ChannelsLastHook') == 1, path
        assert cfg.channels_last, path


@pytest.mark.parametrize('last', [True, False])
def test_a_run_of_a_config_and_its_loaded_model(last, tiny_data, tmp_path):
    path = configs_root() / 'recognition' / 'pyramid' / PYRAMID
    cfg = shrink(Config.fromfile(path), tiny_data)
    cfg.channels_last = last
    runner = build_runner(cfg, tmp_path)
    runner.train()
    loaded = load_model(tmp_path)
    for model in (runner.model, loaded):
        kernels = [x for x in model.parameters() if x.ndim == 4 and x[0, 0].numel() > 1]
        assert kernels
        for weight in kernels:
            assert weight.is_contiguous(memory_format=torch.channels_last) == (
                last or weight.shape[1] == 1
            )
    # Gradients, momentum and checkpoint keep the layout, so a resumed run is the same.
    states = runner.optim_wrapper.optimizer.state
    assert all(
        value['momentum_buffer'].stride() == weight.stride()
        for weight, value in states.items()
        if weight.ndim == 4 and weight.grad is not None
    )
