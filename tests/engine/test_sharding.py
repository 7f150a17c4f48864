"""Which layers FSDP shards."""

import torch

from mmattn.engine.sharding import wrap_layers
from mmattn.models.layers import TemporalAttentionLSTM


def test_layers_are_wrapped_and_containers_are_not():
    layer = torch.nn.Linear(5, 7)
    assert wrap_layers(layer, False, 42, min_num_params=42)
    assert not wrap_layers(layer, False, 42, min_num_params=43)
    assert wrap_layers(layer, True, 42)
    assert not wrap_layers(torch.nn.Sequential(layer), False, 42, min_num_params=1)
    assert wrap_layers(torch.nn.Sequential(layer), True, 42)


def test_a_recurrence_is_one_unit():
    lstm = TemporalAttentionLSTM(5, 3, num_steps=2)
    assert not wrap_layers(lstm, True, 10)
    assert wrap_layers(lstm, False, 10, min_num_params=1)
