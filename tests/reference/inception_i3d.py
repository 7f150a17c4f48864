"""Inception-v1 I3D, literally, from a flat dictionary of published weights.

Works on clips (N, C, T, H, W) and, with 2D kernels, on frames (N, C, H, W).
"""

import torch
from torch.nn import functional as F

# Name, kernel, stride of what is no inception module.
LAYERS = [
    ('Conv3d_1a_7x7', (7, 7, 7), (2, 2, 2)),
    ('MaxPool3d_2a_3x3', (1, 3, 3), (1, 2, 2)),
    ('Conv3d_2b_1x1', (1, 1, 1), (1, 1, 1)),
    ('Conv3d_2c_3x3', (3, 3, 3), (1, 1, 1)),
    ('MaxPool3d_3a_3x3', (1, 3, 3), (1, 2, 2)),
    ('Mixed_3b', None, None),
    ('Mixed_3c', None, None),
    ('MaxPool3d_4a_3x3', (3, 3, 3), (2, 2, 2)),
    ('Mixed_4b', None, None),
    ('Mixed_4c', None, None),
    ('Mixed_4d', None, None),
    ('Mixed_4e', None, None),
    ('Mixed_4f', None, None),
    ('MaxPool3d_5a_2x2', (2, 2, 2), (2, 2, 2)),
    ('Mixed_5b', None, None),
    ('Mixed_5c', None, None),
]
# Input and output channels and kernel of each convolution, as published.
CONVS = {
    'Conv3d_1a_7x7': (3, 64, 7),
    'Conv3d_2b_1x1': (64, 64, 1),
    'Conv3d_2c_3x3': (64, 192, 3),
}
for block, c_in, b0, b1a, b1b, b2a, b2b, b3b in [
    ('Mixed_3b', 192, 64, 96, 128, 16, 32, 32),
    ('Mixed_3c', 256, 128, 128, 192, 32, 96, 64),
    ('Mixed_4b', 480, 192, 96, 208, 16, 48, 64),
    ('Mixed_4c', 512, 160, 112, 224, 24, 64, 64),
    ('Mixed_4d', 512, 128, 128, 256, 24, 64, 64),
    ('Mixed_4e', 512, 112, 144, 288, 32, 64, 64),
    ('Mixed_4f', 528, 256, 160, 320, 32, 128, 128),
    ('Mixed_5b', 832, 256, 160, 320, 32, 128, 128),
    ('Mixed_5c', 832, 384, 192, 384, 48, 128, 128),
]:
    CONVS[f'{block}.b0'] = (c_in, b0, 1)
    CONVS[f'{block}.b1a'] = (c_in, b1a, 1)
    CONVS[f'{block}.b1b'] = (b1a, b1b, 3)
    CONVS[f'{block}.b2a'] = (c_in, b2a, 1)
    CONVS[f'{block}.b2b'] = (b2a, b2b, 3)
    CONVS[f'{block}.b3b'] = (c_in, b3b, 1)


def published_weights(dims=3, classes=7):
    """Seeded weights under the published names; 2D kernels if ``dims`` is 2."""
    g = torch.Generator().manual_seed(5)
    weights = {}
    for name, (c_in, c_out, kernel) in CONVS.items():
        shape = (c_out, c_in, *(kernel,) * dims)
        std = (2 / torch.Size(shape[1:]).numel()) ** 0.5
        weights[f'{name}.conv3d.weight'] = torch.randn(shape, generator=g) * std
        weights[f'{name}.bn.weight'] = 1 + 0.3 * torch.randn(c_out, generator=g)
        weights[f'{name}.bn.bias'] = 0.3 * torch.randn(c_out, generator=g)
        weights[f'{name}.bn.running_mean'] = 0.3 * torch.randn(c_out, generator=g)
        weights[f'{name}.bn.running_var'] = 0.5 + torch.rand(c_out, generator=g)
    weights['logits.conv3d.weight'] = torch.randn(classes, 1024, *(1,) * dims)
    weights['logits.conv3d.bias'] = torch.randn(classes, generator=g)
    return weights


def pad_same(x, kernel, stride):
    """TensorFlow: zeros so that ceil(size / stride) windows fit, the odd one last."""
    padding = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        padding = [total // 2, total - total // 2, *padding]
    return F.pad(x, padding)


def unit(w, name, x, stride):
    weight = w[f'{name}.conv3d.weight'].double()
    conv = F.conv3d if weight.dim() == 5 else F.conv2d
    stride = stride[-(weight.dim() - 2) :]
    x = conv(pad_same(x, weight.shape[2:], stride), weight, stride=stride)
    shape = (1, -1, *(1,) * (x.dim() - 2))
    mean, var, gamma, beta = (
        w[f'{name}.bn.{key}'].double().view(shape)
        for key in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return ((x - mean) / (var + 1e-3).sqrt() * gamma + beta).clamp(min=0)


def max_pool(x, kernel, stride):
    dims = x.dim() - 2
    pool = F.max_pool3d if dims == 3 else F.max_pool2d
    kernel, stride = kernel[-dims:], stride[-dims:]
    return pool(pad_same(x, kernel, stride), kernel, stride)


def mixed(w, name, x):
    one = (1, 1, 1)
    b0 = unit(w, f'{name}.b0', x, one)
    b1 = unit(w, f'{name}.b1b', unit(w, f'{name}.b1a', x, one), one)
    b2 = unit(w, f'{name}.b2b', unit(w, f'{name}.b2a', x, one), one)
    b3 = unit(w, f'{name}.b3b', max_pool(x, (3, 3, 3), one), one)
    return torch.cat([b0, b1, b2, b3], 1)


def inception_i3d(weights, x):
    """Outputs of all stages by name."""
    maps, x = {}, x.double()
    for name, kernel, stride in LAYERS:
        if name.startswith('Conv3d'):
            x = unit(weights, name, x, stride)
        elif name.startswith('MaxPool3d'):
            x = max_pool(x, kernel, stride)
        else:
            x = mixed(weights, name, x)
        maps[name] = x
    return maps
