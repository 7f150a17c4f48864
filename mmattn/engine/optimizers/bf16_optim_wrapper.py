"""Optimizer wrapper that trains in bfloat16 on any device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmattn.compat import score_in_float32
from mmattn.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` whose forward passes run under bfloat16 autocast.

    MMEngine's ``AmpOptimWrapper`` asserts a GPU.  bfloat16 has float32's range, so no
    loss scaling is needed, and current CPUs have matrix units for it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        score_in_float32()
        super().__init__(*args, **kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast and the host's gradient accumulation context."""
        device = next(model.parameters()).device.type
        with (
            super().optim_context(model),
            torch.autocast(device, dtype=torch.bfloat16),
        ):
            yield
