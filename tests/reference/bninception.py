"""The Caffe network BN-Inception on its flat weights, in Cadene's and TSN's files."""

import torch
from reference.published import convolved, norm_shapes
from torch.nn import functional as F

# block: input, 1x1, 3x3 reduce, 3x3, double reduce, double 1, double 2, projection
TABLE = """
3a  192   64   64   64   64   96   96   32
3b  256   64   64   96   64   96   96   64
3c  320    -  128  160   64   96   96    -
4a  576  224   64   96   96  128  128  128
4b  576  192   96  128   96  128  128  128
4c  576  160  128  160  128  160  160  128
4d  608   96  128  192  160  192  192  128
4e  608    -  128  192  192  256  256    -
5a 1056  352  192  320  160  224  224  128
5b 1024  352  192  320  192  224  224  128
"""
ROWS = {row.split()[0]: row.split()[1:] for row in TABLE.strip().splitlines()}
NUM_PARAMETERS = 10_270_240


def convolutions(in_channels=3):
    """Output channels, input channels and kernel side of every convolution."""
    convs = {
        'conv1_7x7_s2': (64, in_channels, 7),
        'conv2_3x3_reduce': (64, 64, 1),
        'conv2_3x3': (192, 64, 3),
    }
    for block, row in ROWS.items():
        c, one, tr, t, dr, d1, d2, p = (0 if n == '-' else int(n) for n in row)
        name = f'inception_{block}'
        if one:
            convs[f'{name}_1x1'] = (one, c, 1)
        convs[f'{name}_3x3_reduce'] = (tr, c, 1)
        convs[f'{name}_3x3'] = (t, tr, 3)
        convs[f'{name}_double_3x3_reduce'] = (dr, c, 1)
        convs[f'{name}_double_3x3_1'] = (d1, dr, 3)
        convs[f'{name}_double_3x3_2'] = (d2, d1, 3)
        if one:
            convs[f'{name}_pool_proj'] = (p, c, 1)
    return convs


def cadene_shapes(classes=1000, in_channels=3, classifier='last_linear', counter=True):
    shapes = {}
    for name, (out, channels, side) in convolutions(in_channels).items():
        shapes[f'{name}.weight'] = (out, channels, side, side)
        shapes[f'{name}.bias'] = (out,)
        shapes |= norm_shapes(f'{name}_bn', out, counter)
    shapes[f'{classifier}.weight'] = (classes, 1024)
    shapes[f'{classifier}.bias'] = (classes,)
    return shapes


def as_tsn(weights):
    """The same weights as temporal segment networks hold them: norms are (1, C)."""
    return {
        name: x[None] if '_bn.' in name and x.dim() == 1 else x
        for name, x in weights.items()
        if not name.endswith('num_batches_tracked')
    }


def features(w, x):
    """All stages' outputs by name."""

    def conv(name, x, stride=1, padding=0):
        return convolved(w, name, x, f'{name}_bn', 1e-5, stride, padding)

    maps = {}
    x = maps['conv1'] = conv('conv1_7x7_s2', x, 2, 3)
    x = maps['pool1'] = F.max_pool2d(x, 3, 2, ceil_mode=True)
    x = conv('conv2_3x3_reduce', x)
    x = maps['conv2'] = conv('conv2_3x3', x, padding=1)
    x = maps['pool2'] = F.max_pool2d(x, 3, 2, ceil_mode=True)
    for block in ROWS:
        n = f'inception_{block}'
        stride = 2 if block in ('3c', '4e') else 1
        three = conv(f'{n}_3x3', conv(f'{n}_3x3_reduce', x), stride, 1)
        double = conv(f'{n}_double_3x3_1', conv(f'{n}_double_3x3_reduce', x), 1, 1)
        double = conv(f'{n}_double_3x3_2', double, stride, 1)
        if stride == 2:
            x = torch.cat([three, double, F.max_pool2d(x, 3, 2, ceil_mode=True)], 1)
        else:
            pool = F.max_pool2d if block == '5b' else F.avg_pool2d
            pooled = conv(f'{n}_pool_proj', pool(x, 3, 1, 1))
            x = torch.cat([conv(f'{n}_1x1', x), three, double, pooled], 1)
        maps[n] = x
    return maps
