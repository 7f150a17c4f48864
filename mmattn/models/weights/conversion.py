"""Turning published weights into checkpoints of our backbones."""

import re
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mmattn.registry import MODELS

COUNTER = 'num_batches_tracked'
MAX_UNEXPECTED = 0.1  # of the matched tensors; beyond, it is another network
SHOWN = 8


@dataclass(frozen=True)
class Convention:
    """What weights expect of their input.

    Args:
        mean: Mean of every channel, of values from 0 to 255.
        std: Standard deviation of every channel.
        order: Order of the channels, RGB or BGR.
        flow: Mean and standard deviation of every channel of stacked flow, where there
            are published weights of it.
        note: What names and shapes do not tell.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    order: str = 'RGB'
    flow: tuple[float, float] | None = None
    note: str = ''

    def data_preprocessor(self, in_channels: int = 3) -> dict | None:
        """Options of the data preprocessor; None where nothing is known.

        The host decodes to RGB, so that its ``to_rgb``, which reverses the channels,
        makes BGR of it.

        Args:
            in_channels: Input channels of the weights, 3 for RGB.
        """
        if in_channels == 3:
            mean, std = list(self.mean), list(self.std)
            return {'mean': mean, 'std': std, 'to_rgb': self.order == 'BGR'}
        if self.flow is None:
            return None
        mean, std = [self.flow[0]] * in_channels, [self.flow[1]] * in_channels
        return {'mean': mean, 'std': std, 'to_rgb': False}


@dataclass(frozen=True)
class Architecture:
    """One published network.

    Args:
        backbone: Config of our backbone.
        classifiers: Names that the last layer has in published files.
        sources: Convention of the input by source.
        markers: Regular expressions that a name of a file of that source matches; the
            first source without is taken where none does.
        left_out: First parts of names that no backbone of ours has.
        background: Whether a classifier of 1001 classes has a row for background first.
    """

    backbone: dict
    classifiers: tuple[str, ...]
    sources: dict[str, Convention]
    markers: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    background: bool = False


IMAGENET = Convention((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
HALF = Convention((127.5,) * 3, (127.5,) * 3)
HALF_OR_IMAGENET = Convention(
    (127.5,) * 3,
    (127.5,) * 3,
    note='the weights inception_v3.gluon_in1k of timm want '
    f'mean={list(IMAGENET.mean)}, std={list(IMAGENET.std)}',
)
I3D = Convention((127.5,) * 3, (127.5,) * 3, flow=(127.5, 127.5))
CAFFE = Convention((104.0, 117.0, 128.0), (1.0,) * 3, 'BGR', flow=(128.0, 1.0))
KINETICS = Convention((114.77, 107.74, 99.48), (1.0,) * 3)

VGG_SOURCES = {'torchvision': IMAGENET, 'timm': IMAGENET}
VGG_MARKERS = {'timm': r'pre_logits\.|head\.fc\.'}
ARCHITECTURES = {
    'vgg16': Architecture(
        {'type': 'mmattn.VGG', 'depth': 16, 'out': 'fc7'},
        ('classifier.6', 'head.fc'),
        VGG_SOURCES,
        VGG_MARKERS,
    ),
    'vgg16_bn': Architecture(
        {'type': 'mmattn.VGG', 'depth': 16, 'batch_norm': True, 'out': 'fc7'},
        ('classifier.6', 'head.fc'),
        VGG_SOURCES,
        VGG_MARKERS,
    ),
    'inception_v3': Architecture(
        {'type': 'mmattn.InceptionV3'},
        ('fc',),
        {'timm': HALF_OR_IMAGENET, 'torchvision': HALF},
        {'torchvision': r'AuxLogits\.'},
        left_out=('AuxLogits.',),
    ),
    'inception_resnet_v2': Architecture(
        {'type': 'mmattn.InceptionResNetV2'},
        ('classif', 'last_linear'),
        {'timm': HALF, 'cadene': HALF},
        {'cadene': r'last_linear\.'},
        background=True,
    ),
    'bninception': Architecture(
        {'type': 'mmattn.BNInception'},
        ('last_linear', 'new_fc', 'fc'),
        {'cadene': CAFFE, 'tsn': CAFFE},
        {'tsn': r'(new_)?fc\.|base_model\.'},
    ),
    'i3d': Architecture(
        {'type': 'mmattn.InceptionI3D'}, ('logits.conv3d',), {'piergiaj': I3D}
    ),
    'resnext3d_101': Architecture(
        {'type': 'mmattn.ResNeXt3D', 'depth': 101}, ('fc',), {'hara': KINETICS}
    ),
}
SOURCES = ('torchvision', 'timm', 'cadene', 'tsn', 'piergiaj', 'hara')


@dataclass
class Conversion:
    """Weights under our names, and what became of each name of the file.

    Args:
        arch: Key of ``ARCHITECTURES``.
        source: Where the file's names come from.
        in_channels: Input channels of the weights.
        state_dict: Weights named ``backbone.*`` and ``cls_head.fc_cls.*``.
        matched: Names of ours that the file fills.
        missing: Names of ours that it does not fill.
        misshapen: Names of ours for which it has another shape, with both shapes.
        unexpected: Names of the file that are none of ours.
        left_out: Names of the file that we knowingly do without.
        classifier: What became of the classifier.
    """

    arch: str
    source: str
    in_channels: int = 3
    state_dict: dict[str, Tensor] = field(default_factory=dict)
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    classifier: str = 'none in the file'

    @property
    def complete(self) -> bool:
        """Whether the file holds this network, all of it and little else."""
        few = len(self.unexpected) <= MAX_UNEXPECTED * len(self.matched)
        return not self.missing and not self.misshapen and few

    def report(self) -> str:
        """Matched, missing and unexpected names and the wanted input, in lines."""
        convention = ARCHITECTURES[self.arch].sources[self.source]
        options = convention.data_preprocessor(self.in_channels)
        lines = [
            f'{self.arch} of {self.source}',
            f'matched: {len(self.matched)} tensors',
            _listed('missing', self.missing),
            _listed('of another shape', self.misshapen),
            _listed('unexpected', self.unexpected),
            _listed('left out', self.left_out),
            f'classifier: {self.classifier}',
        ]
        if options is None:
            lines.append(f'input: {self.in_channels} channels, normalization unknown')
        else:
            order = convention.order if self.in_channels == 3 else 'flow'
            values = ', '.join(f'{key}={value}' for key, value in options.items())
            lines.append(f'input: {self.in_channels} channels ({order}), 0 to 255')
            lines.append(f'data_preprocessor: {values}')
        if convention.note:
            lines.append(f'note: {convention.note}')
        return '\n'.join(lines)

    def checkpoint(self) -> dict:
        """Content of the checkpoint, of tensors and plain data.

        Raises:
            ValueError: If the file does not hold the network.
        """
        if not self.complete:
            raise ValueError(
                f'weights: expected those of {self.arch}, got {len(self.missing)} '
                f'missing, {len(self.misshapen)} of another shape and '
                f'{len(self.unexpected)} unexpected beside {len(self.matched)} matched'
            )
        convention = ARCHITECTURES[self.arch].sources[self.source]
        meta = {
            'arch': self.arch,
            'source': self.source,
            'data_preprocessor': convention.data_preprocessor(self.in_channels),
        }
        return {'state_dict': self.state_dict, 'meta': meta}


def convert(
    weights: dict[str, Tensor],
    arch: str,
    *,
    source: str = 'auto',
    num_classes: int | None = None,
    options: dict | None = None,
) -> Conversion:
    """Rename published weights to those of our backbone and its head.

    Args:
        weights: Tensors of a published file by name, without the prefix ``module.``
            (:func:`mmattn.models.weights.pretrained.read_weights`).
        arch: Key of ``ARCHITECTURES``.
        source: Where the names come from; 'auto' looks at them.
        num_classes: Classes of the head that is to get the classifier, which is left
            out if it has others. None for as many as there are.
        options: Options of the backbone, for weights of another width.

    Raises:
        ValueError: If ``arch`` is unknown or has no such ``source``.

    Example:
        >>> result = convert({'features.0.bias': torch.ones(64)}, 'vgg16')
        >>> len(result.matched), len(result.missing), result.complete
        (1, 29, False)
    """
    if arch not in ARCHITECTURES:
        raise ValueError(f'arch: expected one of {list(ARCHITECTURES)}, got {arch!r}')
    network = ARCHITECTURES[arch]
    result = Conversion(arch, _find_source(weights, network, source))
    names, classifier = [], {}
    for name, tensor in weights.items():
        layer, _, value = name.rpartition('.')
        if layer in network.classifiers:
            classifier[value] = tensor
        elif name.startswith(network.left_out):
            result.left_out.append(name)
        else:
            names.append(name)
    _fill_backbone(result, {name: weights[name] for name in names}, options or {})
    if 'weight' in classifier and 'bias' in classifier:
        _fill_head(result, classifier['weight'], classifier['bias'], num_classes)
    return result


def _find_source(weights: dict[str, Tensor], network: Architecture, source: str) -> str:
    if source != 'auto':
        if source not in network.sources:
            raise ValueError(
                f'source: expected one of {list(network.sources)}, got {source!r}'
            )
        return source
    for name, marker in network.markers.items():
        if any(re.match(marker, key) for key in weights):
            return name
    return next(name for name in network.sources if name not in network.markers)


def _fill_backbone(
    result: Conversion, weights: dict[str, Tensor], options: dict
) -> None:
    config = ARCHITECTURES[result.arch].backbone | options
    backbone = _build(config)
    renamed = _rename(result, weights, backbone)
    first = renamed.get(backbone.first_conv)
    if first is not None and first.dim() > 1:
        result.in_channels = first.shape[1]
        backbone = _build(config | {'in_channels': result.in_channels})
    for name, target in backbone.state_dict().items():
        if name not in renamed and name.endswith(COUNTER):
            result.state_dict[f'backbone.{name}'] = torch.zeros((), dtype=target.dtype)
        elif name not in renamed:
            result.missing.append(name)
        elif renamed[name].shape != target.shape:
            shapes = f'{tuple(renamed[name].shape)} for {tuple(target.shape)}'
            result.misshapen.append(f'{name} {shapes}')
        else:
            result.matched.append(name)
            value = renamed[name].to(target.dtype).clone()
            result.state_dict[f'backbone.{name}'] = value


def _rename(
    result: Conversion, weights: dict[str, Tensor], backbone: Any
) -> dict[str, Tensor]:
    ours, renamed = set(backbone.state_dict()), {}
    for name, tensor in weights.items():
        pair = backbone.key_map(name, tensor)
        if pair is None:
            result.left_out.append(name)
        elif pair[0] in renamed or pair[0] not in ours:
            result.unexpected.append(name)
        else:
            renamed[pair[0]] = pair[1]
    return renamed


def _fill_head(
    result: Conversion, weight: Tensor, bias: Tensor, num_classes: int | None
) -> None:
    rows, background = len(weight), ARCHITECTURES[result.arch].background
    result.classifier = f'{rows} classes, to cls_head.fc_cls'
    if background and rows == 1001 and num_classes in (None, 1000):
        weight, bias = weight[1:], bias[1:]
        result.classifier = '1000 classes without background, to cls_head.fc_cls'
    if num_classes is not None and len(weight) != num_classes:
        result.classifier = f'{rows} classes, left out as the head has {num_classes}'
        return
    result.state_dict['cls_head.fc_cls.weight'] = weight.flatten(1).float().clone()
    result.state_dict['cls_head.fc_cls.bias'] = bias.float().clone()


def _build(config: dict) -> Any:
    with torch.device('meta'):
        return MODELS.build(config)


def _listed(title: str, names: list[str]) -> str:
    shown = ', '.join(names[:SHOWN]) + (', ...' if len(names) > SHOWN else '')
    return f'{title}: {len(names)}' + (f' ({shown})' if names else '')
