"""Hook that refuses the checkpoint of another model."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from mmattn.registry import HOOKS


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Stop before a checkpoint that does not fit is loaded.

    The host only warns of missing keys and then tests random weights.  Before testing
    or resuming, every weight of the model has to be in the file with its shape; before
    fine-tuning (``load_from``), at least ``min_match`` of them.

    Args:
        min_match: Smallest share, from 0 to 1, of the model's tensors that a file to
            fine-tune from has to hold.

    Raises:
        ValueError: Naming the first keys that do not fit.
    """

    def __init__(self, min_match: float = 0.5) -> None:
        if not 0 <= min_match <= 1:
            raise ValueError(f'min_match: expected 0 to 1, got {min_match}')
        self.min_match = min_match

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Compare the loaded checkpoint with the model before it takes it over."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        expected = {key: tuple(v.shape) for key, v in model.state_dict().items()}
        weights = checkpoint.get('state_dict', checkpoint)
        found = {
            key.removeprefix('module.'): tuple(value.shape)
            for key, value in weights.items()
            if hasattr(value, 'shape')
        }
        wrong = [key for key, shape in expected.items() if found.get(key) != shape]
        match = 1 - len(wrong) / max(len(expected), 1)
        training = isinstance(runner._train_loop, BaseLoop)
        fine_tuning = training and not runner._resume
        if match >= (self.min_match if fine_tuning else 1):
            return
        first = ', '.join(
            f'{key} (expected {expected[key]}, got {found.get(key, "nothing")})'
            for key in wrong[:3]
        )
        raise ValueError(
            f'checkpoint {runner._load_from or "to resume"}: expected the weights of '
            f'this model, got {len(wrong)} of {len(expected)} tensors missing or of '
            f'another shape: {first}'
        )
