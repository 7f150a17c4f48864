"""BN-Inception, a per-frame network of spatio-temporal and pyramid attention.

Ioffe and Szegedy, Batch normalization: accelerating deep network training by reducing
internal covariate shift, figure 5, with the widths and pools of the Caffe network whose
weights temporal segment networks start from.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from mmattn.models.backbones.base import StagedBackbone
from mmattn.models.layers.conv_bn import Branches, conv_bn_relu
from mmattn.registry import MODELS

# Widths of 1x1, 3x3 reduce, 3x3, double 3x3 reduce, double 3x3 (both) and projection;
# without 1x1 and projection the block halves the resolution.
BLOCKS = {
    'inception_3a': (64, 64, 64, 64, 96, 32),
    'inception_3b': (64, 64, 96, 64, 96, 64),
    'inception_3c': (0, 128, 160, 64, 96, 0),
    'inception_4a': (224, 64, 96, 96, 128, 128),
    'inception_4b': (192, 96, 128, 96, 128, 128),
    'inception_4c': (160, 128, 160, 128, 160, 128),
    'inception_4d': (96, 128, 192, 160, 192, 128),
    'inception_4e': (0, 128, 192, 192, 256, 0),
    'inception_5a': (352, 192, 320, 160, 224, 128),
    'inception_5b': (352, 192, 320, 192, 224, 128),
}
PUBLISHED_NAME = re.compile(r'(conv\d|inception_\d\w)_(.+?)(_bn)?\.(\w+)')


@MODELS.register_module()
class BNInception(StagedBackbone):
    """Three convolutions, two max pools and ten blocks of parallel branches.

    Stages: ``conv1``, ``pool1``, ``conv2``, ``pool2``, ``inception_3a`` to
    ``inception_3c``, ``inception_4a`` to ``inception_4e``, ``inception_5a`` and
    ``inception_5b``. Takes the arguments of
    :class:`~mmattn.models.backbones.base.StagedBackbone`; ``base_channels`` is 64 and
    may be any even number. Pretrained weights are read from Cadene's files and those of
    temporal segment networks.

    Differs from the Caffe network in: where a map of odd height or width is halved
    (inception_3c, inception_4e), the max pool has one more window at the border, as the
    convolutions beside it have. The Caffe network does not take such frames, among them
    those of 112 or 299 pixels.

    Shape:
        - Input: (N, in_channels, H, W).
        - Output: inception_3b (N, 320, H', W'), inception_4d (N, 608, H'', W''),
          inception_5b (N, 1024, H''', W'''); the sides are 28, 14, 7 for 224 pixels.

    Raises:
        ValueError: If an option is out of range, or a frame is smaller than 7 pixels.

    Example:
        >>> import torch
        >>> net = BNInception(out=('inception_3b', 'inception_5b'))
        >>> [tuple(x.shape) for x in net(torch.ones(1, 3, 64, 96))]
        [(1, 320, 8, 12), (1, 1024, 2, 3)]
    """

    stages = {
        'conv1': 64,
        'pool1': 64,
        'conv2': 192,
        'pool2': 192,
        'inception_3a': 256,
        'inception_3b': 320,
        'inception_3c': 576,
        'inception_4a': 576,
        'inception_4b': 576,
        'inception_4c': 608,
        'inception_4d': 608,
        'inception_4e': 1056,
        'inception_5a': 1024,
        'inception_5b': 1024,
    }
    base_step = 2
    first_conv = 'conv1.7x7_s2.conv.weight'
    windows = {
        'conv1': ((1, 2),),
        'pool1': ((2, 2),),
        'pool2': ((2, 2),),
        'inception_3c': ((1, 2),),
        'inception_4e': ((1, 2),),
    }

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other."""
        if name in BLOCKS:
            widths = [self.scaled(width) for width in BLOCKS[name]]
            return {name: _block(channels, *widths, max_pool=name == 'inception_5b')}
        if name in ('pool1', 'pool2'):
            return {name: nn.MaxPool2d(3, stride=2, ceil_mode=True)}
        if name == 'conv1':
            convs = _conv('7x7_s2', channels, self.scaled(64), kernel=7, stride=2)
        else:
            reduced, width = self.scaled(64), self.scaled(192)
            convs = _conv('3x3_reduce', channels, reduced)
            convs |= _conv('3x3', reduced, width, kernel=3)
        return {name: nn.Sequential(OrderedDict(convs))}

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Read the flat names of Caffe, and its normalization of shape (1, C)."""
        found = PUBLISHED_NAME.fullmatch(name.removeprefix('base_model.'))
        if found is None:
            return name, tensor
        stage, layer, norm, weight = found.groups()
        if norm and tensor.dim() == 2:
            tensor = tensor.squeeze(0)
        return f'{stage}.{layer}.{"bn" if norm else "conv"}.{weight}', tensor


class HalvingMaxPool(nn.Module):
    """Max pool of 3x3 windows that start at every second row and column.

    Shape:
        - Input: (N, C, H, W).
        - Output: (N, C, ceil(H / 2), ceil(W / 2)).

    Example:
        >>> import torch
        >>> HalvingMaxPool()(torch.arange(25.0).view(1, 1, 5, 5))[0, 0]
        tensor([[12., 14., 14.],
                [22., 24., 24.],
                [22., 24., 24.]])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool windows that may reach beyond the right and lower border."""
        odd_rows, odd_columns = x.shape[-2] % 2, x.shape[-1] % 2
        if odd_rows or odd_columns:
            x = F.pad(x, (0, odd_columns, 0, odd_rows), value=float('-inf'))
        return F.max_pool2d(x, 3, stride=2, ceil_mode=True)


def _block(
    channels: int,
    one: int,
    three_reduced: int,
    three: int,
    double_reduced: int,
    double: int,
    projected: int,
    *,
    max_pool: bool,
) -> Branches:
    stride = 1 if one else 2
    branches = [
        [
            _conv('3x3_reduce', channels, three_reduced),
            _conv('3x3', three_reduced, three, kernel=3, stride=stride),
        ],
        [
            _conv('double_3x3_reduce', channels, double_reduced),
            _conv('double_3x3_1', double_reduced, double, kernel=3),
            _conv('double_3x3_2', double, double, kernel=3, stride=stride),
        ],
    ]
    if stride == 2:
        pooled: list[dict[str, nn.Module]] = [{'pool': HalvingMaxPool()}]
        return Branches([*branches, pooled])
    kind = nn.MaxPool2d if max_pool else nn.AvgPool2d
    pool = kind(3, stride=1, padding=1)
    branches.insert(0, [_conv('1x1', channels, one)])
    branches.append([{'pool': pool}, _conv('pool_proj', channels, projected)])
    return Branches(branches)


def _conv(
    name: str, in_channels: int, width: int, *, kernel: int = 1, stride: int = 1
) -> dict[str, nn.Module]:
    conv = conv_bn_relu(
        in_channels, width, kernel=kernel, stride=stride, bias=True, eps=1e-5
    )
    return {name: conv}
