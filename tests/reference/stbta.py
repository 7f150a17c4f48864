"""Section 3 of Spatial-temporal bottom-up top-down attention model.

Literal, in float64, one video, one frame, one channel and one pixel at a time. Weights
come by the names of a state dict, as arrays.
"""

import math

import numpy as np


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def conv(x, weight, bias=None, groups=1):
    """Convolution of x (C, ...) over one to three axes, keeping their size."""
    C_out, C_in = weight.shape[:2]
    kernel, size = weight.shape[2:], x.shape[1:]
    y = np.zeros((C_out, *size))
    for o in range(C_out):
        first = o // (C_out // groups) * C_in
        for place in np.ndindex(size):
            total = 0.0 if bias is None else bias[o]
            for tap in np.ndindex(kernel):
                at = [
                    p + k - n // 2 for p, k, n in zip(place, tap, kernel, strict=True)
                ]
                if all(0 <= a < n for a, n in zip(at, size, strict=True)):
                    for i in range(C_in):
                        total += weight[(o, i, *tap)] * x[(first + i, *at)]
            y[(o, *place)] = total
    return y


def batch_norm(p, name, x):
    """Normalization in eval mode."""
    mean, var = p[f'{name}.running_mean'], p[f'{name}.running_var']
    y = np.zeros(x.shape)
    for c in range(len(x)):
        normal = (x[c] - mean[c]) / math.sqrt(var[c] + 1e-5)
        y[c] = p[f'{name}.weight'][c] * normal + p[f'{name}.bias'][c]
    return y


def residual(p, name, x):
    """BN-ReLU-1x1, BN-ReLU-3x3, BN-ReLU-1x1 and identity."""
    y = x
    for k in (0, 3, 6):
        y = np.maximum(batch_norm(p, f'{name}.branch.{k}', y), 0)
        weight = p[f'{name}.branch.{k + 2}.weight']
        y = conv(y, weight, p.get(f'{name}.branch.{k + 2}.bias'))
    return x + y


def max_pool(x, kernel=2, ceil=False):
    """Stride 2; kernel 3 is padded by 1. Any number of axes."""
    pad = 1 if kernel == 3 else 0
    size = []
    for n in x.shape[1:]:
        steps = (n + 2 * pad - kernel) / 2
        count = (math.ceil(steps) if ceil else math.floor(steps)) + 1
        size.append(count - 1 if (count - 1) * 2 >= n + pad else count)
    y = np.full((len(x), *size), -np.inf)
    for c in range(len(x)):
        for place in np.ndindex(*size):
            for tap in np.ndindex(*[kernel] * len(size)):
                at = [2 * i + k - pad for i, k in zip(place, tap, strict=True)]
                if all(0 <= a < n for a, n in zip(at, x.shape[1:], strict=True)):
                    y[(c, *place)] = max(y[(c, *place)], x[(c, *at)])
    return y


def resize_axis(x, axis, size, align_corners):
    """Linear interpolation along one axis."""
    n = x.shape[axis]
    rows = []
    for i in range(size):
        if align_corners:
            at = i * (n - 1) / (size - 1) if size > 1 else 0.0
        else:
            at = max((i + 0.5) * n / size - 0.5, 0.0)
        low = min(int(at), n - 1)
        high = min(low + 1, n - 1)
        w = at - low
        rows.append((1 - w) * x.take(low, axis) + w * x.take(high, axis))
    return np.stack(rows, axis)


def resize(x, size, align_corners=False):
    """Bilinear or trilinear."""
    for axis, n in enumerate(size, start=1):
        x = resize_axis(x, axis, n, align_corners)
    return x


def residuals(p, name, x):
    """The residual modules of one list, if any."""
    k = 0
    while f'{name}.{k}.branch.0.weight' in p:
        x = residual(p, f'{name}.{k}', x)
        k += 1
    return x


def hourglass(p, name, x, t, *, kernel=2, ceil=False, align_corners=False, gate=None):
    """One frame (C, H, W), or an inflated clip (C, T, H, W)."""
    d = [x]
    for k in range(1, t + 1):
        pooled = max_pool(d[k - 1], kernel, ceil)
        d.append(residuals(p, f'{name}.down.{k - 1}', pooled))
    u = d[t]
    for k in range(t, 0, -1):
        u = residuals(p, f'{name}.up.{k - 1}', u)
        u = resize(u, d[k - 1].shape[1:], align_corners)
        u = u + residuals(p, f'{name}.skip.{k - 1}', d[k - 1])
        if gate is not None and k > 1:
            u = gate(k - 2, u)
    return u


def sam1(p, name, frame, pool='avg+max'):
    """Gate (H, W) and output of one frame (C, H, W)."""
    C, H, W = frame.shape
    mean, largest = np.zeros((1, H, W)), np.zeros((1, H, W))
    for h in range(H):
        for w in range(W):
            mean[0, h, w] = sum(frame[c, h, w] for c in range(C)) / C
            largest[0, h, w] = max(frame[c, h, w] for c in range(C))
    pooled = {
        'avg+max': mean + largest,
        'max': largest,
        'avg': mean,
        'concat': np.concatenate([mean, largest]),
    }[pool]
    logits = conv(pooled, p[f'{name}conv.weight'], p[f'{name}conv.bias'])[0]
    gate = np.vectorize(sigmoid)(logits)
    return gate, np.stack([frame[c] * gate + frame[c] for c in range(C)])


def sam2(p, name, frame, *, N=3, over='cells', residual=True, rescale=False):
    """Coefficients (C, N, N) and output of one frame, sides multiples of N."""
    C, H, W = frame.shape
    h, w = H // N, W // N
    cells = np.zeros((C, N, N))
    for c, i, j in np.ndindex(C, N, N):
        cells[c, i, j] = frame[c, i * h : (i + 1) * h, j * w : (j + 1) * w].max()
    logits = conv(cells, p[f'{name}conv.weight'], p[f'{name}conv.bias'], groups=C)
    if f'{name}pointwise.weight' in p:
        pointwise = p[f'{name}pointwise.weight'], p[f'{name}pointwise.bias']
        logits = conv(logits, *pointwise)
    e = np.exp(logits)
    S = np.zeros((C, N, N))
    for c, i, j in np.ndindex(C, N, N):
        total = {'cells': e[c], 'channels': e[:, i, j], 'all': e}[over].sum()
        S[c, i, j] = e[c, i, j] / total
    out = np.zeros(frame.shape)
    for c, y, x in np.ndindex(C, H, W):
        weight = S[c, y // h, x // w] * (N * N if rescale else 1)
        out[c, y, x] = frame[c, y, x] * weight + (frame[c, y, x] if residual else 0)
    return S, out


def tam(p, name, clip, residual=False):
    """Gates (T) and output of one clip (C, T, H, W)."""
    C, T = clip.shape[:2]
    z = np.zeros((1, T))
    for t in range(T):
        z[0, t] = sum(clip[c, t].max() for c in range(C)) / C
    logits = conv(z, p[f'{name}conv.weight'], p[f'{name}conv.bias'])[0]
    gate = np.array([sigmoid(x) for x in logits])
    out = np.stack([clip[:, t] * gate[t] for t in range(T)], axis=1)
    return gate, out + clip if residual else out


def tam_st(p, name, clip):
    """Gates (T, H, W) and output of one clip, mode 'st'."""
    C, *size = clip.shape
    z = np.zeros((1, *size))
    for place in np.ndindex(*size):
        near = [slice(max(i - 1, 0), i + 2) for i in place]
        z[(0, *place)] = sum(clip[(c, *near)].max() for c in range(C)) / C
    logits = conv(z, p[f'{name}conv.weight'], p[f'{name}conv.bias'])[0]
    gate = np.vectorize(sigmoid)(logits)
    return gate, np.stack([clip[c] * gate for c in range(C)])


def squeeze_excitation(p, name, frame):
    """Output of one frame."""
    z = [channel.mean() for channel in frame]
    hidden = np.maximum(p[f'{name}fc1.weight'] @ z + p[f'{name}fc1.bias'], 0)
    logits = p[f'{name}fc2.weight'] @ hidden + p[f'{name}fc2.bias']
    return np.stack(
        [sigmoid(s) * channel for s, channel in zip(logits, frame, strict=True)]
    )


def spatial(p, name, frame):
    """SAM-II if its kernel is 3 x 3, else SAM-I."""
    sam = sam2 if p[f'{name}conv.weight'].shape[-1] == 3 else sam1
    return sam(p, name, frame)[1]


def stbta(p, clip, t, *, parallel=False, residual=True):
    """Output of one clip (C, T, H, W); parts without weights are absent."""
    T = clip.shape[1]
    gate = None
    if 'hourglass.attention.0.conv.weight' in p:

        def gate(k, u):
            return spatial(p, f'hourglass.attention.{k}.', u)

    def per_frame(function, x):
        return np.stack([function(x[:, i]) for i in range(T)], axis=1)

    u = per_frame(lambda frame: hourglass(p, 'hourglass', frame, t, gate=gate), clip)
    y = u
    if 'spatial_attention.conv.weight' in p:
        y = per_frame(lambda frame: spatial(p, 'spatial_attention.', frame), u)
    if 'temporal_attention.conv.weight' in p:
        if parallel:
            y = y + tam(p, 'temporal_attention.', u)[1]
        else:
            y = tam(p, 'temporal_attention.', y)[1]
    if 'channel_attention.fc1.weight' in p:
        y = per_frame(lambda f: squeeze_excitation(p, 'channel_attention.', f), y)
    if 'scale' in p:
        y = y * p['scale']
    return clip + y if residual else y


def random_weights(module):
    """Fill a module in float64 with weights that no limit makes equal; return them."""
    module.double().eval()
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.normal_(std=0.5)
            if name.endswith('running_var'):
                value.exp_()
    return {
        name: value.numpy(force=True) for name, value in module.state_dict().items()
    }
