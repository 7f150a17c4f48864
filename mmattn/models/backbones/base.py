"""What all our backbones share: named stages, freezing and pretrained weights."""

import copy
from collections.abc import Mapping, Sequence

from mmengine.model import BaseModule, PretrainedInit
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmattn.models.weights.pretrained import load_pretrained
from mmattn.signatures import Positive
from mmattn.utils.autograd import recomputing_possible

# Without pretrained weights: He's, and 0.01 for linear layers.
INIT_CFG = [
    {'type': 'Kaiming', 'layer': ['Conv2d', 'Conv3d']},
    {'type': 'Constant', 'layer': ['BatchNorm2d', 'BatchNorm3d'], 'val': 1.0},
    {'type': 'Normal', 'layer': 'Linear', 'std': 0.01},
]


class StagedBackbone(BaseModule):
    """A chain of named stages.

    A subclass has the table ``stages``, makes the modules of a row of it in
    :meth:`build_stage`, and sets the class attributes that follow it; where published
    files name their weights otherwise, it overrides :meth:`key_map`.

    Args:
        in_channels: Channels of a frame, 3 for RGB, 2 for flow and 2L for L stacked
            flow fields.
        out: Stage whose output :meth:`forward` returns, or a sequence of stages to
            return as a tuple; None for the last stage of all. Stages behind the last
            requested one are not built.
        base_channels: Width of the first stage, None for the published one; the others
            keep their ratio to it.
        frozen_stages: Number of stages with weights, counted from the input, that are
            kept in eval mode and without gradients; -1 or 0 for none, 'all' for all.
        norm_eval: Keep batch normalization in eval mode while training.
        partial_bn: Keep all batch normalizations but the first in eval mode and their
            scales and shifts fixed, as temporal segment networks do.
        with_cp: Recompute each stage in the backward pass to save memory; batch
            normalization then updates its statistics twice per step.
        start: Stage whose input :meth:`forward` takes, for stored maps of the stages
            before it, which are built all the same; None for frames.
        num_segments: Frames of a video, for the host's recognizers, which look it up
            here when ``test_cfg`` sets ``fcn_test``; it does not change the network.
        init_cfg: As in MMEngine. ``dict(type='Pretrained', checkpoint=...)`` loads
            with :func:`mmattn.models.weights.pretrained.load_pretrained`; weights
            trained on RGB fill a first convolution of other ``in_channels`` with their
            mean.
            None for He's initialization.

    Raises:
        ValueError: If ``out``, ``base_channels`` or ``frozen_stages`` does not fit the
            stages.
    """

    # Published channels of each stage's output, in forward order.
    stages: Mapping[str, int]
    # What ``base_channels`` must be a multiple of, so that these widths are whole.
    base_step: int = 1
    # Name of the weight that sees the frames.
    first_conv: str
    # Where frames can be too small: the extents and strides, in order, of the windows
    # that must fit into the height and width of a stage's input.
    windows: Mapping[str, Sequence[tuple[int, int]]] = {}

    def __init__(
        self,
        in_channels: Positive = 3,
        out: str | Sequence[str] | None = None,
        *,
        base_channels: int | None = None,
        frozen_stages: int | str = -1,
        norm_eval: bool = False,
        partial_bn: bool = False,
        with_cp: bool = False,
        start: str | None = None,
        num_segments: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=INIT_CFG if init_cfg is None else init_cfg)
        self.init_cfg: dict | list[dict] | None
        names = tuple(self.stages)
        out = names[-1] if out is None else out
        self.stage_names = required_stages(names, out)
        self.out = out if isinstance(out, str) else tuple(out)
        self.in_channels = in_channels
        if base_channels is None:
            base_channels = self.stages[names[0]]
        self.base_channels = base_channels
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.partial_bn = partial_bn
        self.with_cp = with_cp
        self.start = start
        if start is not None and not isinstance(out, str):
            raise ValueError(f'out: expected one stage with start={start!r}, got {out}')
        self._index('start', start or names[0])
        self.num_segments = num_segments
        self._build()
        self._freeze()

    def build_stage(self, name: str, channels: int) -> Mapping[str, nn.Module]:
        """Make the modules that a stage applies one after the other.

        Args:
            name: Stage to build; those before it exist.
            channels: Channels of its input.

        Returns:
            The modules by their names, those inside of a sequence as 'features.3'.
        """
        raise NotImplementedError

    def scaled(self, width: int) -> int:
        """Channels here where the published network has ``width``."""
        return width * self.base_channels // next(iter(self.stages.values()))

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        return [self.get_submodule(path) for path in self._paths[name]]

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Name and tensor of a published file as this class has them."""
        return name, tensor

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return one map if ``out`` is a name, a tuple if it is a sequence."""
        if isinstance(self.out, str):
            return self.forward_stages(x, self.start)
        self._require_size(self.stage_names, x)
        maps = {}
        for name in self.stage_names:
            x = self._run_stage(name, x)
            maps[name] = x
        return tuple(maps[name] for name in self.out)

    def forward_stages(
        self, x: Tensor, start: str | None = None, stop: str | None = None
    ) -> Tensor:
        """Run the stages from ``start`` up to, but not including, ``stop``.

        Args:
            x: Input of the stage ``start``.
            start: First stage that runs; None for the first of all.
            stop: Stage before which to halt; None to run to the last.

        Raises:
            ValueError: If a name is no stage of this network, or ``x`` is too small.
        """
        names = self.stage_names
        first = 0 if start is None else self._index('start', start)
        last = len(names) if stop is None else self._index('stop', stop)
        self._require_size(names[first:last], x)
        for name in names[first:last]:
            x = self._run_stage(name, x)
        return x

    def smallest_input(self, stage_names: Sequence[str]) -> int:
        """Smallest height and width that consecutive stages can take."""
        size = 1
        for name in reversed(stage_names):
            for extent, stride in reversed(self.windows.get(name, ())):
                size = (size - 1) * stride + extent
        return size

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode; frozen stages and, if asked, normalization stay in eval."""
        super().train(mode)
        for layer in self._frozen():
            layer.eval()
        for norm in self._norms()[0 if self.norm_eval else 1 :]:
            if self.norm_eval or self.partial_bn:
                norm.eval()
        return self

    def init_weights(self) -> None:
        """Initialize from ``init_cfg``, pretrained weights last."""
        all_cfg = copy.deepcopy(self.init_cfg or [])
        cfgs = [all_cfg] if isinstance(all_cfg, dict) else all_cfg
        pretrained = [
            cfg for cfg in cfgs if cfg['type'] in ('Pretrained', PretrainedInit)
        ]
        done, kept = self.is_init, self.init_cfg
        self.init_cfg = [cfg for cfg in cfgs if cfg not in pretrained]
        super().init_weights()
        self.init_cfg = kept
        if done:
            return
        for cfg in pretrained:
            cfg.pop('type')
            self._load(PretrainedInit(**cfg))

    def _build(self) -> None:
        if self.base_channels < 1 or self.base_channels % self.base_step:
            raise ValueError(
                f'base_channels: expected a positive multiple of {self.base_step}, '
                f'got {self.base_channels}'
            )
        self._paths: dict[str, tuple[str, ...]] = {}
        channels = self.in_channels
        for name in self.stage_names:
            modules = self.build_stage(name, channels)
            for path, module in modules.items():
                parent, _, child = path.rpartition('.')
                if parent and not hasattr(self, parent):
                    self.add_module(parent, nn.Sequential())
                self.get_submodule(parent).add_module(child, module)
            self._paths[name] = tuple(modules)
            channels = self.scaled(self.stages[name])

    def _load(self, source: PretrainedInit) -> None:
        options = {} if source.prefix is None else {'prefixes': (source.prefix,)}
        load_pretrained(
            self,
            source.checkpoint,
            first_conv=self.first_conv,
            key_map=self.key_map,
            **options,
        )

    def _run_stage(self, name: str, x: Tensor) -> Tensor:
        layers = self.stage_layers(name)
        if self.with_cp and recomputing_possible():
            return checkpoint(_run_layers, layers, x, use_reentrant=False)
        return _run_layers(layers, x)

    def _index(self, key: str, name: str) -> int:
        if name not in self.stage_names:
            raise ValueError(f'{key}: expected one of {self.stage_names}, got {name!r}')
        return self.stage_names.index(name)

    def _require_size(self, names: Sequence[str], x: Tensor) -> None:
        least = self.smallest_input(names)
        height, width = x.shape[-2:]
        if min(height, width) < least:
            what = (
                'frames' if names[0] == self.stage_names[0] else f'input of {names[0]}'
            )
            raise ValueError(
                f'{what}: expected at least {least} x {least} pixels, '
                f'got {height} x {width}'
            )

    def _freeze(self) -> None:
        for layer in self._frozen():
            layer.requires_grad_(False)
        if self.partial_bn:
            for norm in self._norms()[1:]:
                norm.requires_grad_(False)

    def _norms(self) -> list[_BatchNorm]:
        return [m for m in self.modules() if isinstance(m, _BatchNorm)]

    def _frozen(self) -> list[nn.Module]:
        stages = [self.stage_layers(name) for name in self.stage_names]
        weighted = [stage for stage in stages if _has_weights(stage)]
        count = len(weighted) if self.frozen_stages == 'all' else self.frozen_stages
        if not isinstance(count, int) or not -1 <= count <= len(weighted):
            raise ValueError(
                f"frozen_stages: expected 'all' or -1 to {len(weighted)}, the number "
                f'of stages with weights, got {count!r}'
            )
        return [layer for stage in weighted[: max(count, 0)] for layer in stage]


def _run_layers(layers: list[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _has_weights(layers: list[nn.Module]) -> bool:
    return any(True for layer in layers for _ in layer.parameters())


def required_stages(
    stage_names: Sequence[str], out: str | Sequence[str]
) -> tuple[str, ...]:
    """Stages that must be built to compute the outputs ``out``.

    Args:
        stage_names: All stages of the network, in forward order.
        out: Stage or stages to return.

    Raises:
        ValueError: If a name is no stage, or none is given.

    Example:
        >>> required_stages(('conv1', 'pool1', 'conv2'), 'pool1')
        ('conv1', 'pool1')
    """
    outs = (out,) if isinstance(out, str) else tuple(out)
    wrong = [name for name in outs if name not in stage_names]
    if wrong or not outs:
        raise ValueError(f'out: expected names among {tuple(stage_names)}, got {out!r}')
    last = max(list(stage_names).index(name) for name in outs)
    return tuple(stage_names[: last + 1])
