"""Hook that lays a model's convolutions out channels last."""

from typing import Any

import torch
from mmengine.hooks import Hook

from mmattn.registry import HOOKS

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the weights of convolutions channels last, so that their maps are too.

    Results are the same up to rounding. ``benchmarks/backbones.py`` measures the gain.

    Example:
        >>> custom_hooks = [dict(type='mmattn.ChannelsLastHook')]
    """

    def before_run(self, runner: Any) -> None:
        """Change the layout of all weights with the rank of maps or of volumes."""
        for weight in runner.model.parameters():
            if weight.ndim in LAYOUTS:
                weight.data = weight.data.contiguous(memory_format=LAYOUTS[weight.ndim])
