"""3D ResNeXt, literally, from a flat dictionary of published weights.

Works on clips (N, C, T, H, W) and, with 2D kernels, on frames (N, C, H, W).
"""

import torch
from torch.nn import functional as F

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def published_shapes(depth=101, cardinality=32, width=64, dims=3, classes=400):
    """Name -> shape of every convolution and of the classifier.

    ``mid_planes = cardinality * (planes // 32)`` with planes 128, 256, 512, 1024, and
    twice the planes outside, as published; ``width`` is 64 there.
    """
    shapes = {'conv1': (width, 3, *(7,) * dims)}
    c_in = width
    for n, count in enumerate(BLOCKS[depth]):
        mid = width * 2 ** (n + 1)
        for k in range(count):
            block = f'layer{n + 1}.{k}'
            shapes[f'{block}.conv1'] = (mid, c_in, *(1,) * dims)
            shapes[f'{block}.conv2'] = (mid, mid // cardinality, *(3,) * dims)
            shapes[f'{block}.conv3'] = (2 * mid, mid, *(1,) * dims)
            if k == 0:
                shapes[f'{block}.downsample.0'] = (2 * mid, c_in, *(1,) * dims)
            c_in = 2 * mid
    shapes['fc'] = (classes, c_in)
    return shapes


def norm_of(conv):
    """Name of the normalization that follows a convolution."""
    if conv.endswith('downsample.0'):
        return conv[:-1] + '1'
    head, _, n = conv.rpartition('conv')
    return f'{head}bn{n}'


def published_weights(**options):
    """Seeded weights under the published names."""
    g = torch.Generator().manual_seed(7)
    weights = {}
    for name, shape in published_shapes(**options).items():
        std = (1 / torch.Size(shape[1:]).numel()) ** 0.5
        weights[f'{name}.weight'] = torch.randn(shape, generator=g) * std
        if name == 'fc':
            weights['fc.bias'] = torch.randn(shape[0], generator=g)
            continue
        norm, c = norm_of(name), shape[0]
        weights[f'{norm}.weight'] = 1 + 0.3 * torch.randn(c, generator=g)
        weights[f'{norm}.bias'] = 0.3 * torch.randn(c, generator=g)
        weights[f'{norm}.running_mean'] = 0.3 * torch.randn(c, generator=g)
        weights[f'{norm}.running_var'] = 0.5 + torch.rand(c, generator=g)
    return weights


def conv_norm(w, conv, x, *, stride=1, groups=1):
    weight = w[f'{conv}.weight'].double()
    padding = [k // 2 for k in weight.shape[2:]]
    apply = F.conv3d if weight.dim() == 5 else F.conv2d
    x = apply(x, weight, stride=stride, padding=padding, groups=groups)
    shape, norm = (1, -1, *(1,) * (x.dim() - 2)), norm_of(conv)
    mean, var, gamma, beta = (
        w[f'{norm}.{key}'].double().view(shape)
        for key in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return (x - mean) / (var + 1e-5).sqrt() * gamma + beta


def resnext3d(weights, x, *, depth=101, cardinality=32):
    """Outputs of all stages by name."""
    clips = x.dim() == 5
    stride = (1, 2, 2) if clips else (2, 2)
    x = conv_norm(weights, 'conv1', x.double(), stride=stride).clamp(min=0)
    x = (F.max_pool3d if clips else F.max_pool2d)(x, 3, 2, 1)
    maps = {'stem': x}
    for n, count in enumerate(BLOCKS[depth], start=1):
        for k in range(count):
            block, stride = f'layer{n}.{k}', 2 if n > 1 and k == 0 else 1
            y = conv_norm(weights, f'{block}.conv1', x).clamp(min=0)
            y = conv_norm(
                weights, f'{block}.conv2', y, stride=stride, groups=cardinality
            ).clamp(min=0)
            y = conv_norm(weights, f'{block}.conv3', y)
            if k == 0:
                x = conv_norm(weights, f'{block}.downsample.0', x, stride=stride)
            x = (x + y).clamp(min=0)
        maps[f'layer{n}'] = x
    return maps
