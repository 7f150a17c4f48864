"""What all our backbones share: named stages, freezing and pretrained weights."""

import copy
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule, PretrainedInit
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmattn.utils.pretrained import load_pretrained


class StagedBackbone(BaseModule):
    """A chain of named stages.

    A subclass builds its modules, implements :meth:`stage_layers`, sets the class
    attribute ``first_conv`` and, where published files name their weights otherwise,
    overrides :meth:`key_map`; its constructor ends with :meth:`_freeze`.

    Args:
        stage_names: Names of the stages that are built, in forward order.
        out: Stage whose output :meth:`forward` returns, or a sequence of stages.
        frozen_stages: Number of stages with weights, counted from the input, that are
            kept in eval mode and without gradients; -1 or 0 for none, 'all' for all.
        norm_eval: Keep batch normalization in eval mode while training.
        with_cp: Recompute each stage in the backward pass to save memory; batch
            normalization then updates its statistics twice per step.
        init_cfg: As in MMEngine. ``dict(type='Pretrained', checkpoint=...)`` loads
            with :func:`mmattn.utils.pretrained.load_pretrained`.

    Raises:
        ValueError: If ``out`` or ``frozen_stages`` does not fit the stages.
    """

    first_conv: str

    def __init__(
        self,
        stage_names: Sequence[str],
        out: str | Sequence[str],
        *,
        frozen_stages: int | str = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.init_cfg: dict | list[dict] | None
        self.stage_names = tuple(stage_names)
        self.out = out if isinstance(out, str) else tuple(out)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp

    def stage_layers(self, name: str) -> list[nn.Module]:
        """Modules that the stage ``name`` applies one after the other."""
        raise NotImplementedError

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Name and tensor of a published file as this class has them."""
        return name, tensor

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return one map if ``out`` is a name, a tuple if it is a sequence."""
        if isinstance(self.out, str):
            return self.forward_stages(x)
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
            ValueError: If a name is no stage of this network.
        """
        names = self.stage_names
        first = 0 if start is None else self._index('start', start)
        last = len(names) if stop is None else self._index('stop', stop)
        for name in names[first:last]:
            x = self._run_stage(name, x)
        return x

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode; frozen stages and, if asked, normalization stay in eval."""
        super().train(mode)
        for layer in self._frozen():
            layer.eval()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
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
        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(_run_layers, layers, x, use_reentrant=False)
        return _run_layers(layers, x)

    def _index(self, key: str, name: str) -> int:
        if name not in self.stage_names:
            raise ValueError(f'{key}: expected one of {self.stage_names}, got {name!r}')
        return self.stage_names.index(name)

    def _freeze(self) -> None:
        for layer in self._frozen():
            layer.requires_grad_(False)

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
