"""Whether the weights of a file fit a model."""

from typing import Any

from torch import nn

from mmattn.utils.finite import state_fault


def require_weights(
    model: nn.Module, weights: dict[str, Any], name: str, *, min_match: float = 1
) -> None:
    """Check that weights fit a model and are numbers, before it takes them over.

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
    fault = state_fault(model, weights)
    if fault:
        raise ValueError(f'checkpoint {name}: expected trained weights, got {fault}')
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
