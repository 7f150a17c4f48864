"""When our own derivatives have to make way for PyTorch's."""

import torch
from torch.autograd import forward_ad


def transforms_active() -> bool:
    """Say whether this runs inside a transform of ``torch.func``.

    Example:
        >>> torch.func.vmap(lambda x: x + transforms_active())(torch.zeros(2))
        tensor([1., 1.])
    """
    return torch._C._are_functorch_transforms_active()


def backward_is_not_enough() -> bool:
    """Say whether derivatives are wanted that a backward pass alone does not give.

    They are inside the transforms of ``torch.func`` (``vmap``, ``grad``, ``jvp``, ...)
    and in forward mode.

    Example:
        >>> torch.func.vmap(lambda x: x + backward_is_not_enough())(torch.zeros(2))
        tensor([1., 1.])
    """
    return transforms_active() or forward_ad._current_level >= 0


def plain_operations_wanted() -> bool:
    """Say whether only PyTorch's own operations can be differentiated here.

    While ``torch.compile`` traces, and where :func:`backward_is_not_enough`,
    functions with a backward pass of their own are left out.

    Example:
        >>> plain_operations_wanted()
        False
        >>> torch.func.vmap(lambda x: x + plain_operations_wanted())(torch.zeros(2))
        tensor([1., 1.])
    """
    return torch.compiler.is_compiling() or backward_is_not_enough()


def recomputing_possible() -> bool:
    """Say whether a part of a network can be run again in the backward pass.

    There has to be one, and the transforms of ``torch.func`` know no hooks on what is
    kept for it.

    Example:
        >>> recomputing_possible()
        True
        >>> with torch.no_grad():
        ...     recomputing_possible()
        False
    """
    return torch.is_grad_enabled() and not transforms_active()
