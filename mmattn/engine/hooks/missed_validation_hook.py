"""Hook that makes up for a validation that a killed run has missed."""

from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.runner import BaseLoop, IterBasedTrainLoop

from mmattn.registry import HOOKS
from mmattn.utils.files import write_text

MARKER = 'last_validation'


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Make up for the validation of a run killed between it and its checkpoint.

    MMEngine writes a checkpoint, validates, and then writes the best one.  A run killed
    in between would resume after that validation and miss its best checkpoint.  The
    file ``last_validation`` in the work folder holds the iteration of the last
    validation that was done with everything.

    Example:
        >>> custom_hooks = [dict(type='mmattn.MissedValidationHook')]
    """

    priority = 'LOWEST'  # after CheckpointHook

    def before_train(self, runner: Any) -> None:
        """Validate, if the resumed run has not."""
        if runner._resume and runner.val_loop is not None and self._is_due(runner):
            runner.logger.info('The resumed run makes up for a validation.')
            runner.val_loop.run()

    def after_val_epoch(
        self, runner: Any, metrics: dict[str, float] | None = None
    ) -> None:
        """Note that a validation is done with."""
        if is_main_process() and isinstance(runner._train_loop, BaseLoop):
            write_text(Path(runner.work_dir) / MARKER, str(runner.iter))

    def _is_due(self, runner: Any) -> bool:
        loop = runner.train_loop
        by_iter = isinstance(loop, IterBasedTrainLoop)
        done = runner.iter if by_iter else runner.epoch
        last = runner.max_iters if by_iter else runner.max_epochs
        if done < max(loop.val_begin, 1):
            return False
        if done % loop.val_interval and done != last:
            return False
        marker = Path(runner.work_dir) / MARKER
        noted = marker.read_text().strip() if marker.is_file() else ''
        stops = any(isinstance(hook, EarlyStoppingHook) for hook in runner.hooks)
        missed = [stops or not noted.isdecimal() or int(noted) < runner.iter]
        broadcast_object_list(missed)  # as the main process has found it
        return missed[0]
