"""Learning rates by depth, from the optimizer's construction to resuming."""

import math

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.optim import LinearLR, MultiStepLR, build_optim_wrapper
from reference.sine_lr import sine_rates
from torch import nn
from two_processes import in_two_processes

from mmattn.engine.optimizers.layer_depths import layer_depths
from mmattn.testing import build_runner

CONVNET = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb'
SINE = 'mmattn.SineLayerwiseConstructor'


def build(model, *, wrapper='OptimWrapper', lr=0.3, **paramwise):
    optimizer = dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.5)
    cfg = dict(type=wrapper, optimizer=optimizer, constructor=SINE)
    if paramwise:
        cfg['paramwise_cfg'] = paramwise
    return build_optim_wrapper(model, cfg)


def chain(num_layers=3):
    return nn.Sequential(*(nn.Linear(5, 5) for _ in range(num_layers)))


def rates(wrapper, model, key='lr'):
    """Option of each trainable parameter; each has to be in exactly one group."""
    of = {}
    for group in wrapper.optimizer.param_groups:
        for parameter in group['params']:
            assert parameter not in of
            of[parameter] = group[key]
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert set(of) == set(named.values())
    return {name: of[parameter] for name, parameter in named.items()}


def resnet(depth=18, channels=512, **options):
    head = dict(type='TSNHead', num_classes=5, in_channels=channels)
    backbone = dict(type='ResNet', depth=depth, **options)
    return MODELS.build(dict(type='Recognizer2D', backbone=backbone, cls_head=head))


@pytest.mark.parametrize('num_layers', [1, 2, 3, 7])
def test_rates_of_eq_2(num_layers):
    model = chain(num_layers)
    found = rates(build(model, input_shape=(5,)), model)
    expected = sine_rates(num_layers, 0.3)
    for layer, rate in enumerate(expected):
        assert found[f'{layer}.weight'] == pytest.approx(rate, rel=1e-12)
        assert found[f'{layer}.bias'] == found[f'{layer}.weight']
    values = list(dict.fromkeys(found.values()))
    assert values == sorted(values)
    assert values[0] == pytest.approx(0.3 * math.sin(math.pi / 2 / num_layers))
    assert values[0] > 0
    assert values[-1] == 0.3


def test_three_layers():
    model = chain(3)
    found = rates(build(model, lr=1.0, input_shape=(5,)), model)
    weights = [found[f'{layer}.weight'] for layer in range(3)]
    assert weights == pytest.approx([0.5, 0.8660254, 1.0])


def test_resnet_50():
    model = resnet(50, 2048)
    wrapper = build(model)
    expected, depths = sine_rates(50, 0.3), layer_depths(model)
    for name, rate in rates(wrapper, model).items():
        assert rate == pytest.approx(expected[depths[name] - 1], rel=1e-12)
    assert len(wrapper.optimizer.param_groups) == 50


def test_slow_only():
    backbone = dict(type='ResNet3dSlowOnly', depth=18, pretrained=None, base_channels=4)
    head = dict(type='I3DHead', num_classes=5, in_channels=32)
    model = MODELS.build(dict(type='Recognizer3D', backbone=backbone, cls_head=head))
    found = rates(build(model), model)
    assert found['backbone.conv1.conv.weight'] == pytest.approx(
        0.3 * math.sin(math.pi / 36)
    )
    assert found['cls_head.fc_cls.weight'] == 0.3


def test_host_options_multiply():
    model = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 2, 1))
    wrapper = build(
        model,
        bias_lr_mult=2.0,
        bias_decay_mult=0.25,
        norm_decay_mult=0.0,
        custom_keys={'2.weight': dict(lr_mult=10.0, decay_mult=0.5)},
    )
    first = 0.3 * math.sin(math.pi / 4)
    expected = {
        '0.weight': (first, 0.5),
        '0.bias': (2 * first, 0.125),
        '1.weight': (first, 0.0),
        '1.bias': (first, 0.0),
        '2.weight': (3.0, 0.25),
        '2.bias': (0.6, 0.125),
    }
    lr, decay = rates(wrapper, model), rates(wrapper, model, 'weight_decay')
    for name, (rate, weight_decay) in expected.items():
        assert lr[name] == pytest.approx(rate), name
        assert decay[name] == pytest.approx(weight_decay), name
    assert len(wrapper.optimizer.param_groups) == 5  # both of the normalization in one


def test_schedulers_scale_all_alike_and_do_not_compound():
    model = chain(3)
    wrapper = build(model, lr=1.0, input_shape=(5,))
    expected = sine_rates(3, 1.0)
    schedulers = [
        LinearLR(wrapper, start_factor=0.1, by_epoch=False, begin=0, end=3),
        MultiStepLR(wrapper, milestones=[5], gamma=0.1, by_epoch=False),
    ]
    # Linear over the 2 steps from 0.1, then constant, a tenth from step 5.
    factors = [0.1, 0.55, 1.0, 1.0, 1.0, 0.1, 0.1]
    for factor in factors:
        found = [group['lr'] for group in wrapper.optimizer.param_groups]
        assert found == pytest.approx([factor * rate for rate in expected])
        assert wrapper.get_lr()['base_lr'] == pytest.approx([factor])
        loss = model(torch.ones(1, 5)).square().sum()
        wrapper.update_params(loss)
        for scheduler in schedulers:
            scheduler.step()
    initial = [group['initial_lr'] for group in wrapper.optimizer.param_groups]
    assert initial == pytest.approx(expected)


def test_one_step_moves_weights_by_their_rates():
    model = chain(3)
    wrapper = build(model, lr=1e-3, input_shape=(5,))
    wrapper.optimizer.defaults['weight_decay'] = 0
    for group in wrapper.optimizer.param_groups:
        group['weight_decay'] = 0
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(1, 5)).square().sum().backward()
    grads = [p.grad.clone() for p in model.parameters()]
    wrapper.step()
    for layer, rate in enumerate(sine_rates(3, 1e-3)):
        for k in (2 * layer, 2 * layer + 1):
            moved = before[k] - list(model.parameters())[k]
            torch.testing.assert_close(moved, rate * grads[k], rtol=1e-3, atol=1e-6)


def test_frozen_stages():
    model = resnet(frozen_stages=2)
    model.train()
    found = rates(build(model), model)
    assert 'backbone.layer2.0.conv1.conv.weight' not in found
    # The layers of the frozen stages count: conv1 is 1, layer1 2-5, layer2 6-9.
    assert found['backbone.layer3.0.conv1.conv.weight'] == pytest.approx(
        0.3 * math.sin(10 / 18 * math.pi / 2)
    )


def test_wrapped_model():
    class Wrapper(nn.Module):
        """Like DistributedDataParallel: the model is its child ``module``."""

        def __init__(self, module):
            super().__init__()
            self.module = module

    model = resnet()
    plain = rates(build(model), model)
    assert rates(build(Wrapper(model)), model) == plain


def two_steps(model, parallel, inputs):
    wrapper = build(parallel, lr=0.1, input_shape=(5,))
    for _ in range(2):
        wrapper.update_params(parallel(inputs).square().mean())
    return rates(wrapper, model), model.state_dict()


def samples_of_two():
    torch.manual_seed(0)
    return chain(), torch.rand(2, 5)


def two_steps_of(rank):
    model, inputs = samples_of_two()
    parallel = nn.parallel.DistributedDataParallel(model)
    return two_steps(model, parallel, inputs[rank : rank + 1])


@pytest.mark.slow
def test_two_processes_step_as_one(tmp_path):
    processes = in_two_processes(two_steps_of, tmp_path)
    model, inputs = samples_of_two()
    expected_rates, expected = two_steps(model, model, inputs)
    for found_rates, found in processes:
        assert found_rates == expected_rates
        for name, x in expected.items():
            torch.testing.assert_close(found[name], x)


def test_parameters_of_two_modules_have_one_place():
    model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 5))
    model[1].weight = model[0].weight
    found = rates(build(model, input_shape=(5,)), model)
    assert set(found) == {'0.weight', '0.bias', '1.bias', '2.weight', '2.bias'}


def test_bf16():
    wrapper = build(chain(), wrapper='mmattn.Bf16OptimWrapper', input_shape=(5,))
    assert type(wrapper).__name__ == 'Bf16OptimWrapper'
    found = [group['lr'] for group in wrapper.optimizer.param_groups]
    assert found == pytest.approx(sine_rates(3, 0.3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='AmpOptimWrapper needs it')
def test_amp_on_a_gpu():
    model = resnet().cuda()
    wrapper = build(model, wrapper='AmpOptimWrapper')
    assert max(rates(wrapper, model).values()) == 0.3
    assert len(wrapper.optimizer.param_groups) == 18


def test_trains_and_resumes(shrunk, tmp_path, capfd):
    cfg = shrunk(CONVNET)
    cfg.optim_wrapper.constructor = SINE
    cfg.optim_wrapper.paramwise_cfg = dict(print_depths=True)
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=1.0, momentum=0.9)
    warm_up = dict(type='LinearLR', start_factor=0.5, by_epoch=False, begin=0, end=3)
    steps = dict(type='MultiStepLR', milestones=[3], gamma=0.1, by_epoch=False, end=9)
    cfg.param_scheduler = [warm_up, steps]
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    runner = build_runner(cfg.copy(), tmp_path)
    runner.train()
    assert 'depth  rate    modules' in capfd.readouterr().out
    # After 2 of the 2 steps from 0.5 to 1.
    expected = sine_rates(16, 1.0)
    found = sorted(
        {group['lr'] for group in runner.optim_wrapper.optimizer.param_groups}
    )
    assert found == pytest.approx(expected)

    cfg.train_cfg.max_iters = 4
    cfg.resume = True
    resumed = build_runner(cfg, tmp_path)
    resumed.train()
    found = sorted(
        {group['lr'] for group in resumed.optim_wrapper.optimizer.param_groups}
    )
    assert found == pytest.approx([0.1 * rate for rate in expected])
    before = runner.optim_wrapper.optimizer.state_dict()['param_groups']
    after = resumed.optim_wrapper.optimizer.state_dict()['param_groups']
    assert [g['params'] for g in before] == [g['params'] for g in after]


def test_optimizers_without_a_rate_are_refused():
    cfg = dict(optimizer=dict(type='Adadelta'), constructor=SINE)
    with pytest.raises(ValueError, match=r'optim_wrapper\.optimizer\.lr: expected'):
        build_optim_wrapper(chain(), cfg)
