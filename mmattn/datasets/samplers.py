"""Sampling that a resumed run, and any number of workers, repeats exactly."""

import contextlib
import itertools
import random
from collections.abc import Iterator, Sized

import numpy as np
import torch
from mmengine.dataset import DefaultSampler

from mmattn.registry import DATA_SAMPLERS
from mmattn.signatures import NotNegative


class SeededIndex(int):
    """Index of a sample that carries the seed of its augmentation.

    ``-`` and ``%`` keep the seed, so that it reaches data sets inside MMEngine's
    ``ConcatDataset`` and ``RepeatDataset``.

    Args:
        value: Index.
        seed: Seed, 0 to 2^32 - 1.

    Example:
        >>> index = SeededIndex(7, seed=3)
        >>> index, index.seed, (index % 5).seed
        (7, 3, 3)
    """

    seed: int

    def __new__(cls, value: int, seed: int) -> 'SeededIndex':
        """Make the integer and attach the seed."""
        index = super().__new__(cls, value)
        index.seed = seed
        return index

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        return int(self), self.seed

    def __sub__(self, other: int) -> 'SeededIndex':
        return SeededIndex(int(self) - other, self.seed)

    def __mod__(self, other: int) -> 'SeededIndex':
        return SeededIndex(int(self) % other, self.seed)


@contextlib.contextmanager
def seeded_rng(seed: int | None) -> Iterator[None]:
    """Seed Python's, NumPy's and PyTorch's CPU generators and restore them afterwards.

    Generators of GPUs are left alone: augmentation runs on the CPU, and with
    ``num_workers=0`` the model's dropout shares the process.

    Args:
        seed: Seed, 0 to 2^32 - 1; None changes nothing.

    Example:
        >>> with seeded_rng(5):
        ...     first = random.random()
        >>> with seeded_rng(5):
        ...     first == random.random()
        True
    """
    if seed is None:
        yield
        return
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """Sampler whose order and augmentation are functions of seed and position.

    Pass ``p`` over the data set is in the order of ``DefaultSampler`` in epoch ``p``,
    also when ``infinite``.  Each index carries a seed made of (seed, pass, position in
    the pass over all ranks), and our data sets draw their augmentation from it.
    Without ``seed`` a random one, common to all ranks, is drawn: give
    ``randomness=dict(seed=...)`` in the config for a run that resumes exactly.

    Args:
        dataset: Data set with at least one sample.
        shuffle: Whether each pass is in a new random order.
        seed: Seed, at least 0, equal in all ranks.
        infinite: Whether pass follows pass without end, for iteration-based training;
            ``round_up`` and :meth:`set_epoch` then mean nothing.
        round_up: Whether samples are repeated until all ranks have equally many.

    Raises:
        ValueError: If the data set is empty or the seed negative.

    Example:
        >>> sampler = SeededSampler(range(3), False, seed=1, infinite=True)
        >>> sampler.skip(4)
        >>> list(itertools.islice(sampler, 4))
        [1, 2, 0, 1]
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        *,
        seed: NotNegative | None = None,
        infinite: bool = False,
        round_up: bool = True,
    ) -> None:
        if len(dataset) == 0:
            raise ValueError('expected `dataset` with at least one sample, got none')
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        self.infinite = infinite
        self.skipped = 0

    def skip(self, num_samples: int) -> None:
        """Start the next iterations later, without reading anything.

        Args:
            num_samples: Samples of this rank to leave out, at least 0: iterations done
                times batch size.  Calls add up.

        Raises:
            ValueError: If the sampler is not infinite or the number is negative.
        """
        if not self.infinite:
            raise ValueError('expected an infinite sampler to skip, got infinite=False')
        if num_samples < 0:
            raise ValueError(f'expected `num_samples` of 0 or more, got {num_samples}')
        self.skipped += num_samples

    def __iter__(self) -> Iterator[SeededIndex]:
        if self.infinite:
            return self._iterate_endlessly()
        return self._iterate_epoch()

    def _iterate_epoch(self) -> Iterator[SeededIndex]:
        epoch = self.epoch
        for count, index in enumerate(super().__iter__()):
            position = self.rank + count * self.world_size
            yield SeededIndex(index, self._sample_seed(epoch, position))

    def _iterate_endlessly(self) -> Iterator[SeededIndex]:
        size = len(self.dataset)
        start = self.rank + self.skipped * self.world_size
        ordered, order = -1, list(range(size))
        for position in itertools.count(start, self.world_size):
            number, place = divmod(position, size)
            if self.shuffle and number != ordered:
                generator = torch.Generator().manual_seed(self.seed + number)
                order = torch.randperm(size, generator=generator).tolist()
                ordered = number
            yield SeededIndex(order[place], self._sample_seed(number, place))

    def _sample_seed(self, number: int, position: int) -> int:
        sequence = np.random.SeedSequence((self.seed, number, position))
        return int(sequence.generate_state(1)[0])
