"""What the output of a video transformer draws from each place, by its attention."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmattn.attention.token_places import TokenMap, input_shape, token_map

ROLLOUTS = ('rollout', 'class_rollout')
OWNERS = ('Attention', 'MultiScaleAttention')  # of a softmax, beside torch's


@dataclass
class AttentionLayer:
    """Attention of one layer in one forward pass.

    Args:
        module: The module that computes it.
        owner: Name of the class around torch's module of attention, else of its own.
        place: How the tokens before the layer's block lie.
        weights: Attention A, (rows, heads, queries, keys).
        grads: Gradient of the score with respect to A, after the backward pass.
    """

    module: nn.Module
    owner: str
    place: TokenMap
    weights: Tensor
    grads: Tensor | None = None

    def mixed(self, method: str) -> Tensor:
        """Heads as one, (rows, queries, keys).

        Args:
            method: One of ``ROLLOUTS``.
        """
        if method == 'rollout' or self.grads is None:
            return self.weights.mean(dim=1)
        return (self.weights * self.grads).relu().mean(dim=1)


@contextmanager
def attention_layers(network: nn.Module) -> Iterator[list[AttentionLayer]]:
    """Collect the attention of all layers, and its gradients in a backward pass.

    The softmax is found in the graph of gradients, so that the network computes what it
    always does. What enters the network has to require gradients.

    Args:
        network: MMAction2's ``VisionTransformer``, ``TimeSformer`` (but for
            ``'space_only'``) or ``MViT``.

    Raises:
        ValueError: If the network is another one, or computes attention without a
            softmax in the graph.
    """
    found: list[AttentionLayer] = []
    hooks = [
        module.register_forward_hook(
            lambda module, args, output, owner=owner, place=place: found.append(
                _layer(module, owner, place, output)
            )
        )
        for module, owner, place in _owners(network)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def roll_out(network: Any, layers: Sequence[AttentionLayer], method: str) -> Tensor:
    r"""Follow attention from what the head reads back to the first tokens.

    Abnar and Zuidema, Quantifying attention flow in transformers: with the mean
    :math:`A_l` of the heads of layer l, ``'rollout'`` is the row that the head reads of

    .. math:: \hat A_L \cdots \hat A_1, \qquad \hat A_l = (A_l + I) / 2.

    ``'class_rollout'`` is that of Chefer et al., Generic attention-model
    explainability for interpreting bi-modal and encoder-decoder transformers: with the
    score y of a class and R = I at first,

    .. math:: R \leftarrow R + \bar A_l R, \qquad \bar A_l = \operatorname{mean}_h
        \big(A_l \odot \partial y / \partial A_l\big)^+ .

    Where a network averages its tokens, the row is the mean of all. Divided attention
    is one layer in time and one in space, where the class token is that of all frames.

    Differs from the papers in: the identity that R starts from is taken off, for means
    of tokens hold it; the pooled queries, keys and skips of MViT stand for the tokens
    of their stride in equal shares.

    Args:
        network: That of :func:`attention_layers`.
        layers: Of one forward pass, after a backward pass for ``'class_rollout'``.
        method: One of ``ROLLOUTS``.

    Shape:
        - Output: (rows, T, h, w), frames and places of tokens; not negative.

    Raises:
        ValueError: If the frames have another size than the network was built for.
    """
    (T, H, W), first, order = layers[0].place
    for layer in layers:
        if not _fits(layer):
            raise ValueError(
                f'test_pipeline: expected frames of {input_shape(network)} for '
                f'{method}, got others'
            )
    row = _read_row(network, layers[-1])
    skipped = row
    for layer in reversed(layers):
        row = _skip(row, layer) + _attend(row, layer, method)
        skipped = _skip(skipped, layer)
        if method == 'rollout':
            row = row / 2
    if method == 'class_rollout':
        row = row - skipped
    row = row[:, first:]
    if order == 'time last':
        return row.unflatten(1, (H, W, T)).permute(0, 3, 1, 2)
    return row.unflatten(1, (T, H, W))


def _owners(network: nn.Module) -> list[tuple[nn.Module, str, TokenMap]]:
    """Modules that compute attention, whose they are, and where their tokens lie."""
    modules = dict(network.named_modules())
    found = []
    for name, module in modules.items():
        owner = type(module).__name__
        if isinstance(module, nn.MultiheadAttention):
            owner = type(modules[name.rpartition('.')[0]]).__name__
        elif owner not in OWNERS:
            continue
        block = re.match(r'.*?\.\d+', name)
        place = token_map(network, block[0]) if block else None
        if place is not None:
            found.append((module, owner, place))
    if not found:
        raise ValueError(
            'method: expected a VisionTransformer, TimeSformer (not of space only) or '
            f'MViT of MMAction2 to roll attention out, got {type(network).__name__}'
        )
    return found


def _layer(module: Any, owner: str, place: TokenMap, output: Any) -> AttentionLayer:
    out = output[0] if isinstance(output, tuple) else output
    node = _nearest_softmax(out.grad_fn)
    if node is None:
        raise ValueError(
            'method: expected attention with a softmax to roll out, got a fused one in '
            f'{type(module).__name__}'
        )
    weights = node._saved_result.detach()
    if weights.ndim == 3:  # torch's: (rows * heads, queries, keys)
        weights = weights.unflatten(0, (-1, module.num_heads))
    layer = AttentionLayer(module, owner, place, weights)

    def keep(grads: tuple[Tensor, ...]) -> None:
        layer.grads = grads[0].reshape(weights.shape)

    node.register_prehook(keep)
    return layer


def _nearest_softmax(node: Any) -> Any:
    """The softmax that fewest steps of the graph lead to: that of the same layer."""
    waiting, seen = deque([node]), {node}
    while waiting:
        node = waiting.popleft()
        if node is None:
            continue
        if node.name() == 'SoftmaxBackward0':
            return node
        inner = [x for x, _ in node.next_functions if x not in seen]
        seen.update(inner)
        waiting.extend(inner)
    return None


def _fits(layer: AttentionLayer) -> bool:
    """Whether the attention is of as many tokens as the network was built for."""
    (T, H, W), first, _ = layer.place
    counts = {
        'MultiScaleAttention': _pooled_count(layer, 'pool_k') + first,
        'DividedTemporalAttentionWithNorm': T,
        'DividedSpatialAttentionWithNorm': H * W + 1,
    }
    return layer.weights.shape[-1] == counts.get(layer.owner, T * H * W + first)


def _read_row(network: Any, last: AttentionLayer) -> Tensor:
    """What the head reads: the first token, or the mean of all, (rows, tokens)."""
    (T, H, W), first, _ = last.place
    rows, _, count, _ = last.weights.shape
    if last.owner == 'DividedSpatialAttentionWithNorm':
        rows, count = rows // T, 1 + T * H * W
    row = last.weights.new_zeros(rows, count)
    averages = (
        getattr(network, 'return_feat_map', False)
        or getattr(network, 'fc_norm', None) is not None
        or not getattr(network, 'output_cls_token', True)
    )
    if averages:
        row[:, first:] = 1 / (count - first)
    else:
        row[:, 0] = 1
    return row


def _skip(row: Tensor, layer: AttentionLayer) -> Tensor:
    """Past the attention, (rows, tokens before)."""
    if layer.owner == 'MultiScaleAttention':
        return _spread(row, layer, 'pool_q')
    return row


def _attend(row: Tensor, layer: AttentionLayer, method: str) -> Tensor:
    """Through the attention, (rows, tokens before)."""
    (T, H, W), _, _ = layer.place
    mixed = layer.mixed(method)
    if layer.owner == 'DividedTemporalAttentionWithNorm':
        mixed = mixed.unflatten(0, (-1, H * W))
        places = row[:, 1:].unflatten(1, (H * W, T))
        places = torch.einsum('bpq,bpqk->bpk', places, mixed).flatten(1)
        alone = row[:, :1] if method == 'rollout' else torch.zeros_like(row[:, :1])
        return torch.cat((alone, places), dim=1)
    if layer.owner == 'DividedSpatialAttentionWithNorm':
        mixed = mixed.unflatten(0, (-1, T))
        # The class token is the mean of those of the frames; gradients know that.
        share = T if method == 'rollout' else 1
        alone = (row[:, :1] / share).expand(-1, T)[..., None]
        places = row[:, 1:].unflatten(1, (H * W, T)).transpose(1, 2)
        frames = torch.cat((alone, places), dim=2)
        frames = torch.einsum('btq,btqk->btk', frames, mixed)
        places = frames[..., 1:].transpose(1, 2).flatten(1)
        return torch.cat((frames[..., 0].sum(dim=1, keepdim=True), places), dim=1)
    row = torch.einsum('bq,bqk->bk', row, mixed)
    if layer.owner == 'MultiScaleAttention':
        return _spread(row, layer, 'pool_k')
    return row


def _spread(row: Tensor, layer: AttentionLayer, pool: str) -> Tensor:
    """Share what pooled tokens have among the tokens of their strides."""
    grid, first, _ = layer.place
    index = torch.zeros((1, 1, 1), dtype=torch.long)
    for axis, (size, stride) in enumerate(
        zip(grid, getattr(layer.module, pool).stride, strict=True)
    ):
        cells = torch.arange(size) // stride
        shape = [-1 if k == axis else 1 for k in range(3)]
        index = index * (int(cells[-1]) + 1) + cells.view(shape)
    index = index.flatten().to(row.device)
    places = row[:, first:] / index.bincount()
    return torch.cat((row[:, :first], places[:, index]), dim=1)


def _pooled_count(layer: AttentionLayer, pool: str) -> int:
    """Number of pooled tokens of places; 0 without pooling."""
    if layer.owner != 'MultiScaleAttention':
        return 0
    strides = getattr(layer.module, pool).stride
    count = 1
    for size, stride in zip(layer.place.grid, strides, strict=True):
        count *= (size - 1) // stride + 1
    return count
