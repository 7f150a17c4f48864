"""The randomness of a step is a function of seed, iteration and rank."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_runs import tiny_config

from mmattn.datasets.samplers import SeededSampler
from mmattn.engine import ReproducibleHook
from mmattn.engine.hooks import reproducible_hook
from mmattn.testing import build_runner


def drawn(seed=3, iteration=7):
    runner = SimpleNamespace(seed=seed, iter=iteration)
    ReproducibleHook().before_train_iter(runner, batch_idx=0)
    return torch.tensor([*torch.rand(2), random.random(), np.random.rand()])


def test_a_step_repeats_whatever_ran_before():
    first = drawn()
    torch.rand(11), np.random.rand(3), random.random()
    assert torch.equal(drawn(), first)


@pytest.mark.parametrize('other', [dict(seed=4), dict(iteration=8)])
def test_other_seeds_and_steps_differ(other):
    assert not torch.equal(drawn(**other), drawn())


def test_ranks_differ(monkeypatch):
    first = drawn()
    monkeypatch.setattr(reproducible_hook, 'get_rank', lambda: 1)
    assert not torch.equal(drawn(), first)


def test_sampler_takes_the_runs_seed():
    sampler = SeededSampler(range(5), seed=1)
    loader = SimpleNamespace(sampler=sampler)
    runner = SimpleNamespace(seed=9, train_dataloader=loader, _resume=False, hooks=[])
    ReproducibleHook().before_train(runner)
    assert list(sampler) == list(SeededSampler(range(5), seed=9))


def test_sampler_without_seed_is_left_alone():
    sampler = torch.utils.data.SequentialSampler(range(5))
    loader = SimpleNamespace(sampler=sampler)
    runner = SimpleNamespace(seed=9, train_dataloader=loader, _resume=False, hooks=[])
    ReproducibleHook().before_train(runner)
    assert not hasattr(sampler, 'seed')


EPOCHS = dict(by_epoch=True, steps=3, accumulate=4, clip=True)  # 6 iterations each
ITERATIONS = dict(by_epoch=False, steps=11, interval=4, accumulate=3, ema=True)


def resume(folder, name, options, **hook):
    """Resume a finished run from one of its checkpoints."""
    cfg = tiny_config(**options)
    cfg.custom_hooks[0].update(hook)
    cfg.resume, cfg.load_from = True, str(folder / name)
    runner = build_runner(cfg, folder / 'resumed')
    runner.train()
    return runner


def resumed(folder, *args, **hook):
    """Resume, and return the last weights."""
    resume(folder, *args, **hook)
    return last_weights(folder / 'resumed')


def last_weights(folder):
    path = (folder / 'last_checkpoint').read_text()
    return torch.load(path)['state_dict']


@pytest.mark.filterwarnings('ignore:Detected call of .scheduler.step')
@pytest.mark.parametrize(
    'options, name', [(EPOCHS, 'epoch_1.pth'), (ITERATIONS, 'iter_4.pth')]
)
def test_accumulated_gradients_are_kept(tmp_path, options, name):
    options = dict(options, keep=9)
    build_runner(tiny_config(**options), tmp_path).train()
    assert torch.load(tmp_path / name)['gradients'].keys() > {'last.bias'}
    found = resumed(tmp_path, name, options)
    for key, value in last_weights(tmp_path).items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def test_without_these_gradients_resuming_is_refused_or_another_run(tmp_path):
    """As from two processes, or from before gradients were kept."""
    options = dict(EPOCHS, keep=9)
    build_runner(tiny_config(**options), tmp_path).train()
    content = torch.load(tmp_path / 'epoch_1.pth')
    del content['gradients']
    torch.save(content, tmp_path / 'epoch_1.pth')
    with pytest.raises(
        ValueError,
        match=r'resume: .* got one of iteration 6 amid accumulative_counts=4',
    ):
        resumed(tmp_path, 'epoch_1.pth', options)
    found = resumed(tmp_path, 'epoch_1.pth', options, exact=False)
    assert not torch.equal(found['last.bias'], last_weights(tmp_path)['last.bias'])


@pytest.mark.parametrize('name', ['epoch_2.pth', 'epoch_3.pth'])
def test_checkpoint_after_an_update_holds_no_gradients(tmp_path, name):
    """12 iterations are 3 updates of 4; 18 end with the last, smaller one."""
    build_runner(tiny_config(**EPOCHS), tmp_path).train()
    assert torch.load(tmp_path / name)['gradients'] == {}
    assert resume(tmp_path, name, EPOCHS).epoch == 3  # not refused


def stop_early(cfg, **options):
    cfg.custom_hooks.append(
        dict(type='EarlyStoppingHook', monitor='val/loss', rule='less', **options)
    )
    return cfg


@pytest.mark.parametrize('validated', [True, False])
def test_early_stopping_goes_on_counting(tmp_path, validated):
    """A run of which no validation counts as better stops after three."""

    def config(epochs):
        cfg = tiny_config(steps=epochs, best=False)
        return stop_early(cfg, patience=3, min_delta=99)

    whole = build_runner(config(9), tmp_path / 'whole')
    whole.train()
    assert whole.epoch == 4  # the first one is the best
    build_runner(config(2), tmp_path / 'killed').train()
    if not validated:
        (tmp_path / 'killed/last_validation').unlink()
    cfg = config(9)
    cfg.resume = True
    again = build_runner(cfg, tmp_path / 'killed')
    again.train()
    assert again.epoch == 4
