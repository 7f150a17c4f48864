"""The randomness of a step is a function of seed, iteration and rank."""

from types import SimpleNamespace

import pytest
import torch

from mmattn.datasets.samplers import SeededSampler
from mmattn.engine import ReproducibleHook
from mmattn.engine.hooks import reproducible_hook


def drawn(seed=3, iteration=7):
    runner = SimpleNamespace(seed=seed, iter=iteration)
    ReproducibleHook().before_train_iter(runner, batch_idx=0)
    return torch.rand(5)


def test_a_step_repeats_whatever_ran_before():
    first = drawn()
    torch.rand(11)
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
    ReproducibleHook().before_train(SimpleNamespace(seed=9, train_dataloader=loader))
    assert list(sampler) == list(SeededSampler(range(5), seed=9))


def test_sampler_without_seed_is_left_alone():
    sampler = torch.utils.data.SequentialSampler(range(5))
    loader = SimpleNamespace(sampler=sampler)
    ReproducibleHook().before_train(SimpleNamespace(seed=9, train_dataloader=loader))
    assert not hasattr(sampler, 'seed')
