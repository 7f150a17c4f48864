"""Hook that logs the loss on the validation videos."""

from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmattn.registry import HOOKS


@HOOKS.register_module()
class ValLossHook(Hook):
    """Calculate the training loss of the validation videos, as ``val_loss``.

    MMAction2's models predict in validation and calculate no loss.  This hook passes
    each batch through the model a second time, in eval mode and without gradients, and
    logs the mean over the videos.  Validation takes twice as long for that.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self) -> None:
        self.total = self.count = 0.0

    def before_val_epoch(self, runner: Any) -> None:
        """Start a new mean."""
        self.total = self.count = 0.0

    @torch.no_grad()
    def after_val_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Add the loss of a batch, weighted by its videos."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        data = model.data_preprocessor(data_batch, training=False)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        videos = len(data['data_samples'])
        self.total += float(loss) * videos
        self.count += videos

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """Log the mean over the videos of all processes."""
        device = next(runner.model.parameters()).device
        sums = torch.tensor([self.total, self.count], device=device)
        all_reduce(sums)
        total, count = sums.tolist()
        if count:
            runner.message_hub.update_scalar('val/val_loss', total / count)
