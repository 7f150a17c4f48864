"""Where the tokens of MMAction2's video transformers form a map."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn


class TokenMap(NamedTuple):
    """How tokens lie.

    Args:
        grid: Frames, height and width.
        class_tokens: Tokens before them that belong to no place.
        order: See :class:`mmattn.models.layers.token_attention.TokenAttention`.
    """

    grid: tuple[int, int, int]
    class_tokens: int
    order: str = 'time first'


def input_shape(backbone: nn.Module) -> tuple[int, ...] | None:
    """Return the input for which a video transformer was built, without the batch.

    Args:
        backbone: Any network.

    Returns:
        Channels, frames, height and width; None for other networks.
    """
    kind = _kind(backbone)
    net: Any = backbone
    if kind == 'VisionTransformer':
        T = net.pos_embed.shape[1] // (net.grid_size[0] * net.grid_size[1])
        side = net.grid_size[0] * net.patch_size
        return 3, T * net.patch_embed.projection.stride[0], side, side
    if kind == 'TimeSformer':
        return 3, net.num_frames, *map(int, net.patch_embed.img_size)
    if kind == 'MViT':
        strides = net.patch_embed.projection.stride
        sizes = net.patch_resolution
        return 3, *(a * b for a, b in zip(sizes, strides, strict=True))
    return None


def token_map(backbone: nn.Module, place: str) -> TokenMap | None:
    """Return how the tokens before a block lie.

    Args:
        backbone: Network.
        place: Path of the block.

    Returns:
        How they lie; None where the network is none of those known, or the place is no
        block.
    """
    kind = _kind(backbone)
    net: Any = backbone
    head, _, last = place.rpartition('.')
    if not last.isdigit():
        return None
    if kind == 'VisionTransformer' and head == 'blocks':
        height, width = net.grid_size
        return TokenMap((net.pos_embed.shape[1] // (height * width), height, width), 0)
    if kind == 'TimeSformer' and head == 'transformer_layers.layers':
        if net.attention_type == 'space_only':
            return None  # frames are samples of their own
        sizes = zip(net.patch_embed.img_size, net.patch_embed.patch_size, strict=True)
        height, width = (side // patch for side, patch in sizes)
        return TokenMap((net.num_frames, height, width), 1, 'time last')
    if kind == 'MViT' and head == 'blocks':
        return TokenMap(_mvit_grid(net, int(last)), int(bool(net.with_cls_token)))
    return None


def _mvit_grid(net: Any, block: int) -> tuple[int, int, int]:
    """Follow the strides of the queries through the blocks before one."""
    sizes: Sequence[int] = net.patch_resolution
    for earlier in net.blocks[:block]:
        strides = earlier.attn.pool_q.stride  # of kernels that keep the size otherwise
        sizes = [(n - 1) // s + 1 for n, s in zip(sizes, strides, strict=True)]
    T, H, W = map(int, sizes)
    return T, H, W


def _kind(backbone: nn.Module) -> str:
    """Name of the host's class that a network is, or stems from."""
    known = ('VisionTransformer', 'TimeSformer', 'MViT')
    names = [
        kind.__name__
        for kind in type(backbone).__mro__
        if kind.__module__.startswith('mmaction.')
    ]
    return next((name for name in names if name in known), '')
