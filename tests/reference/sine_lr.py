"""Eq. (2) of STBTA, literally."""

import math


def sine_rates(num_layers, alpha):
    """beta_1 .. beta_L."""
    return [
        math.sin((layer / num_layers) * (math.pi / 2)) * alpha
        for layer in range(1, num_layers + 1)
    ]
