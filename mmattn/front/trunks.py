"""Per-frame networks that `mmattn train` starts from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmattn.models.backbones.base import StagedBackbone
from mmattn.registry import MODELS

IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
HALVES = ([127.5] * 3, [127.5] * 3)


@dataclass(frozen=True)
class Trunk:
    """A network with named stages, and where the systems reach into it.

    Args:
        backbone: Config of the network, without ``out`` and ``init_cfg``.
        taps: Stages of falling resolution; the maps of the last one are what heads and
            modules attend to.
        rest: The stage after them.
        last: Its last stage, whose mean over the pixels is the feature of a frame.
        mean: Mean of each channel that the weights want, in the units of 0 to 255.
        std: Standard deviation, likewise.
        weights: Weights by default, empty for none.
        reversed_channels: Whether the weights want BGR.
        size: Height and width of the frames.
    """

    backbone: dict[str, Any]
    taps: tuple[str, ...]
    rest: str
    last: str
    mean: list[float] = field(default_factory=lambda: list(IMAGENET[0]))
    std: list[float] = field(default_factory=lambda: list(IMAGENET[1]))
    weights: str = ''
    reversed_channels: bool = False
    size: int = 224

    def channels(self, stage: str) -> int:
        """Return the channels of a stage's output."""
        kind: type[StagedBackbone] = MODELS.get(self.backbone['type'])
        if stage in ('fc6', 'fc7'):
            return self.backbone.get('fc_channels', kind.stages[stage])
        width = kind.stages[stage]
        base = next(iter(kind.stages.values()))
        return width * self.backbone.get('base_channels', base) // base

    def config(self, out: str, *, weights: str, frozen: bool) -> dict[str, Any]:
        """Return the config of the network up to a stage.

        Args:
            out: Stage that it returns.
            weights: Weights, empty for none.
            frozen: Whether it does not learn.
        """
        cfg = dict(self.backbone, out=out)
        if frozen:
            cfg['frozen_stages'] = 'all'
        if weights:
            cfg['init_cfg'] = dict(type='Pretrained', checkpoint=weights)
        return cfg


TRUNKS = {
    'efficientnet_lite0': Trunk(
        dict(type='mmattn.EfficientNetLite0'),
        taps=('stage3', 'stage5', 'stage7'),
        rest='head',
        last='head',
        mean=[127.0] * 3,
        std=[128.0] * 3,
        weights='efficientnet-lite0',
    ),
    'vgg16': Trunk(
        dict(type='mmattn.VGG', depth=16),
        taps=('conv3', 'conv4', 'pool5'),
        rest='fc6',
        last='fc6',
    ),
    'bninception': Trunk(
        dict(type='mmattn.BNInception'),
        taps=('inception_3b', 'inception_4d', 'inception_5a'),
        rest='inception_5b',
        last='inception_5b',
        mean=[104, 117, 128],
        std=[1, 1, 1],
        reversed_channels=True,
    ),
    'inception_v3': Trunk(
        dict(type='mmattn.InceptionV3'),
        taps=('mixed_5d', 'mixed_6e', 'mixed_7b'),
        rest='mixed_7c',
        last='mixed_7c',
        mean=HALVES[0],
        std=HALVES[1],
        size=299,
    ),
    'inception_resnet_v2': Trunk(
        dict(type='mmattn.InceptionResNetV2'),
        taps=('repeat_relu', 'repeat_1_relu', 'block8'),
        rest='conv2d_7b',
        last='conv2d_7b',
        mean=HALVES[0],
        std=HALVES[1],
        size=299,
    ),
}
DEFAULT = 'efficientnet_lite0'


def find_trunk(name: str, weights: str | None, *, finetune: bool) -> tuple[Trunk, str]:
    """Return a network by name, and its weights.

    Args:
        name: Key of ``TRUNKS``.
        weights: File, address or name of weights; None for those of the network.
        finetune: Whether it learns, so that it may start without weights.

    Raises:
        FileNotFoundError: If the weights are a path where no file is.
        ValueError: If the network is unknown, or lacks weights.
    """
    if name not in TRUNKS:
        raise ValueError(f'--backbone: expected one of {list(TRUNKS)}, got {name!r}')
    trunk = TRUNKS[name]
    if weights == 'none':
        weights = ''
    elif weights is None:
        weights = trunk.weights
    elif weights != trunk.weights and '://' not in weights:
        if not Path(weights).is_file():
            raise FileNotFoundError(
                f'--weights: expected a file, got none at {weights}'
            )
        weights = str(Path(weights).resolve())
    if not weights and not finetune:
        raise ValueError(
            f'--weights: expected weights for {name}, got none; they do not learn '
            'unless you give --finetune'
        )
    return trunk, weights
