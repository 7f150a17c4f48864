"""Hook that stops a run whose numbers are no longer finite."""

import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmattn.models.weights.checkpoints import last_saved
from mmattn.registry import HOOKS
from mmattn.signatures import Positive
from mmattn.utils.finite import count_not_finite


class DivergedError(RuntimeError):
    """The losses or the weights of a training run are not finite."""


@HOOKS.register_module()
class DivergenceHook(Hook):
    """Stop training when a loss or a weight is infinite or not a number.

    The losses are looked at in every step, as floats that the host has made for its
    log, and all tensors of a checkpoint before it is written: one with such numbers
    is never written, never the best, and pushes no other out.

    With a loss scaler (``AmpOptimWrapper``) a step whose gradients overflow is skipped,
    so that there one loss means nothing; the run stops if the weights are not finite,
    or after ``patience`` such losses in succession.

    Args:
        patience: Losses in succession that a loss scaler may take, at least 1.

    Raises:
        ValueError: If ``patience`` is less than 1.
        DivergedError: Names iteration, epoch, losses, learning rates and the last
            checkpoint.

    Example:
        >>> custom_hooks = [dict(type='mmattn.DivergenceHook')]
    """

    priority = 'HIGH'  # after RuntimeInfoHook's log, before everything that keeps

    def __init__(self, *, patience: Positive = 20) -> None:
        self.patience = patience
        self.in_succession = 0
        self.not_finite_before: set[str] = set()

    def before_train(self, runner: Any) -> None:
        """Note tensors that are infinite from the start, such as masks."""
        self.in_succession = 0
        self.not_finite_before = set(_not_finite(_state(runner)))

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Look at the losses of the step."""
        losses = {
            key: runner.message_hub.get_scalar(f'train/{key}').current()
            for key in outputs or ()
        }
        if all(math.isfinite(value) for value in losses.values()):
            self.in_succession = 0
            return
        self.in_succession += 1
        scaled = getattr(runner.optim_wrapper, 'loss_scaler', None) is not None
        patient = scaled and self.in_succession < self.patience
        if not patient or self._wrong(_state(runner)):
            raise DivergedError(_report(runner, 'losses', losses))

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Look at all tensors before they are written."""
        parts = ('state_dict', 'optimizer')
        wrong = self._wrong({key: checkpoint.get(key) for key in parts})
        if wrong:
            raise DivergedError(_report(runner, 'numbers', wrong))

    def _wrong(self, parts: dict[str, Any]) -> dict[str, Any]:
        wrong = _not_finite(parts)
        return {k: v for k, v in wrong.items() if k not in self.not_finite_before}


def _state(runner: Any) -> dict[str, Any]:
    model = runner.model
    model = model.module if is_model_wrapper(model) else model
    return {'state_dict': model.state_dict()}


def _not_finite(node: Any, name: str = '') -> dict[str, str]:
    """How many numbers are not finite, by the names of the tensors."""
    if isinstance(node, torch.Tensor):
        count = count_not_finite(node)
        return {name: f'{count} of {node.numel()} not finite'} if count else {}
    if isinstance(node, dict):
        parts = ((f'{name}.{key}'.strip('.'), value) for key, value in node.items())
    elif isinstance(node, (list, tuple)):
        parts = ((f'{name}.{n}', value) for n, value in enumerate(node))
    else:
        return {}
    return {k: v for key, value in parts for k, v in _not_finite(value, key).items()}


def _report(runner: Any, kind: str, values: dict[str, Any]) -> str:
    rates = runner.optim_wrapper.get_lr()
    shown = ', '.join(f'{key}={value}' for key, value in list(values.items())[:9])
    rate = ', '.join(
        f'{key} {max(value):g}'
        for key, value in rates.items()
        if value and not key.startswith('base_')
    )
    return (
        f'training diverged in iteration {runner.iter + 1} of epoch '
        f'{runner.epoch + 1}: expected finite {kind}, got {shown}, at '
        f'{rate}; last whole checkpoint: {last_saved(runner.work_dir)}. A lower '
        'learning rate or optim_wrapper.clip_grad may help; go on with --resume'
    )
