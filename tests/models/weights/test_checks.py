"""Weights that do not fit a model are refused, and the first of them named."""

import re

import pytest
import torch
from torch import nn

from mmattn.models.weights.checks import require_weights


def test_prefix_of_data_parallel_models_does_not_count():
    model = nn.Linear(3, 2)
    weights = {f'module.{key}': value for key, value in model.state_dict().items()}
    assert require_weights(model, weights, 'a.pth') is None
    with pytest.raises(ValueError, match=r'a\.pth: .*got 1 of 2 .*weight'):
        require_weights(model, {'module.bias': weights['module.bias']}, 'a.pth')


def test_the_first_three_that_do_not_fit_are_named():
    model = nn.Sequential(*(nn.Linear(3, 2) for _ in range(3)))
    weights = {key: torch.zeros(5) for key in list(model.state_dict())[:4]}
    with pytest.raises(ValueError, match='got 6 of 6 tensors') as error:
        require_weights(model, weights, 'a.pth')
    shapes = re.findall(
        r'(\d\.\w+) \(expected (\S+ ?\S*), got \(5,\)\)', str(error.value)
    )
    assert shapes == [
        ('0.weight', '(2, 3)'),
        ('0.bias', '(2,)'),
        ('1.weight', '(2, 3)'),
    ]


@pytest.mark.parametrize('min_match, fits', [(0.5, True), (0.51, False), (0, True)])
def test_a_share_may_be_enough(min_match, fits):
    model = nn.Linear(3, 2)
    half = {'weight': model.weight.detach()}
    if fits:
        require_weights(model, half, 'a.pth', min_match=min_match)
    else:
        with pytest.raises(ValueError, match=r'bias \(expected \(2,\), got nothing\)'):
            require_weights(model, half, 'a.pth', min_match=min_match)
