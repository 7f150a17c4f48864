"""Attention roll-out of MMAction2's transformers, in float64, matrix by matrix.

The networks are written out anew from their weights. A zero is added to each softmax:
what the score's gradient is with respect to it is that with respect to the attention.
"""

import torch


def linear(x, weights, name):
    bias = weights.get(f'{name}.bias')
    return x @ weights[f'{name}.weight'].T + (0 if bias is None else bias)


def norm(x, weights, name, eps):
    mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    scaled = (x - mean) / (var + eps).sqrt()
    return scaled * weights[f'{name}.weight'] + weights[f'{name}.bias']


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / 2**0.5))


def attention(q, k, v, zero):
    """Heads (h, N, d) to tokens (N, h * d) and the softmax (h, N, N)."""
    weights = ((q / q.shape[-1] ** 0.5) @ k.transpose(-2, -1)).softmax(-1)
    mixed = (weights + zero) @ v
    return mixed.transpose(0, 1).flatten(1), weights


def heads_of(x, heads):
    return x.unflatten(1, (heads, -1)).transpose(0, 1)


def videomae_logits(weights, frames, *, depth, heads, tubelet, patch, zeros):
    """Scores of a clip (C, T, H, W), and the softmax of each layer."""
    C, T, H, W = frames.shape
    t, h, w = T // tubelet, H // patch, W // patch
    cubes = frames.reshape(C, t, tubelet, h, patch, w, patch)
    cubes = cubes.permute(1, 3, 5, 0, 2, 4, 6).reshape(t * h * w, -1)
    kernel = weights['backbone.patch_embed.projection.weight'].flatten(1)
    x = cubes @ kernel.T + weights['backbone.patch_embed.projection.bias']
    x = x + weights['backbone.pos_embed'][0]
    found = []
    for k in range(depth):
        at = f'backbone.blocks.{k}'
        y = norm(x, weights, f'{at}.norm1', 1e-6)
        qkv = y @ weights[f'{at}.attn.qkv.weight'].T
        q, key, v = qkv.chunk(3, dim=1)
        q, v = q + weights[f'{at}.attn.q_bias'], v + weights[f'{at}.attn.v_bias']
        mixed, softmax = attention(*(heads_of(z, heads) for z in (q, key, v)), zeros[k])
        found.append(softmax)
        x = x + linear(mixed, weights, f'{at}.attn.proj')
        y = norm(x, weights, f'{at}.norm2', 1e-6)
        y = gelu(linear(y, weights, f'{at}.mlp.layers.0.0'))
        x = x + linear(y, weights, f'{at}.mlp.layers.1')
    feature = norm(x.mean(0), weights, 'backbone.fc_norm', 1e-6)
    return linear(feature, weights, 'cls_head.fc_cls'), found


def rolled(matrices, row):
    """Row of the product of (A + I) / 2, the last layer first."""
    product = torch.eye(matrices[0].shape[-1], dtype=torch.float64)
    for A in matrices:
        A = A.mean(0)
        product = (A + torch.eye(len(A), dtype=torch.float64)) / 2 @ product
    return row @ product


def rolled_for_class(matrices, grads, row):
    """Row of R - I, where each layer adds its positive attention times gradient."""
    eye = torch.eye(matrices[0].shape[-1], dtype=torch.float64)
    R = eye
    for A, grad in zip(matrices, grads, strict=True):
        R = R + (A * grad).clamp(min=0).mean(0) @ R
    return row @ (R - eye)
