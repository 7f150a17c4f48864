"""Hook that makes a resumed run equal to one that was never stopped."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmattn.registry import HOOKS


@HOOKS.register_module()
class ReproducibleHook(Hook):
    """Draw the randomness of every training step from (seed, iteration, rank).

    MMEngine's checkpoints hold weights, optimizer, schedulers and counters but no
    random states, so dropout differs after resuming.  Seeding each step makes the
    state a function of what the checkpoint does hold.  The data's randomness is the
    same kind of function in :class:`mmattn.datasets.SeededSampler`, whose seed this
    hook sets to the run's, which the checkpoint holds too.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: object) -> None:
        """Give the sampler the run's seed, which resuming may have changed."""
        sampler = runner.train_dataloader.sampler  # type: ignore[attr-defined]
        if hasattr(sampler, 'seed'):
            sampler.seed = runner.seed  # type: ignore[attr-defined]

    def before_train_iter(
        self, runner: object, batch_idx: int, data_batch: object = None
    ) -> None:
        """Seed torch for this step."""
        step_seed = (runner.seed, runner.iter, get_rank())  # type: ignore[attr-defined]
        torch.manual_seed(hash(step_seed) % 2**63)
