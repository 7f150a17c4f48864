"""Hook that refuses the checkpoint of another model."""

import os
import zipfile
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, find_latest_checkpoint
from torch import nn

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
        ValueError: Naming the file, and the first keys that do not fit.
    """

    def __init__(self, min_match: float = 0.5) -> None:
        if not 0 <= min_match <= 1:
            raise ValueError(f'min_match: expected 0 to 1, got {min_match}')
        self.min_match = min_match

    def before_run(self, runner: Any) -> None:
        """Look whether the file is a checkpoint at all; the host would not name it."""
        path = _checkpoint_file(runner)
        if os.path.isfile(path) and not _looks_like_checkpoint(path):
            raise ValueError(
                f'checkpoint {path}: expected a file written by torch.save, got '
                'something else or a part of one'
            )

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Compare the loaded checkpoint with the model before it takes it over."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        training = isinstance(runner._train_loop, BaseLoop)
        fine_tuning = training and not runner._resume
        require_weights(
            model,
            checkpoint.get('state_dict', checkpoint),
            _checkpoint_file(runner),
            min_match=self.min_match if fine_tuning else 1,
        )


def require_weights(
    model: nn.Module, weights: dict[str, Any], name: str, *, min_match: float = 1
) -> None:
    """Check that weights fit a model, before it takes them over.

    Args:
        model: Model to fill.
        weights: Named tensors; a prefix ``module.`` does not count.
        name: File that they come from, for the message.
        min_match: Smallest share, from 0 to 1, of the model's tensors that have to be
            there with their shapes.

    Raises:
        ValueError: Naming the file and the first keys that do not fit.

    Example:
        >>> model = nn.Linear(3, 2)
        >>> require_weights(model, model.state_dict(), 'linear.pth')
    """
    expected = {key: tuple(v.shape) for key, v in model.state_dict().items()}
    found = {
        key.removeprefix('module.'): tuple(value.shape)
        for key, value in weights.items()
        if hasattr(value, 'shape')
    }
    wrong = [key for key, shape in expected.items() if found.get(key) != shape]
    if 1 - len(wrong) / max(len(expected), 1) >= min_match:
        return
    first = ', '.join(
        f'{key} (expected {expected[key]}, got {found.get(key, "nothing")})'
        for key in wrong[:3]
    )
    raise ValueError(
        f'checkpoint {name}: expected the weights of this model, got {len(wrong)} of '
        f'{len(expected)} tensors missing or of another shape: {first}'
    )


def _checkpoint_file(runner: Any) -> str:
    """Path or address that the runner loads, empty if there is none."""
    if runner._load_from is None and runner._resume:
        return find_latest_checkpoint(runner.work_dir) or ''
    return str(runner._load_from or '')


def _looks_like_checkpoint(path: str) -> bool:
    if zipfile.is_zipfile(path):
        return True
    with open(path, 'rb') as file:
        return file.read(1) == b'\x80'  # a pickle, as torch.save wrote before 1.6
