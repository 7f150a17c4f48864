"""Equations of Spatio-temporal SlowFast self-attention network, and frame-AP.

Literal, in float64, one region, one position and one weight at a time.
"""

import math

import numpy as np

POOLS = {'avg': np.mean, 'max': np.max}


def conv(W, x):
    """Same-padded convolution of x (C, T, H, W) with W (D, C, kt, ky, kx)."""
    D, _, kt, ky, kx = W.shape
    _, T, H, V = x.shape
    y = np.zeros((D, T, H, V))
    for a in range(kt):
        for b in range(ky):
            for c in range(kx):
                for t in range(T):
                    for h in range(H):
                        for v in range(V):
                            s = t + a - kt // 2
                            i, j = h + b - ky // 2, v + c - kx // 2
                            if 0 <= s < T and 0 <= i < H and 0 <= j < V:
                                y[:, t, h, v] += W[:, :, a, b, c] @ x[:, s, i, j]
    return y


def attend(f, g, h):
    """Eq. (1)-(2) and (4)-(5): lists of one vector per position."""
    N = len(g)
    outputs, weights = [], np.zeros((N, N))
    for j in range(N):
        s = [float(f[i] @ g[j]) for i in range(N)]
        top = max(s)
        total = sum(math.exp(s_ij - top) for s_ij in s)
        for i in range(N):
            weights[j, i] = math.exp(s[i] - top) / total
        outputs.append(sum(weights[j, i] * h[i] for i in range(N)))
    return outputs, weights


def folded(x, num_frames):
    """All C * T rows as channels of one frame."""
    return x if num_frames is None else x.reshape(-1, 1, *x.shape[2:])


def queries(p, name, u):
    """Queries, with a bias where there is one."""
    y = conv(p[name], u)
    return y + p['bias'].reshape(-1, 1, 1, 1) if 'bias' in p else y


def spatial(p, x, num_frames=None, per_frame=False):
    """Eq. (1)-(3) for x (C, T, H, W): output and beta (H * W, H * W), of each frame."""
    _, T, H, W = x.shape
    u = folded(x, num_frames)
    f, g, h = conv(p['F'], u), queries(p, 'G', u), conv(p['h'], u)
    pixels = [(y, z) for y in range(H) for z in range(W)]
    out, maps = x.copy(), []
    for t in range(T) if per_frame else [slice(None)]:
        o, beta = attend(
            *([m[:, t, y, z].ravel() for y, z in pixels] for m in (f, g, h))
        )
        for (y, z), o_j in zip(pixels, o, strict=True):
            here = out[:, t, y, z]
            here += p['gamma'] * o_j.reshape(here.shape)
        maps.append(beta)
    return out, np.stack(maps) if per_frame else maps[0]


def temporal(p, x, positions='CT', num_frames=None):
    """Eq. (4)-(6) for x (C, T, H, W): output and alpha."""
    C, T, H, W = x.shape
    u = folded(x, num_frames)
    k, el, b = conv(p['K'], u), queries(p, 'L', u), conv(p['b'], u)
    if positions == 'CT':
        k, el, b = (m.reshape(C, T, H, W) for m in (k, el, b))
        places = [(c, t) for c in range(C) for t in range(T)]
        m, alpha = attend(*([v[c, t].ravel() for c, t in places] for v in (k, el, b)))
        out = x.copy()
        for (c, t), m_j in zip(places, m, strict=True):
            out[c, t] += p['gamma'] * m_j.reshape(H, W)
        return out, alpha
    m, alpha = attend(*([v[:, t].ravel() for t in range(T)] for v in (k, el, b)))
    out = x.copy()
    for t in range(T):
        out[:, t] += p['gamma'] * m[t].reshape(C, H, W)
    return out, alpha


def layer_norm(x, weight, bias, eps=1e-5):
    """Over the channels of each position of x (C, ...)."""
    mean = x.mean(axis=0)
    deviation = np.sqrt(((x - mean) ** 2).mean(axis=0) + eps)
    shape = (-1,) + (1,) * (x.ndim - 1)
    return (x - mean) / deviation * weight.reshape(shape) + bias.reshape(shape)


def layer_weights(state, prefix, kind):
    names = ('G', 'F', 'h') if kind == 'spatial' else ('L', 'K', 'b')
    p = {'gamma': state[f'{prefix}.gamma']}
    for name, ours in zip(names, ('query', 'key', 'value'), strict=True):
        p[name] = state[f'{prefix}.{ours}.weight']
    if f'{prefix}.query.bias' in state:
        p['bias'] = state[f'{prefix}.query.bias']
    return p


def slowfast(
    state,
    x,
    *,
    spatial_branches=True,
    temporal_branches=True,
    num_layers=2,
    positions='CT',
    num_frames=None,
    per_frame=False,
    pool='avg',
    norm=None,
    combination='concat',
):
    """Section 3.3 for one region; ``state`` is a state dict in float64 arrays."""
    if 'reduce.weight' in state:
        W, bias = state['reduce.weight'], state['reduce.bias']
        x = conv(W, x) + bias.reshape(-1, 1, 1, 1)
    outputs = []
    kinds = ['spatial'] * spatial_branches + ['temporal'] * temporal_branches
    for speed in ('slow', 'fast'):
        for kind in kinds:
            branch, y = f'{kind}_{speed}', x
            for n in range(num_layers):
                k = 2 * n  # a norm, or its place, is behind each
                p = layer_weights(state, f'branches.{branch}.{k}', kind)
                if kind == 'spatial':
                    y, _ = spatial(p, y, num_frames, per_frame)
                else:
                    y, _ = temporal(p, y, positions, num_frames)
                if norm == 'layer':
                    at = f'branches.{branch}.{k + 1}'
                    y = layer_norm(y, state[f'{at}.weight'], state[f'{at}.bias'])
            if pool in POOLS:
                y = POOLS[pool](y, axis=(1, 2, 3)).reshape(-1, 1, 1, 1)
            if norm == 'pooled':
                at = f'pooled_norms.{branch}'
                y = layer_norm(y, state[f'{at}.weight'], state[f'{at}.bias'])
            outputs.append(y)
    if combination == 'concat':
        return np.concatenate(outputs)
    total = sum(outputs)
    return total if combination == 'sum' else total / len(outputs)


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def average_precision(hits, num_truths):
    """All-points AP of detections sorted by score; ``hits`` are booleans."""
    points = []
    for n in range(1, len(hits) + 1):
        true = sum(hits[:n])
        points.append((true / num_truths, true / n))
    total, recall_before = 0.0, 0.0
    for recall in sorted({r for r, _ in points}):
        best = max(precision for r, precision in points if r >= recall)
        total += (recall - recall_before) * best
        recall_before = recall
    return total


def frame_aps(truths, detections, classes, frames, excluded=(), best=50, threshold=0.5):
    """AP of each class with ground truth.

    ``truths`` are (frame, box, class), ``detections`` (frame, box, class, score).
    """
    frames = [frame for frame in frames if frame not in excluded]
    truths = [t for t in truths if t[0] in frames and t[2] in classes]
    kept = []
    for frame in frames:
        here = [d for d in detections if d[0] == frame and d[2] in classes]
        kept += sorted(here, key=lambda d: -d[3])[:best]
    result = {}
    for label in classes:
        wanted = [t for t in truths if t[2] == label]
        if not wanted:
            continue
        taken, hits = set(), []
        for frame, box, _, _ in sorted(
            (d for d in kept if d[2] == label), key=lambda d: -d[3]
        ):
            overlaps = [iou(box, t[1]) if t[0] == frame else -1.0 for t in wanted]
            at = overlaps.index(max(overlaps))
            hit = overlaps[at] >= threshold and at not in taken
            if hit:
                taken.add(at)
            hits.append(hit)
        result[label] = average_precision(hits, len(wanted))
    return result
