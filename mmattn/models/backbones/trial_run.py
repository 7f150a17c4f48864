"""Running a network once on zeros to learn what passes its modules."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone

Result = TypeVar('Result')

# Tried in this order: frames of fully convolutional and of fixed-size networks.
FRAME_SHAPES = ((64, 64), (112, 112), (224, 224))
CLIP_SHAPES = ((8, 64, 64), (16, 112, 112), (32, 224, 224))


class PlaceShapes:
    """Shapes of what went into and out of named places, one per call."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, str], list[Any]] = defaultdict(list)

    def add(self, when: str, name: str, value: object) -> None:
        """Note what passed a place; of what is no tensor, its type.

        Args:
            when: ``'before'`` or ``'after'``.
            name: Name of the place.
            value: What passed.
        """
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value)
        self._shapes[when, name].append(shape)

    def clear(self) -> None:
        """Forget all."""
        self._shapes.clear()

    def __contains__(self, name: str) -> bool:
        return ('before', name) in self._shapes

    def dims(self, when: str, name: str) -> int:
        """Return the number of axes of what passes a place first.

        Args:
            when: ``'before'`` or ``'after'``.
            name: Name of a place that is called.
        """
        shape = self._shapes[when, name][0]
        return len(shape) if isinstance(shape, tuple) else 0

    def channels(self, when: str, name: str) -> int:
        """Return the number of channels that pass a place.

        Args:
            when: ``'before'`` or ``'after'``.
            name: Name of a place that is called.

        Raises:
            ValueError: If anything but one map or token sequence passes, or if
                several calls have different channels.
        """
        shapes = self._shapes[when, name]
        axes = {2: 1, 3: 2, 4: 1, 5: 1}  # (N, C), (N, L, C), (N, C, H, W), ...
        found = {
            shape[axes[len(shape)]]
            for shape in shapes
            if isinstance(shape, tuple) and len(shape) in axes
        }
        maps = all(isinstance(shape, tuple) and len(shape) in axes for shape in shapes)
        if not maps or len(found) != 1:
            raise ValueError(
                f"{when} '{name}': expected one map, or maps of the same number of "
                f'channels, in each call, got {shapes}'
            )
        return found.pop()


def run_on_zeros(
    net: nn.Module, shapes_at: PlaceShapes, input_shape: Sequence[int] | None = None
) -> None:
    """Run a network in eval mode and note the shapes at its stages and modules.

    Args:
        net: Network; its weights, buffers and modes stay as they are.
        shapes_at: Where the shapes are noted.
        input_shape: Shape of an input without the batch axis; if None, some are tried
            out with the channels of the first convolution.

    Raises:
        ValueError: If the network takes none of the inputs.
    """
    example = next(net.parameters(), torch.empty(0))
    shapes = _input_shapes(net) if input_shape is None else [tuple(input_shape)]
    batch = getattr(net, 'num_segments', None) or 1

    def run(shape: tuple[int, ...]) -> None:
        shapes_at.clear()
        _run(net, shapes_at, example.new_zeros(batch, *shape))

    with in_eval_mode(net), _noting(net, shapes_at), torch.no_grad():
        first_that_fits(net, shapes, run)


def first_that_fits(
    net: nn.Module,
    shapes: Sequence[tuple[int, ...]],
    run: Callable[[tuple[int, ...]], Result],
) -> Result:
    """Try inputs of several shapes; return what the first gives that the network takes.

    Args:
        net: Network, named in the error.
        shapes: Shapes of inputs without the batch axis.
        run: Runs the network on an input of a shape.

    Raises:
        ValueError: If the network takes none of them, with its reasons.

    Example:
        >>> first_that_fits(nn.Identity(), [(0,), (2,)], lambda shape: 6 // shape[0])
        3
    """
    errors: dict[tuple[int, ...], Exception] = {}
    for shape in shapes:
        try:
            return run(shape)
        # Libraries refuse a size by whatever exception fails first in them.
        except Exception as error:
            errors[shape] = error
    reasons = '; '.join(f'{shape}: {error}' for shape, error in errors.items())
    raise ValueError(
        f'input_shape: expected an input that {type(net).__name__} takes, got errors '
        f'for {reasons}'
    ) from next(iter(errors.values()))


def input_channels(net: nn.Module) -> tuple[int, bool]:
    """Return the channels of a network's first convolution, and whether it is 3D.

    Raises:
        ValueError: If the network has no convolution.

    Example:
        >>> input_channels(nn.Sequential(nn.Conv2d(3, 8, 1)))
        (3, False)
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            return module.in_channels, isinstance(module, nn.Conv3d)
    raise ValueError(
        f'input_shape: expected the shape of an input, as {type(net).__name__} has no '
        'convolution to tell it, got None'
    )


def called_places(net: nn.Module, shapes_at: PlaceShapes) -> list[str]:
    """Names of the stages of our backbones, of the outermost modules of others.

    Args:
        net: Network that ran.
        shapes_at: What was noted.
    """
    if isinstance(net, StagedBackbone):
        return list(net.stage_names)
    return _outermost(net, shapes_at, '')


def _outermost(module: nn.Module, shapes_at: PlaceShapes, prefix: str) -> list[str]:
    names = []
    for name, child in module.named_children():
        if prefix + name in shapes_at:
            names.append(prefix + name)
        else:
            names += _outermost(child, shapes_at, f'{prefix}{name}.')
    return names


def _run(net: nn.Module, shapes_at: PlaceShapes, x: Tensor) -> None:
    if not isinstance(net, StagedBackbone):
        net(x)
        return
    stops = (*net.stage_names[1:], None)
    for name, stop in zip(net.stage_names, stops, strict=True):
        shapes_at.add('before', name, x)
        x = net.forward_stages(x, name, stop)
        shapes_at.add('after', name, x)


def _input_shapes(net: nn.Module) -> list[tuple[int, ...]]:
    channels, is_3d = input_channels(net)
    # Networks for clips may convolve frame by frame.
    sizes = CLIP_SHAPES if is_3d else (*FRAME_SHAPES, *CLIP_SHAPES)
    return [(channels, *size) for size in sizes]


@contextmanager
def in_eval_mode(net: nn.Module) -> Iterator[None]:
    """Set the modes of all modules directly, which no ``train`` can undo; restore them.

    Args:
        net: Network.
    """
    modes = [(module, module.training) for module in net.modules()]
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def _noting(net: nn.Module, shapes_at: PlaceShapes) -> Iterator[None]:
    handles: list[Any] = []
    stages = net.stage_names if isinstance(net, StagedBackbone) else ()
    for name, module in net.named_modules():
        if name in ('', *stages):
            continue
        handles += [
            module.register_forward_pre_hook(partial(_note_input, shapes_at, name)),
            module.register_forward_hook(partial(_note_output, shapes_at, name)),
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _note_input(
    shapes_at: PlaceShapes, name: str, module: nn.Module, inputs: tuple
) -> None:
    shapes_at.add('before', name, inputs[0] if inputs else None)


def _note_output(
    shapes_at: PlaceShapes, name: str, module: nn.Module, inputs: tuple, output: object
) -> None:
    shapes_at.add('after', name, output)
