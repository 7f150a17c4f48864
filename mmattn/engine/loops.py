"""Training loops."""

from typing import Annotated, Any

from mmengine.dist import get_world_size
from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader

from mmattn.registry import LOOPS
from mmattn.signatures import Keys, Positive

SEEN = 'train_samples_seen'


@LOOPS.register_module()
class ResumableIterLoop(IterBasedTrainLoop):
    """Iteration-based training that resumes without decoding what is done.

    On resuming, the host's loop reads and decodes every batch of the finished
    iterations; this one moves the sampler forward instead.  Use it with
    ``mmattn.SeededSampler(infinite=True)``.  The checkpoint holds how many samples were
    seen, so that a run with another batch size, or number of processes, goes on with
    the next ones.

    Args:
        runner: The runner.
        dataloader: Data loader or its config.
        max_iters: Number of iterations.
        val_begin: First iteration after which validation may run.
        val_interval: Iterations between validations.
        **host_args: Other arguments of MMEngine's ``IterBasedTrainLoop``.

    Raises:
        TypeError: If the data loader's sampler cannot skip.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader | Annotated[dict, Keys('dataset')],
        max_iters: Positive,
        *,
        val_begin: Positive = 1,
        val_interval: Positive = 1000,
        **host_args: Any,
    ) -> None:
        super().__init__(
            runner, dataloader, max_iters, val_begin, val_interval, **host_args
        )
        if not hasattr(self.dataloader.sampler, 'skip'):
            raise TypeError(
                'train_dataloader.sampler: expected a sampler that can skip, such as '
                "dict(type='mmattn.SeededSampler', infinite=True), got "
                f'{type(self.dataloader.sampler).__name__}'
            )

    def run(self) -> Any:
        """Train from the current iteration to the last."""
        if self._iter > 0:
            self.dataloader.sampler.seed = self.runner.seed  # the resumed one
            self.dataloader.sampler.skip(self._samples_seen() // get_world_size())
            batches = _InfiniteDataloaderIterator(self.dataloader)
            self.dataloader_iterator = _AlreadyAdvanced(batches, self._iter)
        return super().run()

    def run_iter(self, data_batch: Any) -> None:
        """Train one step; what its hooks save says how many samples were seen.

        Args:
            data_batch: The batch.
        """
        seen = self._samples_seen() + self._samples_per_step()
        self.runner.message_hub.update_info(SEEN, seen)
        super().run_iter(data_batch)

    def _samples_per_step(self) -> int:
        return self.dataloader.batch_size * get_world_size()

    def _samples_seen(self) -> int:
        """Samples of all processes; older checkpoints know only the iterations."""
        infos = self.runner.message_hub.runtime_info
        return int(infos.get(SEEN, self._iter * self._samples_per_step()))


class _AlreadyAdvanced:
    """Answer the first ``steps`` calls of ``next`` with nothing, then iterate."""

    def __init__(self, iterator: Any, steps: int) -> None:
        self.iterator = iterator
        self.steps = steps

    def __iter__(self) -> '_AlreadyAdvanced':
        return self

    def __next__(self) -> Any:
        if self.steps > 0:
            self.steps -= 1
            return None
        return next(self.iterator)
