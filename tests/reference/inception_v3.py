"""Inception-v3 on torchvision's flat weights."""

import torch
from reference.published import convolved, norm_shapes
from torch.nn import functional as F

# convolution: output channels, input channels, kernel height, kernel width
STEM = """
Conv2d_1a_3x3 32 3 3 3
Conv2d_2a_3x3 32 32 3 3
Conv2d_2b_3x3 64 32 3 3
Conv2d_3b_1x1 80 64 1 1
Conv2d_4a_3x3 192 80 3 3
"""
FIGURE_5 = """
branch1x1 64 C 1 1
branch5x5_1 48 C 1 1
branch5x5_2 64 48 5 5
branch3x3dbl_1 64 C 1 1
branch3x3dbl_2 96 64 3 3
branch3x3dbl_3 96 96 3 3
branch_pool P C 1 1
"""
REDUCE_35 = """
branch3x3 384 288 3 3
branch3x3dbl_1 64 288 1 1
branch3x3dbl_2 96 64 3 3
branch3x3dbl_3 96 96 3 3
"""
FIGURE_6 = """
branch1x1 192 768 1 1
branch7x7_1 P 768 1 1
branch7x7_2 P P 1 7
branch7x7_3 192 P 7 1
branch7x7dbl_1 P 768 1 1
branch7x7dbl_2 P P 7 1
branch7x7dbl_3 P P 1 7
branch7x7dbl_4 P P 7 1
branch7x7dbl_5 192 P 1 7
branch_pool 192 768 1 1
"""
REDUCE_17 = """
branch3x3_1 192 768 1 1
branch3x3_2 320 192 3 3
branch7x7x3_1 192 768 1 1
branch7x7x3_2 192 192 1 7
branch7x7x3_3 192 192 7 1
branch7x7x3_4 192 192 3 3
"""
FIGURE_7 = """
branch1x1 320 C 1 1
branch3x3_1 384 C 1 1
branch3x3_2a 384 384 1 3
branch3x3_2b 384 384 3 1
branch3x3dbl_1 448 C 1 1
branch3x3dbl_2 384 448 3 3
branch3x3dbl_3a 384 384 1 3
branch3x3dbl_3b 384 384 3 1
branch_pool 192 C 1 1
"""
BLOCKS = {
    'Mixed_5b': (FIGURE_5, 192, 32),
    'Mixed_5c': (FIGURE_5, 256, 64),
    'Mixed_5d': (FIGURE_5, 288, 64),
    'Mixed_6a': (REDUCE_35, 288, 0),
    'Mixed_6b': (FIGURE_6, 768, 128),
    'Mixed_6c': (FIGURE_6, 768, 160),
    'Mixed_6d': (FIGURE_6, 768, 160),
    'Mixed_6e': (FIGURE_6, 768, 192),
    'Mixed_7a': (REDUCE_17, 768, 0),
    'Mixed_7b': (FIGURE_7, 1280, 0),
    'Mixed_7c': (FIGURE_7, 2048, 0),
}
AUX = 'conv0 128 768 1 1\nconv1 768 128 5 5'
NUM_PARAMETERS = 21_785_568


def convolutions():
    """Shape of every convolution."""
    tables = {'': (STEM, 0, 0)} | {f'{k}.': v for k, v in BLOCKS.items()}
    convs = {}
    for prefix, (table, c, p) in tables.items():
        for row in table.strip().splitlines():
            name, *numbers = row.split()
            shape = tuple({'C': c, 'P': p}.get(n) or int(n) for n in numbers)
            convs[prefix + name] = shape
    return convs


def torchvision_shapes(classes=1000, aux=True, blocks=tuple(BLOCKS)):
    """The layout; with fewer ``blocks`` the first part of it, for speed."""
    convs = {
        name: shape
        for name, shape in convolutions().items()
        if name.startswith(('Conv2d', *blocks))
    }
    if aux:
        for row in AUX.splitlines():
            name, *numbers = row.split()
            convs[f'AuxLogits.{name}'] = tuple(int(n) for n in numbers)
    shapes = {}
    for name, shape in convs.items():
        shapes[f'{name}.conv.weight'] = shape
        shapes |= norm_shapes(f'{name}.bn', shape[0])
    if aux:
        shapes |= {
            'AuxLogits.fc.weight': (classes, 768),
            'AuxLogits.fc.bias': (classes,),
        }
    return shapes | {'fc.weight': (classes, 2048), 'fc.bias': (classes,)}


def features(w, x):
    """All stages' outputs by name."""

    def conv(name, x, stride=1, padding=0):
        return convolved(w, f'{name}.conv', x, f'{name}.bn', 1e-3, stride, padding)

    maps = {}
    x = maps['conv2d_1a'] = conv('Conv2d_1a_3x3', x, 2)
    x = maps['conv2d_2a'] = conv('Conv2d_2a_3x3', x)
    x = maps['conv2d_2b'] = conv('Conv2d_2b_3x3', x, padding=1)
    x = maps['maxpool1'] = F.max_pool2d(x, 3, 2)
    x = maps['conv2d_3b'] = conv('Conv2d_3b_1x1', x)
    x = maps['conv2d_4a'] = conv('Conv2d_4a_3x3', x)
    x = maps['maxpool2'] = F.max_pool2d(x, 3, 2)
    for m, (table, _, _) in BLOCKS.items():
        x = BODIES[table](conv, m, x)
        maps[m.lower()] = x
    return maps


def figure_5(conv, m, x):
    five = conv(f'{m}.branch5x5_2', conv(f'{m}.branch5x5_1', x), padding=2)
    double = conv(f'{m}.branch3x3dbl_2', conv(f'{m}.branch3x3dbl_1', x), padding=1)
    double = conv(f'{m}.branch3x3dbl_3', double, padding=1)
    pooled = conv(f'{m}.branch_pool', F.avg_pool2d(x, 3, 1, 1))
    return torch.cat([conv(f'{m}.branch1x1', x), five, double, pooled], 1)


def reduce_35(conv, m, x):
    double = conv(f'{m}.branch3x3dbl_2', conv(f'{m}.branch3x3dbl_1', x), padding=1)
    double = conv(f'{m}.branch3x3dbl_3', double, 2)
    return torch.cat([conv(f'{m}.branch3x3', x, 2), double, F.max_pool2d(x, 3, 2)], 1)


def figure_6(conv, m, x):
    seven = conv(f'{m}.branch7x7_2', conv(f'{m}.branch7x7_1', x), padding=(0, 3))
    seven = conv(f'{m}.branch7x7_3', seven, padding=(3, 0))
    double = conv(f'{m}.branch7x7dbl_1', x)
    for n, padding in ((2, (3, 0)), (3, (0, 3)), (4, (3, 0)), (5, (0, 3))):
        double = conv(f'{m}.branch7x7dbl_{n}', double, padding=padding)
    pooled = conv(f'{m}.branch_pool', F.avg_pool2d(x, 3, 1, 1))
    return torch.cat([conv(f'{m}.branch1x1', x), seven, double, pooled], 1)


def reduce_17(conv, m, x):
    three = conv(f'{m}.branch3x3_2', conv(f'{m}.branch3x3_1', x), 2)
    seven = conv(f'{m}.branch7x7x3_2', conv(f'{m}.branch7x7x3_1', x), padding=(0, 3))
    seven = conv(f'{m}.branch7x7x3_3', seven, padding=(3, 0))
    seven = conv(f'{m}.branch7x7x3_4', seven, 2)
    return torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)


def figure_7(conv, m, x):
    def split(name, x):
        row = conv(f'{m}.{name}a', x, padding=(0, 1))
        return torch.cat([row, conv(f'{m}.{name}b', x, padding=(1, 0))], 1)

    three = split('branch3x3_2', conv(f'{m}.branch3x3_1', x))
    double = conv(f'{m}.branch3x3dbl_2', conv(f'{m}.branch3x3dbl_1', x), padding=1)
    double = split('branch3x3dbl_3', double)
    pooled = conv(f'{m}.branch_pool', F.avg_pool2d(x, 3, 1, 1))
    return torch.cat([conv(f'{m}.branch1x1', x), three, double, pooled], 1)


BODIES = {
    FIGURE_5: figure_5,
    REDUCE_35: reduce_35,
    FIGURE_6: figure_6,
    REDUCE_17: reduce_17,
    FIGURE_7: figure_7,
}
