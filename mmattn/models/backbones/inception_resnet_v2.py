"""Inception-ResNet-v2, a per-frame network of pyramid and spatio-temporal attention.

Szegedy et al., Inception-v4, Inception-ResNet and the impact of residual connections
on learning, section 3.2, with the widths of its published weights. The weight names
are timm's.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mmattn.models.backbones.base import (
    StagedBackbone,
    default_init_cfg,
    required_stages,
)
from mmattn.models.layers.conv_bn import Branches, conv_bn_relu
from mmattn.registry import MODELS

STAGES = (
    'conv2d_1a',
    'conv2d_2a',
    'conv2d_2b',
    'maxpool_3a',
    'conv2d_3b',
    'conv2d_4a',
    'maxpool_5a',
    'mixed_5b',
    'repeat',
    'repeat_relu',
    'mixed_6a',
    'repeat_1',
    'repeat_1_relu',
    'mixed_7a',
    'repeat_2',
    'block8',
    'conv2d_7b',
)


@MODELS.register_module()
class InceptionResNetV2(StagedBackbone):
    """Inception blocks with residual connections: ten A, twenty B and ten C.

    Stages: ``conv2d_1a``, ``conv2d_2a``, ``conv2d_2b``, ``maxpool_3a``, ``conv2d_3b``,
    ``conv2d_4a``, ``maxpool_5a``, ``mixed_5b``, ``repeat`` and ``repeat_relu``,
    ``mixed_6a``, ``repeat_1`` and ``repeat_1_relu``, ``mixed_7a``, ``repeat_2``,
    ``block8``, ``conv2d_7b``; those behind the last requested one are not built. The
    outputs of ``repeat``, ``repeat_1`` and ``block8``, the last layers of the blocks A,
    B and C, are without activation; for the first two it is the stage that follows.

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
            timm's and Cadene's files. Weights trained on RGB fill a first convolution
            of other ``in_channels`` with their mean.

    Shape:
        - Input: (N, in_channels, H, W).
        - Output: repeat (N, 320, H', W'), repeat_1 (N, 1088, H'', W''), block8
          (N, 2080, H''', W'''), conv2d_7b (N, 1536, H''', W'''); the sides are 25, 12,
          5 for 224 pixels and 35, 17, 8 for 299.

    Raises:
        ValueError: If an option is out of range, or a frame is too small (75 pixels
            are needed for mixed_7a and what follows).

    Example:
        >>> import torch
        >>> net = InceptionResNetV2(out='repeat')
        >>> net(torch.ones(1, 3, 75, 91)).shape
        torch.Size([1, 320, 7, 9])
    """

    first_conv = 'conv2d_1a.conv.weight'
    windows = {
        'conv2d_1a': ((3, 2),),
        'conv2d_2a': ((3, 1),),
        'maxpool_3a': ((3, 2),),
        'conv2d_4a': ((3, 1),),
        'maxpool_5a': ((3, 2),),
        'mixed_6a': ((3, 2),),
        'mixed_7a': ((3, 2),),
    }

    def __init__(
        self,
        in_channels: int = 3,
        out: str | Sequence[str] = 'conv2d_7b',
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
        for name in self.stage_names:
            self.add_module(name, _build_stage(name, in_channels))
        self._freeze()

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        return [getattr(self, name)]


class ResidualBranches(Branches):
    """Add the scaled, linearly projected output of parallel branches to the input.

    Args:
        branches: As in :class:`~mmattn.models.layers.conv_bn.Branches`.
        channels: Channels C of the input and output.
        width: Channels of all branches together.
        scale: Factor of what is added.
        relu: Whether a ReLU follows.

    Shape:
        - Input: (N, C, H, W).
        - Output: (N, C, H, W).

    Example:
        >>> import torch
        >>> branches = [[{'branch0': conv_bn_relu(5, 2)}]]
        >>> block = ResidualBranches(branches, 5, width=2, scale=0.1)
        >>> block(torch.ones(1, 5, 3, 3)).shape
        torch.Size([1, 5, 3, 3])
    """

    def __init__(
        self,
        branches: Sequence[Sequence[dict[str, nn.Module]]],
        channels: int,
        *,
        width: int,
        scale: float,
        relu: bool = True,
    ) -> None:
        super().__init__(branches)
        self.scale = scale
        self.conv2d = nn.Conv2d(width, channels, 1)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, changed by what the branches see in it."""
        change = self.conv2d(super().forward(x))
        return self.relu(x + self.scale * change)


def _build_stage(name: str, in_channels: int) -> nn.Module:
    match name:
        case 'conv2d_1a':
            return conv_bn_relu(in_channels, 32, kernel=3, stride=2, padding=0)
        case 'conv2d_2a':
            return conv_bn_relu(32, 32, kernel=3, padding=0)
        case 'conv2d_2b':
            return conv_bn_relu(32, 64, kernel=3)
        case 'conv2d_3b':
            return conv_bn_relu(64, 80)
        case 'conv2d_4a':
            return conv_bn_relu(80, 192, kernel=3, padding=0)
        case 'maxpool_3a' | 'maxpool_5a':
            return nn.MaxPool2d(3, stride=2)
        case 'mixed_5b':
            return _mixed_5b()
        case 'repeat':
            return _repeat(_block_a, 10)
        case 'repeat_relu' | 'repeat_1_relu':
            return nn.ReLU()
        case 'mixed_6a':
            return _mixed_6a()
        case 'repeat_1':
            return _repeat(_block_b, 20)
        case 'mixed_7a':
            return _mixed_7a()
        case 'repeat_2':
            return nn.Sequential(*(_block_c() for _ in range(9)))
        case 'block8':
            return _block_c(scale=1.0, relu=False)
        case _:
            return conv_bn_relu(2080, 1536)


def _repeat(block: Callable[[bool], nn.Module], count: int) -> nn.Sequential:
    return nn.Sequential(*(block(n < count - 1) for n in range(count)))


def _mixed_5b() -> Branches:
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return _branches(
        conv_bn_relu(192, 96),
        _chain(192, (48, 1), (64, 5)),
        _chain(192, (64, 1), (96, 3), (96, 3)),
        nn.Sequential(pool, conv_bn_relu(192, 64)),
    )


def _block_a(relu: bool) -> ResidualBranches:
    branches = _steps(
        conv_bn_relu(320, 32),
        _chain(320, (32, 1), (32, 3)),
        _chain(320, (32, 1), (48, 3), (64, 3)),
    )
    return ResidualBranches(branches, 320, width=128, scale=0.17, relu=relu)


def _mixed_6a() -> Branches:
    return _branches(
        _halve(320, 384),
        _chain(320, (256, 1), (256, 3)).append(_halve(256, 384)),
        nn.MaxPool2d(3, stride=2),
    )


def _block_b(relu: bool) -> ResidualBranches:
    branches = _steps(
        conv_bn_relu(1088, 192), _chain(1088, (128, 1), (160, (1, 7)), (192, (7, 1)))
    )
    return ResidualBranches(branches, 1088, width=384, scale=0.1, relu=relu)


def _mixed_7a() -> Branches:
    return _branches(
        _chain(1088, (256, 1)).append(_halve(256, 384)),
        _chain(1088, (256, 1)).append(_halve(256, 288)),
        _chain(1088, (256, 1), (288, 3)).append(_halve(288, 320)),
        nn.MaxPool2d(3, stride=2),
    )


def _block_c(scale: float = 0.2, relu: bool = True) -> ResidualBranches:
    branches = _steps(
        conv_bn_relu(2080, 192), _chain(2080, (192, 1), (224, (1, 3)), (256, (3, 1)))
    )
    return ResidualBranches(branches, 2080, width=448, scale=scale, relu=relu)


def _branches(*modules: nn.Module) -> Branches:
    return Branches(_steps(*modules))


def _steps(*modules: nn.Module) -> list[list[dict[str, nn.Module]]]:
    return [[{f'branch{n}': module}] for n, module in enumerate(modules)]


def _chain(channels: int, *specs: tuple[int, int | tuple[int, int]]) -> nn.Sequential:
    chain = nn.Sequential()
    for width, kernel in specs:
        chain.append(conv_bn_relu(channels, width, kernel=kernel))
        channels = width
    return chain


def _halve(channels: int, width: int) -> nn.Sequential:
    return conv_bn_relu(channels, width, kernel=3, stride=2, padding=0)
