"""Which pixels of a picture the positions of a feature map are computed from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

WINDOWS = ('conv2d', 'max_pool2d', 'avg_pool2d')
ATTRIBUTE = '_mmattn_receptive_field'


class ReceptiveField(NamedTuple):
    """Pixels that the positions of a map depend on, as if the picture had no border.

    Args:
        first: First pixel of position (0, 0), as (y, x); negative in the padding.
        size: Pixels from the first to the last one, as (height, width).
        stride: Pixels from one position to the next, as (y, x).

    Example:
        >>> field = ReceptiveField((-1, -1), (7, 7), (4, 4))
        >>> field.center(1, 2), field.box(1, 2)
        ((6.5, 10.5), (7, 3, 14, 10))
    """

    first: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)

    def center(self, y: int, x: int) -> tuple[float, float]:
        """Return the center (y, x) of a position, where pixel p covers p to p + 1.

        Args:
            y: Row of the position.
            x: Column of the position.
        """
        left, top, right, bottom = self.box(y, x)
        return (top + bottom) / 2, (left + right) / 2

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of a position, the last two exclusive.

        Args:
            y: Row of the position.
            x: Column of the position.
        """
        top = self.first[0] + y * self.stride[0]
        left = self.first[1] + x * self.stride[1]
        return left, top, left + self.size[1], top + self.size[0]


class ReceptiveFields(TorchFunctionMode):
    """Follow the receptive fields of maps through what runs inside of the block.

    Convolutions, poolings and padding of 2D maps change a field; what keeps height and
    width joins the fields of its inputs, as branches of a module; all else, such as
    global averages, loses it. A gate computed from a global average does not count.

    Args:
        frames: Input whose pixels are counted.

    Shape:
        - frames: (N, C, H, W)

    Raises:
        ValueError: Inside of the block, if maps of different strides are joined.

    Example:
        >>> import torch
        >>> frames = torch.ones(1, 3, 16, 16)
        >>> conv = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1)
        >>> with ReceptiveFields(frames):
        ...     maps = conv(conv(frames)[:, :3])
        >>> receptive_field(maps)
        ReceptiveField(first=(-3, -3), size=(7, 7), stride=(4, 4))
    """

    def __init__(self, frames: Tensor) -> None:
        super().__init__()
        setattr(frames, ATTRIBUTE, ReceptiveField())

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: tuple = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run a function of torch and note the field of its result."""
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = getattr(func, '__name__', '')
        if not isinstance(output, Tensor) or output.ndim < 2:
            return output
        inputs = [x for x in _tensors((*args, *kwargs.values())) if _known(x)]
        if not inputs:
            return output
        if name in WINDOWS:
            found: ReceptiveField | None = _window(name, args, kwargs)
        elif name == 'pad':
            found = _padded(inputs[0], args[1] if len(args) > 1 else kwargs['pad'])
        else:
            size = output.shape[-2:]
            fields = [receptive_field(x) for x in inputs if x.shape[-2:] == size]
            found = _joined(fields) if fields else None
        setattr(output, ATTRIBUTE, found)
        return output


def receptive_field(maps: Tensor) -> ReceptiveField:
    """Return the receptive field of maps computed inside of :class:`ReceptiveFields`.

    Args:
        maps: Maps (..., H, W).

    Raises:
        ValueError: If they do not come from its frames, or only through an operation
            that does not keep places.
    """
    if not _known(maps):
        raise ValueError(
            'expected a map of places computed from the frames, got one of shape '
            f'{tuple(maps.shape)} that is not'
        )
    return getattr(maps, ATTRIBUTE)


def _known(maps: Tensor) -> bool:
    return getattr(maps, ATTRIBUTE, None) is not None


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    """Tensors among arguments, also those in lists (of torch.cat)."""
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _window(name: str, args: tuple, kwargs: Mapping[str, Any]) -> ReceptiveField:
    def option(index: int, key: str, default: Any) -> tuple[int, int]:
        value = kwargs.get(key, args[index] if len(args) > index else default)
        if isinstance(value, str):
            raise ValueError(f'padding: expected numbers, got {value!r}')
        pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
        return pair if len(pair) == 2 else pair * 2

    if name == 'conv2d':
        extent = tuple(args[1].shape[-2:])
        stride, padding = option(3, 'stride', 1), option(4, 'padding', 0)
        dilation = option(5, 'dilation', 1)
    else:
        extent = option(1, 'kernel_size', None)
        stride = kwargs.get('stride', args[2] if len(args) > 2 else None)
        stride = option(2, 'stride', None) if stride not in (None, []) else extent
        padding = option(3, 'padding', 0)
        dilation = option(4, 'dilation', 1) if name == 'max_pool2d' else (1, 1)
    field = receptive_field(args[0])
    axes = range(2)
    return ReceptiveField(
        _pair(field.first[k] - padding[k] * field.stride[k] for k in axes),
        _pair(
            field.size[k] + (extent[k] - 1) * dilation[k] * field.stride[k]
            for k in axes
        ),
        _pair(field.stride[k] * stride[k] for k in axes),
    )


def _padded(maps: Tensor, pad: Sequence[int]) -> ReceptiveField:
    field = receptive_field(maps)
    left, top = pad[0], pad[2] if len(pad) > 2 else 0
    first = (
        field.first[0] - top * field.stride[0],
        field.first[1] - left * field.stride[1],
    )
    return field._replace(first=first)


def _joined(fields: Sequence[ReceptiveField]) -> ReceptiveField:
    strides = {field.stride for field in fields}
    if len(strides) > 1:
        raise ValueError(f'expected maps of one stride to be joined, got {strides}')
    axes = range(2)
    first = _pair(min(field.first[k] for field in fields) for k in axes)
    size = _pair(
        max(field.first[k] + field.size[k] for field in fields) - first[k] for k in axes
    )
    return ReceptiveField(first, size, strides.pop())


def _pair(values: Any) -> tuple[int, int]:
    y, x = values
    return int(y), int(x)
