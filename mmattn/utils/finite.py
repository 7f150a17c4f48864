"""Weights that are numbers."""

from typing import Any

import torch


def state_fault(model: torch.nn.Module, weights: dict[str, Any]) -> str | None:
    """Say which weights a model cannot take over, by their kind or value.

    Args:
        model: Model to fill.
        weights: Named tensors; a prefix ``module.`` does not count.

    Returns:
        The first of them, as "KEY (expected ..., got ...)"; None if all are right.
        Values may be infinite where the model's own are, as in masks.

    Example:
        >>> model = torch.nn.Linear(1, 1)
        >>> state_fault(model, {'bias': torch.tensor([3])})
        'bias (expected numbers of a floating type, got int64)'
        >>> state_fault(model, {'bias': torch.tensor([float('nan')])})
        'bias (expected finite numbers, got 1 of 1 that are not)'
    """
    own = model.state_dict()
    for name, tensor in weights.items():
        key = name.removeprefix('module.')
        expected = own.get(key)
        if expected is None or not isinstance(tensor, torch.Tensor):
            continue
        if expected.is_floating_point() and not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix('torch.')
            return f'{key} (expected numbers of a floating type, got {kind})'
        count = count_not_finite(tensor)
        if count and not count_not_finite(expected):
            return (
                f'{key} (expected finite numbers, got {count} of {tensor.numel()} '
                'that are not)'
            )
    return None


def count_not_finite(tensor: torch.Tensor) -> int:
    """Count the numbers that are infinite or none.

    Args:
        tensor: Of any type.

    Example:
        >>> count_not_finite(torch.tensor([1, float('inf'), float('nan')]))
        2
    """
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return 0
    return int((~torch.isfinite(tensor)).sum())
