"""Depth of every weight of a network, counted along what the network computes."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.func import functional_call
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from mmattn.models.backbones.trial_run import (
    first_that_fits,
    in_eval_mode,
    input_channels,
)
from mmattn.utils.logs import quiet_log

# Tried in this order; nothing is computed, so that a large one costs nothing.
FRAMES = ((224, 224), (299, 299), (112, 112), (64, 64))
CLIPS = ((8, 224, 224), (16, 224, 224), (32, 224, 224), (64, 224, 224), (16, 112, 112))
# Functions whose result has the type and shape of a weight, but not its values.
CONSTANTS = ('new_', 'zeros_like', 'ones_like', 'full_like', 'empty_like')


def layer_depths(
    model: nn.Module, input_shape: Sequence[int] | None = None
) -> dict[str, int]:
    """Return the depth l = 1..L of every parameter of a model.

    A layer is a module that has a parameter of two axes or more: a convolution, a
    linear layer, a recurrent cell. Its depth is one more than the largest depth among
    the layers that its input was computed with. Parallel branches thus share depths,
    an attention module counts where it runs, and L is what is called the network's
    depth: 50 for ResNet-50. Vectors and numbers in modules of their own (normalization,
    scales of residuals) have the depth of the layer before them. A layer that runs
    several times counts where it runs first. What the scores are computed without
    (auxiliary heads, the heads of detectors) has the classifier's depth L.

    The model runs once in eval mode on PyTorch's fake tensors, which have shapes but no
    values: weights, statistics, modes and random numbers stay as they are.

    Args:
        model: A recognizer, another model with a ``backbone``, or a network that takes
            one tensor.
        input_shape: Shape of an input without the batch axis: (frames, C, H, W) for
            recognizers of frames, (clips, C, T, H, W) for those of clips, what the
            network itself or the ``backbone`` takes for others; some are tried out if
            None.

    Returns:
        Depth by the parameter's name, in the order of ``model.named_parameters()``.

    Raises:
        ValueError: If a parameter is lazy and not yet initialized, or if the model
            takes none of the inputs or does not use its parameters on it.

    Example:
        >>> a, norm, b = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 7, 1)
        >>> net = nn.Sequential(a, norm, b)
        >>> list(layer_depths(net, (3, 8, 8)).values())
        [1, 1, 1, 1, 2, 2]
    """
    names = [name for name, _ in model.named_parameters()]
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise ValueError(
                f'{name}: expected an initialized parameter (run the model once '
                f'beforehand), got {type(parameter).__name__}'
            )
    prefix, net, forward = _runnable(model)
    trace = _trace(net, forward, input_shape)
    if not any(trace.depths.values()):
        raise ValueError(
            f'expected {type(net).__name__} to use its parameters on its input, got a '
            'run without any'
        )
    # A detector's heads come after its backbone, the only part that runs.
    last = max(trace.depths.values()) + (net is not model)
    depths = {
        prefix + name: trace.depths.get(unit, last)
        for name, unit in trace.units.items()
    }
    # A normalization of the input is before the first layer.
    return {name: max(1, depths.get(name, last)) for name in names}


def depth_table(depths: Mapping[str, int]) -> str:
    """Return one line for each depth: its sine rate and the modules there.

    Args:
        depths: Depths of :func:`layer_depths`.

    Example:
        >>> print(depth_table({'conv.weight': 1, 'bn.weight': 1, 'fc.weight': 2}))
        depth  rate    modules
            1  0.7071  conv, bn
            2  1.0000  fc
    """
    modules: dict[int, dict[str, None]] = {}
    for name, depth in depths.items():
        modules.setdefault(depth, {})[name.rpartition('.')[0] or name] = None
    last = max(modules)
    lines = [
        f'{depth:5}  {sine_rate(depth, last):.4f}  {", ".join(modules[depth])}'
        for depth in sorted(modules)
    ]
    return '\n'.join(['depth  rate    modules', *lines])


def sine_rate(depth: int, last: int) -> float:
    """Learning rate of a layer, in multiples of the model's.

    Implements Eq. (2) of Spatial-temporal bottom-up top-down attention model for action
    recognition, sin(l/L * pi/2).

    Args:
        depth: The layer's depth l, from 1.
        last: The network's depth L.

    Example:
        >>> [round(sine_rate(depth, 3), 4) for depth in (1, 2, 3)]
        [0.5, 0.866, 1.0]
    """
    return math.sin(depth / last * math.pi / 2)


class _Trace(TorchFunctionMode):
    """Depths of units, from the functions that are called on weights and data.

    Tensors that were computed from the input carry ``depth``, others that were
    computed from weights carry ``units``.

    Args:
        units: Unit of every parameter: layers share one, other parameters have theirs.
        layers: Units that are layers.
    """

    def __init__(self, units: dict[str, str], layers: set[str]) -> None:
        super().__init__()
        self.units = units
        self.layers = layers
        self.depths: dict[str, int] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = _tensors((args, kwargs))
        # x[i] = y returns nothing and changes x.
        outputs = inputs[:1] if result is None else _tensors(result)
        units = set().union(*(getattr(x, 'units', ()) for x in inputs))
        depths = [x.depth for x in inputs if hasattr(x, 'depth')]
        if depths:
            depth = self._depth_after(units, max(depths))
            for x in outputs:
                x.depth = max(depth, getattr(x, 'depth', 0))
        elif not func.__name__.startswith(CONSTANTS):
            for x in outputs:
                x.units = units
        return result

    def _depth_after(self, units: set[str], depth: int) -> int:
        for unit in units - self.depths.keys():
            self.depths[unit] = depth + (unit in self.layers)
        return max([depth, *(self.depths[unit] for unit in units)])


def _trace(
    net: nn.Module, forward: dict[str, str], input_shape: Sequence[int] | None
) -> _Trace:
    shapes = _input_shapes(net) if input_shape is None else [tuple(input_shape)]

    # Fake tensors log the errors of sizes that are tried out.
    logger = logging.getLogger('torch._subclasses.fake_tensor')

    def run(shape: tuple[int, ...]) -> _Trace:
        trace = _Trace(*_units(net))
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        state: dict[str, Any] = {
            name: fake.from_tensor(x.detach()) for name, x in _tensors_of(net)
        }
        for name, unit in trace.units.items():
            state[name].units = {unit}
        example = next(iter(state.values()))
        quiet = quiet_log(logging.CRITICAL, logger)
        with in_eval_mode(net), torch.no_grad(), quiet, fake, trace:
            x: Any = torch.empty(1, *shape, device=example.device)
            x.depth = 0
            functional_call(net, state, (x,), forward)
        return trace

    return first_that_fits(net, shapes, run)


def _runnable(model: nn.Module) -> tuple[str, nn.Module, dict[str, str]]:
    """The part that runs on a tensor: prefix of its names, itself, its options."""
    if isinstance(model, BaseRecognizer):
        stage = 'head' if model.with_cls_head else 'neck'
        return '', model, {'mode': 'tensor', 'stage': stage}
    backbone = getattr(model, 'backbone', None)
    if isinstance(backbone, nn.Module):
        return 'backbone.', backbone, {}
    return '', model, {}


def _units(net: nn.Module) -> tuple[dict[str, str], set[str]]:
    units, layers = {}, set()
    named = {parameter: name for name, parameter in net.named_parameters()}
    for prefix, module in net.named_modules():
        own = [p for p in module.parameters(recurse=False) if p in named]
        is_layer = any(p.ndim > 1 for p in own)
        if is_layer:
            layers.add(prefix)
        for parameter in own:
            name = named.pop(parameter)  # the first module has a shared one
            units[name] = prefix if is_layer else name
    return units, layers


def _tensors_of(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from net.named_parameters()
    yield from net.named_buffers()


def _tensors(values: Any) -> list[Any]:
    return [x for x in tree_leaves(values) if isinstance(x, Tensor)]


def _input_shapes(net: nn.Module) -> list[tuple[int, ...]]:
    channels, is_3d = input_channels(net)
    frames: list[tuple[int, ...]] = [(channels, *size) for size in FRAMES]
    clips: list[tuple[int, ...]] = [(channels, *size) for size in CLIPS]
    if isinstance(net, BaseRecognizer):
        frames = [(_num_segments(net), *shape) for shape in frames]
        clips = [(1, *shape) for shape in clips]
    # Networks for clips may convolve frame by frame.
    return clips if is_3d else [*frames, *clips]


def _num_segments(net: nn.Module) -> int:
    """Frames of a video that every module of the network can take."""
    found = {getattr(module, 'num_segments', None) for module in net.modules()}
    return math.lcm(*(n for n in found if isinstance(n, int) and n > 1))
