"""Does attention look at the right frames?"""

import numpy as np


def mass_on_frames(weights: np.ndarray, key: np.ndarray) -> tuple[float, float]:
    """Return the share of weight on key frames, and what uniform weights would give.

    Args:
        weights: Weight of each frame, non-negative, any sum above 0, (F,).
        key: Which frames carry the action, bool (F,).

    Returns:
        Share of the weight on key frames and share of key frames, each 0 to 1.

    Raises:
        ValueError: If the shapes differ or the weights sum to 0.

    Example:
        >>> mass_on_frames(np.array([3.0, 1.0]), np.array([True, False]))
        (0.75, 0.5)
    """
    weights, key = np.asarray(weights), np.asarray(key, dtype=bool)
    if weights.shape != key.shape or weights.ndim != 1:
        raise ValueError(
            f'expected weights and key of one shape (F,), got {weights.shape} and '
            f'{key.shape}'
        )
    if weights.sum() <= 0:
        raise ValueError(f'expected weights with a positive sum, got {weights.sum()}')
    return float(weights[key].sum() / weights.sum()), float(key.mean())
