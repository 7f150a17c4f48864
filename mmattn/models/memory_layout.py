"""How the weights of convolutions lie in memory."""

import torch
from torch import nn

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def to_channels_last(model: nn.Module) -> bool:
    """Lay the weights of a model's convolutions out channels last, in place.

    Their maps follow. Results are the same up to rounding.

    Args:
        model: Any model; its parameters stay the same objects with the same values.

    Returns:
        Whether any weight lay otherwise before.

    Example:
        >>> conv = nn.Conv2d(3, 5, 2)
        >>> to_channels_last(conv), to_channels_last(conv)
        (True, False)
        >>> conv.weight.stride()
        (12, 1, 6, 3)
    """
    changed = False
    for weight in model.parameters():
        layout = LAYOUTS.get(weight.ndim)
        if layout and not weight.is_contiguous(memory_format=layout):
            weight.data = weight.data.contiguous(memory_format=layout)
            changed = True
    return changed
