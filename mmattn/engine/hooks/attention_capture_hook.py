"""Hook that lets metrics see what the model attends to."""

from contextlib import ExitStack
from typing import Any

from mmengine.hooks import Hook

from mmattn.attention.capture import capture_attention
from mmattn.registry import HOOKS


@HOOKS.register_module()
class AttentionCaptureHook(Hook):
    """Capture the attention maps of each batch of a test or validation for metrics.

    Metrics with an attribute ``records``, such as
    :class:`~mmattn.evaluation.AttentionQuality`, get the maps of a batch before they
    process it.

    Example:
        >>> custom_hooks = [dict(type='mmattn.AttentionCaptureHook')]
    """

    def __init__(self) -> None:
        self.capture = ExitStack()

    def before_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Start to capture."""
        self._start(runner, runner.val_loop)

    def before_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Start to capture."""
        self._start(runner, runner.test_loop)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Forget the maps."""
        self.capture.close()

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Forget the maps."""
        self.capture.close()

    def _start(self, runner: Any, loop: Any) -> None:
        metrics = [m for m in loop.evaluator.metrics if hasattr(m, 'records')]
        if metrics:
            records = self.capture.enter_context(capture_attention(runner.model))
            for metric in metrics:
                metric.records = records
