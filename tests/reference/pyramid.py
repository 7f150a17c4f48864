"""Eq. (1)-(8) of Interaction-aware spatio-temporal pyramid attention networks.

Literal, in float64, one video at a time, with loops over output positions and scales.
"""

import math

import numpy as np


def adaptive_max(f, size):
    """Map (C, H', W') to (C, H, W); windows are [floor(i L / N), ceil((i+1) L / N))."""
    (_, rows, columns), (H, W) = f.shape, size
    out = np.empty((len(f), H, W))
    for y in range(H):
        for x in range(W):
            y0, y1 = (y * rows) // H, -(-(y + 1) * rows // H)
            x0, x1 = (x * columns) // W, -(-(x + 1) * columns // W)
            out[:, y, x] = f[:, y0:y1, x0:x1].max(axis=(1, 2))
    return out


def cascade_max(f, size, kernel):
    """Max pooling of stride 2 without padding until the size is reached."""
    while f.shape[1:] != tuple(size):
        H, W = ((n - kernel) // 2 + 1 for n in f.shape[1:])
        out = np.empty((len(f), H, W))
        for y in range(H):
            for x in range(W):
                window = f[:, 2 * y : 2 * y + kernel, 2 * x : 2 * x + kernel]
                out[:, y, x] = window.max(axis=(1, 2))
        f = out
    return f


def down_sample(f, size, pool):
    """Eq. (1)."""
    if pool == 'adaptive':
        return adaptive_max(f, size)
    return cascade_max(f, size, int(pool[-1]))


def flatten(maps):
    """X (K H W, C) of maps (K, C, H, W); position m = y W + x inside a frame."""
    K, _, H, W = maps.shape
    return np.array(
        [maps[k, :, y, x] for k in range(K) for y in range(H) for x in range(W)]
    )


def softmax(row):
    e = np.exp(row - row.max())
    return e / e.sum()


def fuse(rows, fusion):
    """Raw scores of one output position, one row per scale."""
    if fusion == 'mul':
        return np.prod(rows, axis=0)
    return np.sum(rows, axis=0) if fusion == 'sum' else np.max(rows, axis=0)


def attention(weights, biases, X, fusion='mul'):
    """A (d, n) and Y, one (d, n) per scale, of X, one (n, C_j) per scale."""
    Y = []
    for W, b, X_j in zip(weights, biases, X, strict=True):
        Y_j = np.empty((len(W), len(X_j)))
        for m in range(len(W)):
            for k in range(len(X_j)):
                Y_j[m, k] = W[m] @ X_j[k] + b[m]  # Eq. (2)
        Y.append(Y_j)
    A = np.empty_like(Y[0])
    for m in range(len(A)):
        a = softmax(fuse(np.stack([Y_j[m] for Y_j in Y]), fusion))  # Eq. (3)
        A[m] = a / math.sqrt((a * a).sum())
    return A, Y


def layer(weights, biases, maps, fusion='mul', pool='adaptive'):
    """M' (C, H, W), A, X of the top scale and Y, of one video's (K, C_j, H_j, W_j)."""
    size = maps[-1].shape[2:]
    low = [np.stack([down_sample(f, size, pool) for f in F]) for F in maps[:-1]]
    X = [flatten(F) for F in [*low, maps[-1]]]
    A, Y = attention(weights, biases, X, fusion)
    M = A @ X[-1]  # Eq. (4)
    H, W = size
    out = np.empty((M.shape[1], H, W))
    for y in range(H):
        for x in range(W):
            out[:, y, x] = M[y * W + x]
    return out, A, X[-1], Y


def vector_layer(weight, bias, vectors):
    """The last vectors (K, C) as K C positions with one channel; M' (C)."""
    X = np.array([[value] for vector in vectors for value in vector])
    A, Y = attention([weight], [bias], [X])
    return (A @ X)[:, 0], A, X, Y


def interaction(A, X):
    """Eq. (6)."""
    identity = np.eye(len(A))
    first = -((A @ X @ X.T @ A.T) * identity).sum()
    return first + (((A @ A.T) * (1 - identity)) ** 2).sum()


def attention_term(A, Y):
    """Eq. (7) and (8)."""
    total = 0.0
    for Y_j in Y:
        for m in range(len(A)):
            p = softmax(Y_j[m])
            for k in range(A.shape[1]):
                delta = abs(A[m, k] - p[k])
                total += 1 - delta**2
    return math.sqrt(total)


def paper_weights(state):
    """W_j (d, C_j) and b_j (d) of each scale, from a state dict of the layer."""
    w = {
        name.removeprefix('attention.'): x.double().numpy(force=True)
        for name, x in state.items()
    }
    scales = range(sum(name.endswith('.bias') for name in w))
    weights = [w[f'scores.{j}.weight'][:, :, 0, 0] for j in scales]
    return weights, [w[f'scores.{j}.bias'] for j in scales]
