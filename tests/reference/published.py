"""Published convolutional networks: weights by name and what is done with them."""

import torch
from torch.nn import functional as F

NORM = ('weight', 'bias', 'running_mean', 'running_var')


def norm_shapes(name, channels, counter=True):
    shapes = {f'{name}.{part}': (channels,) for part in NORM}
    return shapes | ({f'{name}.num_batches_tracked': ()} if counter else {})


def seeded_weights(shapes, seed=0):
    """Random weights that keep the features at about one, all of them different."""
    g = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        if name.endswith('num_batches_tracked'):
            weights[name] = torch.tensor(7)
            continue
        x = torch.randn(shape, generator=g)
        if name.endswith('running_var'):
            x = 0.5 + x.square()
        elif len(shape) > 2:
            x *= (2 / x[0].numel()) ** 0.5
        elif name.endswith('bias') or name.endswith('running_mean'):
            x *= 0.1
        else:
            x = 1 + 0.1 * x
        weights[name] = x
    return weights


def doubled(weights):
    return {name: x.double() for name, x in weights.items()}


def convolved(w, name, x, norm, eps, stride=1, padding=0):
    """Convolution, normalization by its running statistics, ReLU."""
    x = F.conv2d(x, w[f'{name}.weight'], w.get(f'{name}.bias'), stride, padding)
    scale, shift, mean, var = (w[f'{norm}.{k}'].view(1, -1, 1, 1) for k in NORM)
    return ((x - mean) / (var + eps).sqrt() * scale + shift).clamp(min=0)
