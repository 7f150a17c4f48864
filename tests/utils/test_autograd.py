"""Where our own derivatives make way for PyTorch's."""

import torch

from mmattn.utils.autograd import (
    plain_operations_wanted,
    recomputing_possible,
    transforms_active,
)


def answers():
    return plain_operations_wanted(), recomputing_possible(), transforms_active()


def test_by_default():
    assert answers() == (False, True, False)
    with torch.no_grad():
        assert answers() == (False, False, False)


def test_inside_transforms_and_in_forward_mode():
    found = []
    torch.func.vmap(lambda x: found.append(answers()) or x)(torch.zeros(2))
    torch.func.grad(lambda x: found.append(answers()) or x)(torch.tensor(1.0))
    assert found == [(True, False, True)] * 2
    with torch.autograd.forward_ad.dual_level():
        assert answers() == (True, True, False)
    assert answers() == (False, True, False)


def test_while_compiling():
    compiled = torch.compile(
        lambda x: x + plain_operations_wanted(), backend='eager', fullgraph=True
    )
    assert compiled(torch.zeros(1)).item() == 1
