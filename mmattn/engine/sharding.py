"""Which layers MMEngine's FSDP strategy shards one by one."""

from torch import nn

from mmattn.models.layers import AttentionConvLSTM, TemporalAttentionLSTM

# They read the weights of the layers inside of them.
UNITS = (AttentionConvLSTM, TemporalAttentionLSTM, nn.MultiheadAttention)


def wrap_layers(
    module: nn.Module,
    recurse: bool,
    nonwrapped_numel: int,
    *,
    min_num_params: int = 100_000,
) -> bool:
    """Wrap each large layer, never a container: an ``auto_wrap_policy`` of FSDP.

    The weights of a sharded module are whole only while its ``forward`` runs. Our
    backbones call the layers of a stage one by one and recognizers call ``loss`` and
    ``predict`` of a head, so neither may be wrapped as a whole.

    Args:
        module: Module that FSDP asks about.
        recurse: Whether it asks to look at the module's children.
        nonwrapped_numel: Weights of the module that are not wrapped yet.
        min_num_params: Fewest weights of a layer that is wrapped; the others stay with
            the model.

    Example:
        >>> wrap_layers(nn.Linear(400, 300), False, 120_300)
        True
        >>> wrap_layers(nn.Sequential(nn.Linear(400, 300)), False, 120_300)
        False
    """
    is_unit = isinstance(module, UNITS)
    if recurse:
        return not is_unit
    is_layer = is_unit or next(module.children(), None) is None
    return is_layer and nonwrapped_numel >= min_num_params
