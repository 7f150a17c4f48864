"""Hook that makes a resumed run equal to one that was never stopped."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce_params, get_rank, get_world_size
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.model import is_model_wrapper

from mmattn.registry import HOOKS

STOPPING = ('monitor', 'wait_count', 'best_score')  # of an EarlyStoppingHook


@HOOKS.register_module()
class ReproducibleHook(Hook):
    """Draw the randomness of every training step from (seed, iteration, rank).

    MMEngine's checkpoints hold weights, optimizer, schedulers and counters but no
    random states, so dropout differs after resuming.  Seeding each step makes the
    state a function of what the checkpoint does hold.  The data's randomness is the
    same kind of function in :class:`mmattn.datasets.SeededSampler`, whose seed this
    hook sets to the run's, which the checkpoint holds too.

    Nor do they hold the gradients of a checkpoint that is written while gradients are
    accumulated (``accumulative_counts``), nor for how long the score of
    ``EarlyStoppingHook`` has not improved; this hook adds both.  Before a checkpoint of
    training by iterations, the buffers of all processes (the statistics of batch norms)
    become their mean, as the host's ``SyncBuffersHook`` does after each epoch, because
    it holds those of one process.

    Args:
        exact: Whether to refuse to resume where the result would be another: in the
            middle of accumulated gradients that the checkpoint does not hold, which
            are different ones in each process.  Otherwise they are dropped.

    Raises:
        ValueError: When such a run resumes.
    """

    priority = 'VERY_HIGH'

    def __init__(self, *, exact: bool = True) -> None:
        self.exact = exact
        self.gradients: dict[str, torch.Tensor] | None = None
        self.stopping: list[dict[str, Any]] = []

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Keep the gradients that the next update needs, and the scores so far."""
        stopping = [{key: getattr(x, key) for key in STOPPING} for x in _stops(runner)]
        if stopping:
            checkpoint['early_stopping'] = stopping
        if _accumulates(runner) and get_world_size() == 1:
            checkpoint['gradients'] = {
                name: weight.grad.cpu()
                for name, weight in _weights(runner)
                if weight.grad is not None
            }

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Take the gradients, and the scores so far."""
        if runner._resume:
            self.gradients = checkpoint.get('gradients')
            self.stopping = checkpoint.get('early_stopping', [])

    def before_train(self, runner: Any) -> None:
        """Restore what was kept, and give the sampler the seed of the resumed run."""
        for hook in _stops(runner):
            kept = [x for x in self.stopping if x['monitor'] == hook.monitor]
            vars(hook).update(kept[0] if kept else {})
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'seed'):
            sampler.seed = runner.seed
        if runner._resume and _in_the_middle(runner):
            self._restore_gradients(runner)
        self.gradients = None

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed Python, NumPy and PyTorch for this step."""
        step_seed = hash((runner.seed, runner.iter, get_rank()))
        random.seed(step_seed)
        np.random.seed(step_seed % 2**32)
        torch.manual_seed(step_seed % 2**63)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Give all processes the buffers that a checkpoint is about to hold."""
        if get_world_size() > 1 and any(_saves(hook, runner) for hook in runner.hooks):
            all_reduce_params(runner.model.buffers(), op='mean')

    def _restore_gradients(self, runner: Any) -> None:
        if self.gradients is None or get_world_size() > 1:
            if self.exact:
                raise ValueError(
                    f'resume: expected a checkpoint written after an update, got one '
                    f'of iteration {runner.iter} amid accumulative_counts='
                    f'{runner.optim_wrapper._accumulative_counts}, whose gradients '
                    'were not kept (they are in training by one process); resume '
                    'another, or go on without them by '
                    "custom_hooks=[dict(type='mmattn.ReproducibleHook', exact=False)]"
                )
            return
        for name, weight in _weights(runner):
            if name in self.gradients:
                weight.grad = self.gradients[name].to(weight)
        runner.logger.info('The gradients accumulated so far are restored.')


def _weights(runner: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
    model = runner.model
    return (model.module if is_model_wrapper(model) else model).named_parameters()


def _stops(runner: Any) -> list[EarlyStoppingHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook)]


def _saves(hook: Any, runner: Any) -> bool:
    """Whether a hook writes a checkpoint after this iteration."""
    return (
        isinstance(hook, CheckpointHook)
        and not hook.by_epoch
        and (
            hook.every_n_train_iters(runner, hook.interval, hook.save_begin)
            or hook.is_last_train_iter(runner)
        )
    )


def _accumulates(runner: Any) -> bool:
    return getattr(runner.optim_wrapper, '_accumulative_counts', 1) > 1


def _in_the_middle(runner: Any) -> bool:
    """Whether gradients of past iterations belong to the next update."""
    wrapper = runner.optim_wrapper
    return _accumulates(runner) and not (
        wrapper.inner_count % wrapper._accumulative_counts == 0
        or wrapper.inner_count == wrapper._max_counts
    )
