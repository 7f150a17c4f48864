"""Inception-ResNet-v2 on the flat weights of timm and Cadene."""

import torch
from reference.published import convolved, norm_shapes
from torch.nn import functional as F

# convolution: output channels, input channels, kernel height, kernel width
STEM = """
conv2d_1a 32 3 3 3
conv2d_2a 32 32 3 3
conv2d_2b 64 32 3 3
conv2d_3b 80 64 1 1
conv2d_4a 192 80 3 3
"""
MIXED_5B = """
mixed_5b.branch0 96 192 1 1
mixed_5b.branch1.0 48 192 1 1
mixed_5b.branch1.1 64 48 5 5
mixed_5b.branch2.0 64 192 1 1
mixed_5b.branch2.1 96 64 3 3
mixed_5b.branch2.2 96 96 3 3
mixed_5b.branch3.1 64 192 1 1
"""
BLOCK_35 = """
branch0 32 320 1 1
branch1.0 32 320 1 1
branch1.1 32 32 3 3
branch2.0 32 320 1 1
branch2.1 48 32 3 3
branch2.2 64 48 3 3
"""
MIXED_6A = """
mixed_6a.branch0 384 320 3 3
mixed_6a.branch1.0 256 320 1 1
mixed_6a.branch1.1 256 256 3 3
mixed_6a.branch1.2 384 256 3 3
"""
BLOCK_17 = """
branch0 192 1088 1 1
branch1.0 128 1088 1 1
branch1.1 160 128 1 7
branch1.2 192 160 7 1
"""
MIXED_7A = """
mixed_7a.branch0.0 256 1088 1 1
mixed_7a.branch0.1 384 256 3 3
mixed_7a.branch1.0 256 1088 1 1
mixed_7a.branch1.1 288 256 3 3
mixed_7a.branch2.0 256 1088 1 1
mixed_7a.branch2.1 288 256 3 3
mixed_7a.branch2.2 320 288 3 3
"""
BLOCK_8 = """
branch0 192 2080 1 1
branch1.0 192 2080 1 1
branch1.1 224 192 1 3
branch1.2 256 224 3 1
"""
LAST = 'conv2d_7b 1536 2080 1 1'
# residual block: table, width of its branches, channels
RESIDUAL = (
    {f'repeat.{n}': (BLOCK_35, 128, 320) for n in range(10)}
    | {f'repeat_1.{n}': (BLOCK_17, 384, 1088) for n in range(20)}
    | {f'repeat_2.{n}': (BLOCK_8, 448, 2080) for n in range(9)}
    | {'block8': (BLOCK_8, 448, 2080)}
)
NUM_PARAMETERS = 54_306_464


def convolutions():
    """Shape of every normalized convolution."""
    tables = [('', table) for table in (STEM, MIXED_5B, MIXED_6A, MIXED_7A, LAST)]
    tables += [(f'{block}.', table) for block, (table, _, _) in RESIDUAL.items()]
    convs = {}
    for prefix, table in tables:
        for row in table.strip().splitlines():
            name, *numbers = row.split()
            convs[prefix + name] = tuple(int(n) for n in numbers)
    return convs


def timm_shapes(classes=1000, classifier='classif', stages=None):
    """The layout; with ``stages`` the parts of these names only, for speed."""
    shapes = {}
    for name, shape in convolutions().items():
        shapes[f'{name}.conv.weight'] = shape
        shapes |= norm_shapes(f'{name}.bn', shape[0])
    for name, (_, width, channels) in RESIDUAL.items():
        shapes[f'{name}.conv2d.weight'] = (channels, width, 1, 1)
        shapes[f'{name}.conv2d.bias'] = (channels,)
    if stages is not None:
        shapes = {k: v for k, v in shapes.items() if k.split('.')[0] in stages}
    shapes[f'{classifier}.weight'] = (classes, 1536)
    shapes[f'{classifier}.bias'] = (classes,)
    return shapes


def features(w, x):
    """All stages' outputs by name; repeat and repeat_1 before their last ReLU."""

    def conv(name, x, stride=1, padding=0):
        return convolved(w, f'{name}.conv', x, f'{name}.bn', 1e-3, stride, padding)

    def residual(name, branches, scale, x):
        change = torch.cat(branches, 1)
        project = w[f'{name}.conv2d.weight'], w[f'{name}.conv2d.bias']
        return x + scale * F.conv2d(change, *project)

    maps = {}
    x = maps['conv2d_1a'] = conv('conv2d_1a', x, 2)
    x = maps['conv2d_2a'] = conv('conv2d_2a', x)
    x = maps['conv2d_2b'] = conv('conv2d_2b', x, padding=1)
    x = maps['maxpool_3a'] = F.max_pool2d(x, 3, 2)
    x = maps['conv2d_3b'] = conv('conv2d_3b', x)
    x = maps['conv2d_4a'] = conv('conv2d_4a', x)
    x = maps['maxpool_5a'] = F.max_pool2d(x, 3, 2)

    x0 = conv('mixed_5b.branch0', x)
    x1 = conv('mixed_5b.branch1.1', conv('mixed_5b.branch1.0', x), padding=2)
    x2 = conv('mixed_5b.branch2.1', conv('mixed_5b.branch2.0', x), padding=1)
    x2 = conv('mixed_5b.branch2.2', x2, padding=1)
    x3 = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    x = maps['mixed_5b'] = torch.cat([x0, x1, x2, conv('mixed_5b.branch3.1', x3)], 1)

    for n in range(10):
        b = f'repeat.{n}'
        x = x.clamp(min=0)
        x1 = conv(f'{b}.branch1.1', conv(f'{b}.branch1.0', x), padding=1)
        x2 = conv(f'{b}.branch2.1', conv(f'{b}.branch2.0', x), padding=1)
        x2 = conv(f'{b}.branch2.2', x2, padding=1)
        x = residual(b, [conv(f'{b}.branch0', x), x1, x2], 0.17, x)
    maps['repeat'] = x
    x = maps['repeat_relu'] = x.clamp(min=0)

    x0 = conv('mixed_6a.branch0', x, 2)
    x1 = conv('mixed_6a.branch1.1', conv('mixed_6a.branch1.0', x), padding=1)
    x1 = conv('mixed_6a.branch1.2', x1, 2)
    x = maps['mixed_6a'] = torch.cat([x0, x1, F.max_pool2d(x, 3, 2)], 1)

    for n in range(20):
        b = f'repeat_1.{n}'
        x = x.clamp(min=0)
        x1 = conv(f'{b}.branch1.1', conv(f'{b}.branch1.0', x), padding=(0, 3))
        x1 = conv(f'{b}.branch1.2', x1, padding=(3, 0))
        x = residual(b, [conv(f'{b}.branch0', x), x1], 0.10, x)
    maps['repeat_1'] = x
    x = maps['repeat_1_relu'] = x.clamp(min=0)

    x0 = conv('mixed_7a.branch0.1', conv('mixed_7a.branch0.0', x), 2)
    x1 = conv('mixed_7a.branch1.1', conv('mixed_7a.branch1.0', x), 2)
    x2 = conv('mixed_7a.branch2.1', conv('mixed_7a.branch2.0', x), padding=1)
    x2 = conv('mixed_7a.branch2.2', x2, 2)
    x = maps['mixed_7a'] = torch.cat([x0, x1, x2, F.max_pool2d(x, 3, 2)], 1)

    for b in [*(f'repeat_2.{n}' for n in range(9)), 'block8']:
        x1 = conv(f'{b}.branch1.1', conv(f'{b}.branch1.0', x), padding=(0, 1))
        x1 = conv(f'{b}.branch1.2', x1, padding=(1, 0))
        branches = [conv(f'{b}.branch0', x), x1]
        if b == 'block8':
            maps['repeat_2'] = x
            maps['block8'] = residual(b, branches, 1.0, x)
        else:
            x = residual(b, branches, 0.20, x).clamp(min=0)
    maps['conv2d_7b'] = conv('conv2d_7b', maps['block8'])
    return maps
