"""What must not be computed in half precision."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor


@contextmanager
def full_precision(*tensors: Tensor) -> Iterator[list[Tensor]]:
    """Switch autocast off, and yield the tensors in at least float32.

    A softmax of products that nothing scales is as wrong as the products are far from
    each other times the rounding of bfloat16, and float16 ends at 65504.

    Args:
        *tensors: What is computed with, of one device.

    Example:
        >>> x = torch.full((1, 1), 300.0)
        >>> with torch.autocast('cpu', torch.float16):
        ...     (x @ x).item()
        ...     with full_precision(x.half()) as (wide,):
        ...         (wide @ wide).item()
        inf
        90000.0
    """
    kind = tensors[0].device.type
    on = kind != 'meta' and torch.is_autocast_enabled(kind)
    # Where it is off anyway, torch.export would make a graph of its own of the block.
    with torch.autocast(kind, enabled=False) if on else nullcontext():
        yield [x if x.dtype == torch.float64 else x.float() for x in tensors]
