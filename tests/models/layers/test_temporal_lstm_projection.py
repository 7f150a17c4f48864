"""Products whose weight gradient is made at once."""

import pytest
import torch
from torch.nn import functional as F

from mmattn.models.layers.temporal_lstm_projection import DeferredLinear

STEPS, ROWS, C_IN, C_OUT = 3, 2, 5, 7


def recurrent(product, x):
    """Each step sees the one before, as in a recurrent network."""
    outputs = []
    for _ in range(STEPS):
        y = product(x)
        x = torch.tanh(y[:, :C_IN] + x)
        outputs.append(y)
    return torch.stack(outputs)


def setup():
    weight = torch.randn(C_OUT, C_IN, dtype=torch.float64, requires_grad=True)
    x = torch.randn(ROWS, C_IN, dtype=torch.float64, requires_grad=True)
    return weight, x


def plain(weight):
    return lambda x: F.linear(x, weight)


def test_outputs_and_gradients_equal_plain_products():
    weight, x = setup()
    expected = recurrent(plain(weight), x)
    actual = recurrent(DeferredLinear(weight), x)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    seed = torch.randn_like(expected)
    expected_grads = torch.autograd.grad(expected, (weight, x), seed)
    actual_grads = torch.autograd.grad(actual, (weight, x), seed)
    torch.testing.assert_close(actual_grads, expected_grads, rtol=1e-12, atol=1e-12)


def test_gradcheck():
    weight, x = setup()
    assert torch.autograd.gradcheck(
        lambda w, v: recurrent(DeferredLinear(w), v), (weight, x)
    )


def test_second_derivatives():
    weight, x = setup()
    assert torch.autograd.gradgradcheck(
        lambda w, v: recurrent(DeferredLinear(w), v), (weight, x)
    )
    # The graph of a gradient, and of the function, in one later pass.
    found = []
    for product in (plain(weight), DeferredLinear(weight)):
        y = recurrent(product, x)
        (grad,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        total = grad.square().sum() + y.sum()
        found.append(torch.autograd.grad(total, (weight, x)))
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_transforms_of_functions():
    weight, x = setup()
    weight, x = weight.detach(), x.detach()

    def deferred(w, v):
        return recurrent(DeferredLinear(w), v)

    def reference(w, v):
        return recurrent(plain(w), v)

    for transform in (torch.func.jacrev, torch.func.jacfwd, torch.func.hessian):
        expected = transform(lambda w: reference(w, x).square().sum())(weight)
        actual = transform(lambda w: deferred(w, x).square().sum())(weight)
        torch.testing.assert_close(actual, expected)
        assert actual.any()
    many = torch.randn(3, ROWS, C_IN, dtype=torch.float64)
    actual = torch.func.vmap(deferred, (None, 0))(weight, many)
    expected = torch.stack([reference(weight, one) for one in many])
    torch.testing.assert_close(actual, expected)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(weight, torch.ones_like(weight))
        tangent = torch.autograd.forward_ad.unpack_dual(deferred(dual, x)).tangent
    ones = (torch.ones_like(weight), torch.zeros_like(x))
    _, expected = torch.func.jvp(reference, (weight, x), ones)
    torch.testing.assert_close(tangent, expected)


def test_many_gradients_at_once():
    weight, x = setup()
    y = recurrent(DeferredLinear(weight), x)[-1].flatten()
    seeds = torch.eye(len(y), dtype=y.dtype)
    (found,) = torch.autograd.grad(
        y, weight, seeds, is_grads_batched=True, retain_graph=True
    )
    expected = [torch.autograd.grad(one, weight, retain_graph=True)[0] for one in y]
    torch.testing.assert_close(found, torch.stack(expected))


def test_frozen_weights_keep_nothing():
    weight, x = setup()
    product = DeferredLinear(weight.detach())
    product(x).sum().backward()
    assert product.store == []
    torch.testing.assert_close(x.grad, weight.detach().sum(0).expand(ROWS, -1))


def test_repeated_and_partial_backward_passes_do_not_mix():
    weight, x = setup()
    outputs = recurrent(DeferredLinear(weight), x)
    reference = recurrent(plain(weight), x)
    # a pass that stops at the input leaves the weight alone
    torch.autograd.grad(outputs[-1].sum(), x, retain_graph=True)
    for steps in (0, slice(None)):
        (actual,) = torch.autograd.grad(outputs[steps].sum(), weight, retain_graph=True)
        (wanted,) = torch.autograd.grad(
            reference[steps].sum(), weight, retain_graph=True
        )
        torch.testing.assert_close(actual, wanted, rtol=1e-12, atol=1e-12)


def test_products_that_take_no_part_leave_no_gradient():
    weight, x = setup()
    unused = recurrent(DeferredLinear(weight), x)
    (grad,) = torch.autograd.grad(
        (unused * 0).sum() + (weight**2).sum(), weight, retain_graph=True
    )
    torch.testing.assert_close(grad, 2 * weight.detach())


def test_without_gradients_nothing_is_kept():
    weight, x = setup()
    with torch.no_grad():
        product = DeferredLinear(weight)
        product(x)
    assert product.store is None


def test_input_without_gradient():
    weight, x = setup()
    product = DeferredLinear(weight)
    product(x.detach()).sum().backward()
    torch.testing.assert_close(weight.grad, x.detach().sum(0).expand(C_OUT, -1))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_autocast_multiplies_in_bf16_and_keeps_the_weights_type(dtype):
    weight = torch.randn(C_OUT, C_IN, dtype=torch.float32, requires_grad=True)
    x = torch.randn(ROWS, C_IN, dtype=torch.float32)
    with torch.autocast('cpu', torch.bfloat16):
        y = DeferredLinear(weight)(x.to(dtype))
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert weight.grad.dtype == torch.float32
    wanted = x.sum(0).expand(C_OUT, -1)
    torch.testing.assert_close(weight.grad, wanted, rtol=0.02, atol=0.02)


def test_compiles_whole():
    weight, x = setup()
    compiled = torch.compile(
        lambda w, v: recurrent(DeferredLinear(w), v), backend='eager', fullgraph=True
    )
    torch.testing.assert_close(compiled(weight, x), recurrent(plain(weight), x))
