"""Running a network once on zeros to learn what passes its modules."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone

# Tried in this order: frames of fully convolutional and of fixed-size networks.
FRAME_SHAPES = ((64, 64), (112, 112), (224, 224))
CLIP_SHAPES = ((8, 64, 64), (16, 112, 112), (32, 224, 224))


class Passages:
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
    net: nn.Module, passages: Passages, input_shape: Sequence[int] | None = None
) -> None:
    """Run a network in eval mode and note the shapes at its stages and modules.

    Args:
        net: Network; its weights, buffers and modes stay as they are.
        passages: Where the shapes are noted.
        input_shape: Shape of an input without the batch axis; if None, some are tried
            out with the channels of the first convolution.

    Raises:
        ValueError: If the network takes none of the inputs.
    """
    example = next(net.parameters(), torch.empty(0))
    shapes = _input_shapes(net) if input_shape is None else [tuple(input_shape)]
    batch = getattr(net, 'num_segments', None) or 1
    errors: dict[tuple[int, ...], Exception] = {}
    with in_eval_mode(net), _noting(net, passages), torch.no_grad():
        for shape in shapes:
            passages.clear()
            try:
                _run(net, passages, example.new_zeros(batch, *shape))
            # Libraries refuse a size by whatever exception fails first in them.
            except Exception as error:
                errors[shape] = error
            else:
                return
    reasons = '; '.join(f'{shape}: {error}' for shape, error in errors.items())
    raise ValueError(
        f'input_shape: expected an input that {type(net).__name__} takes, got errors '
        f'for {reasons}'
    ) from next(iter(errors.values()))


def called_places(net: nn.Module, passages: Passages) -> list[str]:
    """Names of the stages of our backbones, of the outermost modules of others.

    Args:
        net: Network that ran.
        passages: What was noted.
    """
    if isinstance(net, StagedBackbone):
        return list(net.stage_names)
    return _outermost(net, passages, '')


def _outermost(module: nn.Module, passages: Passages, prefix: str) -> list[str]:
    names = []
    for name, child in module.named_children():
        if prefix + name in passages:
            names.append(prefix + name)
        else:
            names += _outermost(child, passages, f'{prefix}{name}.')
    return names


def _run(net: nn.Module, passages: Passages, x: Tensor) -> None:
    if not isinstance(net, StagedBackbone):
        net(x)
        return
    stops = (*net.stage_names[1:], None)
    for name, stop in zip(net.stage_names, stops, strict=True):
        passages.add('before', name, x)
        x = net.forward_stages(x, name, stop)
        passages.add('after', name, x)


def _input_shapes(net: nn.Module) -> list[tuple[int, ...]]:
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            # Networks for clips may convolve frame by frame.
            frames = FRAME_SHAPES if isinstance(module, nn.Conv2d) else ()
            sizes = (*frames, *CLIP_SHAPES)
            return [(module.in_channels, *size) for size in sizes]
    raise ValueError(
        f'input_shape: expected the shape of an input, as {type(net).__name__} has no '
        'convolution to tell it, got None'
    )


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
def _noting(net: nn.Module, passages: Passages) -> Iterator[None]:
    handles: list[Any] = []
    stages = net.stage_names if isinstance(net, StagedBackbone) else ()
    for name, module in net.named_modules():
        if name in ('', *stages):
            continue
        handles += [
            module.register_forward_pre_hook(partial(_note_input, passages, name)),
            module.register_forward_hook(partial(_note_output, passages, name)),
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _note_input(
    passages: Passages, name: str, module: nn.Module, inputs: tuple
) -> None:
    passages.add('before', name, inputs[0] if inputs else None)


def _note_output(
    passages: Passages, name: str, module: nn.Module, inputs: tuple, output: object
) -> None:
    passages.add('after', name, output)
