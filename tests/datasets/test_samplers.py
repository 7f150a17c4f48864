import itertools
import pickle
import random
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader, Dataset

from mmattn.datasets import SeededIndex, SeededSampler, seeded_rng


def take(sampler, count):
    return [(int(i), i.seed) for i in itertools.islice(iter(sampler), count)]


def on_rank(rank, world_size, *args, **kwargs):
    target = 'mmengine.dataset.sampler.get_dist_info'
    with mock.patch(target, return_value=(rank, world_size)):
        return SeededSampler(*args, **kwargs)


class Noise(Dataset):
    """Draws from all three generators; knows nothing but the seeded index."""

    def __len__(self):
        return 11

    def __getitem__(self, index):
        with seeded_rng(getattr(index, 'seed', None)):
            return int(index), random.random(), np.random.rand(), torch.rand(()).item()


def test_index_is_an_integer_with_a_seed():
    index = SeededIndex(7, 3)
    assert index == 7
    assert [*range(9)][index] == 7
    assert (index % 4, (index % 4).seed) == (3, 3)
    assert (index - 5, (index - 5).seed) == (2, 3)
    copied = pickle.loads(pickle.dumps(index))
    assert (type(copied), copied, copied.seed) == (SeededIndex, 7, 3)


@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize('rank', [0, 2])
def test_epochs_are_in_the_order_of_the_host(shuffle, round_up, rank):
    ours = on_rank(rank, 3, range(11), shuffle, seed=5, round_up=round_up)
    with mock.patch('mmengine.dataset.sampler.get_dist_info', return_value=(rank, 3)):
        host = DefaultSampler(range(11), shuffle, seed=5, round_up=round_up)
    assert len(ours) == len(host)
    for epoch in range(3):
        ours.set_epoch(epoch)
        host.set_epoch(epoch)
        assert list(ours) == list(host)


def test_seeds_depend_on_seed_epoch_and_position_only():
    sampler = SeededSampler(range(11), seed=5)
    first = take(sampler, 11)
    assert first == take(SeededSampler(range(11), seed=5), 11)
    sampler.set_epoch(1)
    second = take(sampler, 11)
    other = take(SeededSampler(range(11), seed=6), 11)
    seeds = [seed for _, seed in first + second + other]
    assert len(set(seeds)) == 33
    assert all(0 <= seed < 2**32 for seed in seeds)
    sampler.set_epoch(0)
    assert take(sampler, 11) == first


def test_endless_passes_are_the_epochs():
    endless = take(SeededSampler(range(7), seed=5, infinite=True), 21)
    sampler, epochs = SeededSampler(range(7), seed=5), []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        epochs += take(sampler, 7)
    assert endless == epochs


@pytest.mark.parametrize('infinite', [True, False])
def test_ranks_share_one_sequence(infinite):
    args = {'seed': 5, 'infinite': infinite, 'round_up': False}
    ranks = [take(on_rank(rank, 3, range(7), **args), 5) for rank in range(3)]
    single = take(SeededSampler(range(7), **args), 15)
    merged = [entry for row in itertools.zip_longest(*ranks) for entry in row if entry]
    assert merged == single


@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize('world_size', [1, 2])
def test_skipping_equals_reading(shuffle, world_size):
    def make():
        return on_rank(
            world_size - 1, world_size, range(7), shuffle, seed=5, infinite=True
        )

    read = take(make(), 40)
    for skipped in (0, 3, 7, 23):
        sampler = make()
        sampler.skip(skipped)
        assert take(sampler, 17) == read[skipped : skipped + 17]
    sampler.skip(2)
    assert take(sampler, 5) == read[25:30]


def test_generators_are_seeded_and_restored():
    draws = []
    for _ in range(2):
        before = random.getstate(), np.random.get_state()[1], torch.get_rng_state()
        with seeded_rng(9):
            draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
        assert random.getstate() == before[0]
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])
        assert torch.equal(torch.get_rng_state(), before[2])
        random.random(), np.random.rand(), torch.rand(())
    assert draws[0] == draws[1]
    assert draws[0][0] == random.Random(9).random()


def test_generators_are_restored_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(IndexError, match='out of bounds'), seeded_rng(9):
        torch.rand(3)[np.random.randint(5, 9)]
    assert torch.equal(torch.get_rng_state(), before)


def test_no_seed_leaves_generators_running():
    before = torch.get_rng_state()
    with seeded_rng(None):
        torch.rand(3)
    assert not torch.equal(torch.get_rng_state(), before)


def test_augmentation_does_not_depend_on_workers_and_survives_a_resume():
    def draw(num_workers, skipped=0):
        sampler = SeededSampler(Noise(), seed=5, infinite=True)
        sampler.skip(skipped)
        loader = DataLoader(
            Noise(), 3, sampler=sampler, num_workers=num_workers, collate_fn=list
        )
        iterator = iter(loader)
        return [next(iterator) for _ in range(8)]

    alone = draw(0)
    assert draw(2) == alone
    assert draw(2, skipped=9)[:5] == alone[3:]
    assert len({noise[1] for batch in alone for noise in batch}) == 24


def test_errors():
    with pytest.raises(ValueError, match='at least one sample'):
        SeededSampler([])
    with pytest.raises(ValueError, match=r'seed: expected int at least 0 .*got -1'):
        SeededSampler(range(3), seed=-1)
    with pytest.raises(ValueError, match='expected an infinite sampler to skip'):
        SeededSampler(range(3), seed=1).skip(1)
    with pytest.raises(ValueError, match='expected `num_samples` of 0 or more'):
        SeededSampler(range(3), seed=1, infinite=True).skip(-1)


def test_builds_from_config_and_length():
    cfg = {'type': 'mmattn.SeededSampler', 'infinite': True}
    sampler = DATA_SAMPLERS.build(cfg, default_args={'dataset': range(7), 'seed': None})
    assert isinstance(sampler.seed, int)
    assert len(sampler) == 7
    assert len(on_rank(0, 3, range(7), seed=1)) == 3
