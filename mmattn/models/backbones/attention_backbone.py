"""Any backbone with attention modules between its stages."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from mmaction.models.recognizers import Recognizer2D
from mmengine.model import BaseDataPreprocessor, BaseModule
from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone
from mmattn.models.backbones.trial_run import PlaceShapes, called_places, run_on_zeros
from mmattn.models.layers.build import build_attention
from mmattn.registry import MODELS
from mmattn.signatures import Component

# Methods that leave out the classifier; a network without it gives vectors.
FEATURES = {'timm': 'forward_features', 'torchvision': 'features'}


@MODELS.register_module()
class AttentionBackbone(nn.Module):
    """A backbone of any library, with attention modules before or after its stages.

    What is built *is* the backbone, in a subclass of its own class, with one more
    child ``attentions``: its attributes, the names of its parameters and its
    checkpoints stay as they are, and what is new is named ``attentions.*``. Options of
    the backbone (``frozen_stages``, ``norm_eval``, ``init_cfg``, ...) do not reach the
    attention modules.

    A place is a stage of our backbones (``'conv3'``, ``'Mixed_4f'``) or a module that
    the backbone calls, by its path: ``'layer3'``, ``'layer3.0.conv2'``,
    ``'slow_path.layer2'``. Modules at one place run in the order of the list.

    A module config without ``in_channels`` gets the number of channels at its place
    (axis 1 of a map, last axis of tokens (N, L, C)) if its constructor takes it. The
    backbone is run once on zeros to find it. The host's non-local block goes to the
    same places as ``dict(type='mmcv.cnn.NonLocal3d')``.

    Args:
        backbone: Config of the backbone, of any kind that the host's recognizers take:
            ours, MMAction2's, ``mmpretrain.X``, ``torchvision.X``, ``timm.X``.
        attentions: One config per module, ``dict(before='<place>', module=dict(...))``
            or ``dict(after='<place>', module=dict(...))``.
        input_shape: Shape of an input without the batch axis, for the run on zeros;
            some are tried out if None.
        freeze_backbone: Keep the backbone in eval mode and without gradients, so that
            only the attention modules learn.

    Shape:
        - Input, output: those of the backbone. Like the host's recognizers, models of
          torchvision and timm lose their classifier, and their vectors and tokens
          become maps (N, C, 1, 1); of mmpretrain's tuples of one map, the map is left.

    Raises:
        ValueError: If an entry of ``attentions`` is malformed; if a place is unknown,
            is not called or carries something else than a map; if ``in_channels``
            differs from the channels there; if no input is found for the backbone.

    Example:
        >>> import torch
        >>> net = AttentionBackbone(
        ...     dict(type='mmaction.ResNet', depth=18),
        ...     attentions=[
        ...         dict(after='layer3', module=dict(type='mmattn.SqueezeExcitation'))
        ...     ],
        ... )
        >>> net.attentions[0].in_channels
        256
        >>> net(torch.ones(2, 3, 64, 64)).shape
        torch.Size([2, 512, 2, 2])
    """

    attentions: nn.ModuleList
    backbone_from: str
    feature_shape: str | None

    def __new__(cls, backbone: dict, **options: Any) -> 'AttentionBackbone':
        """Build the backbone and turn it into one with attention."""
        # The host's recognizers know how to build the models of every library.
        built = Recognizer2D(
            copy.deepcopy(backbone), data_preprocessor=BaseDataPreprocessor()
        )
        net: Any = built.backbone
        if isinstance(net, AttentionBackbone):
            raise ValueError(
                'backbone: expected one without attention (all modules belong into one '
                f'list of attentions), got {backbone}'
            )
        base: Any = type(net)
        net.__class__ = _attended_class(base)
        net.backbone_from = built.backbone_from
        net.feature_shape = getattr(built, 'feature_shape', None)
        return net

    def __init__(
        self,
        backbone: Component,
        *,
        attentions: Sequence[dict],
        input_shape: Sequence[int] | None = None,
        freeze_backbone: bool = False,
    ) -> None:
        # nn.Module's constructor ran in __new__, when the backbone was built.
        self.freeze_backbone = freeze_backbone
        if freeze_backbone:
            self.requires_grad_(False)
        entries = [_checked_entry(k, entry) for k, entry in enumerate(attentions)]
        self.at_stage: dict[tuple[str, str], list[int]] = {}
        shapes_at = PlaceShapes()
        run_on_zeros(self, shapes_at, input_shape)
        modules = nn.ModuleList()
        for k, (when, name, config) in enumerate(entries):
            _require_place(self, f'attentions[{k}].{when}', name, shapes_at)
            channels = shapes_at.channels(when, name)
            modules.append(build_attention(f'attentions[{k}].module', config, channels))
        self.attentions = modules
        self._attach([(when, name) for when, name, _ in entries])
        if freeze_backbone:
            self.train(self.training)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the backbone returns, see the class."""
        if self.backbone_from in FEATURES:
            method = FEATURES[self.backbone_from]
            forward = getattr(self, method, super().forward)
            return _as_map(forward(*args, **kwargs), self.feature_shape)
        feats = super().forward(*args, **kwargs)
        # mmpretrain's networks return a tuple also for one map.
        in_tuple = self.backbone_from in ('mmcls', 'mmpretrain')
        if in_tuple and isinstance(feats, tuple) and len(feats) == 1:
            return feats[0]
        return feats

    def train(self, mode: bool = True) -> 'AttentionBackbone':
        """Set the mode: the backbone's by its own rules, the attention's as it is."""
        with self._without_attentions():
            super().train(mode and not self.freeze_backbone)
        self.attentions.train(mode)
        return self

    def init_weights(self) -> None:
        """Initialize the backbone as if it were alone, then the attention modules."""
        with self._without_attentions():
            initialize = getattr(super(), 'init_weights', None)
            # torchvision and timm initialize in the constructor.
            if initialize is not None and self.backbone_from not in FEATURES:
                initialize()
        for module in self.attentions:
            if isinstance(module, BaseModule) and not module.is_init:
                module.init_weights()

    def __reduce_ex__(self, protocol: Any) -> Any:
        reduced: Any = super().__reduce_ex__(protocol)
        return (_blank, type(self).__bases__[-1:], *reduced[2:])

    def _attach(self, places: Sequence[tuple[str, str]]) -> None:
        for k, (when, name) in enumerate(places):
            if isinstance(self, StagedBackbone) and name in self.stage_names:
                self.at_stage.setdefault((when, name), []).append(k)
            elif when == 'before':
                self.get_submodule(name).register_forward_pre_hook(
                    partial(_attend_input, self.attentions, k)
                )
            else:
                self.get_submodule(name).register_forward_hook(
                    partial(_attend_output, self.attentions, k)
                )

    @contextmanager
    def _without_attentions(self) -> Iterator[None]:
        attentions = self._modules.pop('attentions')
        try:
            yield
        finally:
            self._modules['attentions'] = attentions


class _AttendedStages(StagedBackbone):
    """Stages of our backbones are no modules: attention runs around the call."""

    attentions: nn.ModuleList
    at_stage: dict[tuple[str, str], list[int]]

    def _run_stage(self, name: str, x: Tensor) -> Tensor:
        for k in self.at_stage.get(('before', name), ()):
            x = self.attentions[k](x)
        x = super()._run_stage(name, x)
        for k in self.at_stage.get(('after', name), ()):
            x = self.attentions[k](x)
        return x


@cache
def _attended_class(base: Any) -> type[AttentionBackbone]:
    """The class of ``base`` with attention; the same for each of its networks."""
    staged = (_AttendedStages,) if issubclass(base, StagedBackbone) else ()
    bases = (AttentionBackbone, *staged, base)
    return type(base)(f'Attention{base.__name__}', bases, {'__module__': __name__})


def _blank(base: Any) -> AttentionBackbone:
    """An object to be filled by copying and unpickling."""
    return object.__new__(_attended_class(base))


def _checked_entry(k: int, entry: dict) -> tuple[str, str, dict]:
    places = [when for when in ('before', 'after') if when in entry]
    if len(places) != 1 or set(entry) != {*places, 'module'}:
        raise ValueError(
            f"attentions[{k}]: expected dict(before='<place>', module=dict(...)) or "
            f"dict(after='<place>', module=dict(...)), got {entry}"
        )
    return places[0], entry[places[0]], entry['module']


def _require_place(net: nn.Module, key: str, name: str, shapes_at: PlaceShapes) -> None:
    if name not in shapes_at:
        raise ValueError(
            f'{key}: expected a place that {type(net).__name__} runs, one of '
            f'{called_places(net, shapes_at)} or inside of them, got {name!r}'
        )


def _attend_input(
    attentions: nn.ModuleList, k: int, module: nn.Module, inputs: tuple
) -> tuple:
    return attentions[k](inputs[0]), *inputs[1:]


def _attend_output(
    attentions: nn.ModuleList, k: int, module: nn.Module, inputs: tuple, output: Tensor
) -> Tensor:
    return attentions[k](output)


def _as_map(x: Tensor, feature_shape: str | None) -> Tensor:
    """Vectors (N, C), tokens (N, L, C) and maps (N, H, W, C) as maps (N, C, H, W)."""
    if x.dim() == 2:
        return x[..., None, None]
    if x.dim() == 3:
        return x.mean(dim=1)[..., None, None]
    return x.permute(0, 3, 1, 2) if feature_shape == 'NHWC' else x
