"""BN-Inception, a per-frame network of spatio-temporal and pyramid attention.

Ioffe and Szegedy, Batch normalization: accelerating deep network training by reducing
internal covariate shift, figure 5, with the widths and pools of the Caffe network whose
weights temporal segment networks start from.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from mmattn.models.backbones.base import (
    StagedBackbone,
    default_init_cfg,
    required_stages,
)
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
STAGES = ('conv1', 'pool1', 'conv2', 'pool2', *BLOCKS)
PUBLISHED_NAME = re.compile(r'(conv\d|inception_\d\w)_(.+?)(_bn)?\.(\w+)')


@MODELS.register_module()
class BNInception(StagedBackbone):
    """Three convolutions, two max pools and ten blocks of parallel branches.

    Stages: ``conv1``, ``pool1``, ``conv2``, ``pool2``, ``inception_3a`` to
    ``inception_3c``, ``inception_4a`` to ``inception_4e``, ``inception_5a`` and
    ``inception_5b``; those behind the last requested one are not built.

    Differs from the Caffe network in: where a map of odd height or width is halved
    (inception_3c, inception_4e), the max pool has one more window at the border, as the
    convolutions beside it have. The Caffe network does not take such frames, among them
    those of 112 or 299 pixels.

    Args:
        in_channels: Channels of a frame, 3 for RGB and 2L for L stacked flow fields.
        out: Stage to return, or a sequence of stages to return as a tuple.
        frozen_stages: Number of stages with weights that are frozen; -1 or 0 for none,
            'all' for all.
        norm_eval: Keep batch normalization in eval mode while training.
        partial_bn: Keep all batch normalizations but the first as they are.
        with_cp: Recompute each stage in the backward pass to save memory.
        num_segments: Frames of a video, where the host's recognizers ask for it.
        init_cfg: As in MMEngine; ``dict(type='Pretrained', checkpoint=...)`` reads
            Cadene's files and those of temporal segment networks. Weights trained on
            RGB fill a first convolution of other ``in_channels`` with their mean.

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

    first_conv = 'conv1.7x7_s2.conv.weight'
    windows = {
        'conv1': ((1, 2),),
        'pool1': ((2, 2),),
        'pool2': ((2, 2),),
        'inception_3c': ((1, 2),),
        'inception_4e': ((1, 2),),
    }

    def __init__(
        self,
        in_channels: int = 3,
        out: str | Sequence[str] = 'inception_5b',
        *,
        frozen_stages: int | str = -1,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        num_segments: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            required_stages(STAGES, out),
            out,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            partial_bn=partial_bn,
            with_cp=with_cp,
            num_segments=num_segments,
            init_cfg=default_init_cfg() if init_cfg is None else init_cfg,
        )
        self.in_channels = in_channels
        channels = 192
        for name in self.stage_names:
            if name in BLOCKS:
                block, channels = _block(channels, *BLOCKS[name], name=name)
                self.add_module(name, block)
            else:
                self.add_module(name, _stem(name, in_channels))
        self._freeze()

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        return [getattr(self, name)]

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


def _stem(name: str, in_channels: int) -> nn.Module:
    if name == 'conv1':
        conv = _conv('7x7_s2', in_channels, 64, kernel=7, stride=2)
        return nn.Sequential(OrderedDict(conv))
    if name == 'conv2':
        convs = _conv('3x3_reduce', 64, 64) | _conv('3x3', 64, 192, kernel=3)
        return nn.Sequential(OrderedDict(convs))
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _block(
    channels: int,
    one: int,
    three_reduced: int,
    three: int,
    double_reduced: int,
    double: int,
    projected: int,
    *,
    name: str,
) -> tuple[Branches, int]:
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
        return Branches([*branches, pooled]), three + double + channels
    kind = nn.MaxPool2d if name == 'inception_5b' else nn.AvgPool2d
    pool = kind(3, stride=1, padding=1)
    branches.insert(0, [_conv('1x1', channels, one)])
    branches.append([{'pool': pool}, _conv('pool_proj', channels, projected)])
    return Branches(branches), one + three + double + projected


def _conv(
    name: str, in_channels: int, width: int, *, kernel: int = 1, stride: int = 1
) -> dict[str, nn.Module]:
    conv = conv_bn_relu(
        in_channels, width, kernel=kernel, stride=stride, bias=True, eps=1e-5
    )
    return {name: conv}
