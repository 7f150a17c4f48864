"""Building attention modules from configs."""

import copy
import inspect

from torch import nn

from mmattn.registry import MODELS


def build_attention(key: str, config: dict, channels: int) -> nn.Module:
    """Build an attention module for a map with ``channels`` channels.

    Args:
        key: Where the config stands, for errors.
        config: Config; if its constructor takes ``in_channels``, it may be left out.
        channels: Channels of the map.

    Raises:
        ValueError: If the config says another number of channels.

    Example:
        >>> config = dict(type='mmattn.SqueezeExcitation', reduction=4)
        >>> build_attention('module', config, 32).in_channels
        32
    """
    config = copy.deepcopy(config)
    with MODELS.switch_scope_and_registry(None) as registry:
        kind = config.get('type')
        build = registry.get(kind) if isinstance(kind, str) else kind
    known = build is not None and 'in_channels' in inspect.signature(build).parameters
    if known and config.setdefault('in_channels', channels) != channels:
        raise ValueError(
            f'{key}.in_channels: expected {channels}, the channels at its place, got '
            f'{config["in_channels"]}'
        )
    return MODELS.build(config)
