"""Products with one matrix in every step of a loop, whose gradient is made at once."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mmattn.utils.autograd import plain_operations_wanted

Store = list[tuple[int, Tensor, Tensor]]


class DeferredLinear:
    """``x -> x W^T`` for the steps of a recurrent network.

    Autograd would make the gradient of ``W`` anew in each step, from a few rows, and
    add it up: as many passes over a matrix as there are steps.  This makes it once,
    from the rows of all steps.  Where second derivatives follow (``create_graph``), the
    gradient is made in each step after all, and under ``torch.compile`` and
    ``torch.func`` it is a plain product.

    Args:
        weight: Matrix, cast once if autocast is on.

    Shape:
        - weight: (C_out, C_in).
        - Input: (B, C_in).
        - Output: (B, C_out).

    Example:
        >>> weight = torch.ones(2, 3, requires_grad=True)
        >>> linear = DeferredLinear(weight)
        >>> (linear(torch.ones(1, 3)) + linear(torch.ones(1, 3))).sum().backward()
        >>> weight.grad[0].tolist()
        [2.0, 2.0, 2.0]
    """

    def __init__(self, weight: Tensor) -> None:
        device = weight.device.type
        self.dtype = weight.dtype
        # Tensors without values, for which operations are counted, have no autocast.
        if not weight.is_meta and torch.is_autocast_enabled(device):
            self.dtype = torch.get_autocast_dtype(device)
        self.weight = weight.to(self.dtype)
        self.store: Store | None = None
        if torch.is_grad_enabled() and not plain_operations_wanted():
            self.store = []
            self.weight = _Gather.apply(self.weight, self.store)

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply the rows of one step."""
        if self.store is None:
            return F.linear(x, self.weight)
        return _Multiply.apply(x.to(self.dtype), self.weight, self.store)


class _Gather(torch.autograd.Function):
    """Pass a weight on; backward comes after that of all products with it."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, store: Store) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.store = store
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, None]:
        # Another backward pass that stopped before the weight leaves entries behind.
        task = torch._C._current_graph_task_id()
        entries = [entry for entry in ctx.store if entry[0] == task]
        ctx.store.clear()
        if not entries:
            return grad, None
        grads = torch.cat([row for _, row, _ in entries])
        inputs = torch.cat([x for _, _, x in entries])
        deferred = grads.T @ inputs
        return deferred if grad is None else grad + deferred, None


class _Multiply(torch.autograd.Function):
    """Product of one step, leaving the weight's share to :class:`_Gather`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, store: Store) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.store = store
        return F.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, _ = ctx.needs_input_grad
        grad_x = grad @ weight if needs_x else None
        if needs_weight and torch.is_grad_enabled():  # second derivatives follow
            return grad_x, grad.T @ x, None
        if needs_weight:
            ctx.store.append((torch._C._current_graph_task_id(), grad, x))
        return grad_x, None, None
