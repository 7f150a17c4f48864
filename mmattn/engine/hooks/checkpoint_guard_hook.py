"""Hook that refuses checkpoints that are damaged or of another model."""

import os
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from mmattn.models.weights.checkpoints import checkpoint_fault, find_whole_checkpoint
from mmattn.models.weights.checks import require_weights
from mmattn.registry import HOOKS
from mmattn.signatures import Share


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Stop before a checkpoint that does not fit is loaded.

    The host only warns of missing keys and then tests random weights.  Before testing
    or resuming, every weight of the model has to be in the file with its shape; before
    fine-tuning (``load_from``), at least ``min_match`` of them.  Weights that are
    damaged, not finite or not of a floating type are refused each time.

    ``resume`` without a file goes on from the newest checkpoint that is whole
    (:func:`mmattn.models.weights.checkpoints.find_whole_checkpoint`).

    Args:
        min_match: Smallest share, from 0 to 1, of the model's tensors that a file to
            fine-tune from has to hold.

    Raises:
        ValueError: Naming the file, and the first keys that do not fit.
    """

    def __init__(self, min_match: Share = 0.5) -> None:
        self.min_match = min_match

    def before_run(self, runner: Any) -> None:
        """Choose the file to resume from, and look whether it is whole."""
        if runner._resume and runner._load_from is None:
            found = [find_whole_checkpoint(runner.work_dir)] * is_main_process()
            found = found or [None]
            broadcast_object_list(found)
            runner._load_from = found[0]
        path = str(runner._load_from or '')
        fault = checkpoint_fault(path) if os.path.isfile(path) else None
        if fault:
            raise ValueError(f'checkpoint {path}: {fault}')

    def before_train(self, runner: Any) -> None:
        """Tidy up what a killed run or a copied folder has left.

        Halves of files go.  The best checkpoint so far is the one in this folder, not
        in the one that it was copied from.
        """
        if is_main_process():
            for part in Path(runner.work_dir).glob('*.part'):
                part.unlink()
        infos = runner.message_hub.runtime_info
        for key, path in infos.items():
            if key.startswith('best_ckpt') and path:
                beside = Path(runner.work_dir) / Path(path).name
                infos[key] = str(beside if beside.exists() else path)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Compare the loaded checkpoint with the model before it takes it over."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        training = isinstance(runner._train_loop, BaseLoop)
        fine_tuning = training and not runner._resume
        require_weights(
            model,
            checkpoint.get('state_dict', checkpoint),
            str(runner._load_from or ''),
            min_match=self.min_match if fine_tuning else 1,
        )
