"""Section 2 of Spatio-temporal attention for video action recognition.

Literal, in float64, one sequence, one frame, one gate and one pixel at a time.
"""

import math

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def convolve(W, x):
    """Sum over the taps of W (out, in, k, k) on x (in, h, w), zeros outside."""
    (_, h, w), r = x.shape, W.shape[2] // 2
    out = np.zeros((len(W), h, w))
    for y in range(h):
        for u in range(w):
            for dy in range(-r, r + 1):
                for du in range(-r, r + 1):
                    if 0 <= y + dy < h and 0 <= u + du < w:
                        out[:, y, u] += W[:, :, dy + r, du + r] @ x[:, y + dy, u + du]
    return out


def gap(x):
    """Mean over the pixels of (C, h, w)."""
    return x.reshape(len(x), -1).mean(axis=1)


def attention(p, reading, X, H):
    """Weights that multiply X (C, h, w), in a shape that broadcasts."""
    _, h, w = X.shape
    if reading == 'videolstm':
        seen = np.broadcast_to(convolve(p['W_ha'], H), (len(p['W_ha']), h, w))
        inner = np.tanh(convolve(p['W_xa'], X) + seen + p['b_a'][:, None, None])
        return softmax(convolve(p['W_z'], inner)[0])[None]
    if reading == 'gap_dense':
        v = gap(X) + p['W_c'] @ gap(H) + p['b_c']
        return softmax(p['W_d'] @ v + p['b_d']).reshape(1, h, w)
    if reading == 'none':
        return np.full((1, h, w), 1 / (h * w))
    if reading == 'pixel_mean':
        return softmax(X.mean(axis=0) + convolve(p['w_h'], H)[0])[None]
    return softmax(gap(X) + p['W_c'] @ gap(H) + p['b_c'])[:, None, None]


def conv_lstm(p, X, H, C):
    """State and memory; ``p`` has W_xf, W_hf, b_f and so on for i, o, g."""

    def gate(name):
        return convolve(p[f'W_x{name}'], X) + b(name) + hidden(name)

    def b(name):
        return p[f'b_{name}'][:, None, None]

    def hidden(name):
        return convolve(p[f'W_h{name}'], H) if f'W_h{name}' in p else 0

    def peephole(name, memory):
        return p[f'w_c{name}'][:, None, None] * memory if f'w_c{name}' in p else 0

    f = sigmoid(gate('f') + peephole('f', C))
    i = sigmoid(gate('i') + peephole('i', C))
    g = np.tanh(gate('g'))
    C = f * C + i * g
    o = sigmoid(gate('o') + peephole('o', C))
    return o * np.tanh(C), C


def run(p, X, reading='videolstm', state='carried', cell='convlstm'):
    """States and attention of the frames X (T, C, h, w), lists of T."""
    size = X.shape[2:] if cell == 'convlstm' else (1, 1)
    zeros = np.zeros((len(p['b_f']), *size))
    H, C = zeros, zeros
    states, weights = [], []
    for X_t in X:
        A = attention(p, reading, X_t, H)
        attended = A * X_t
        if cell == 'lstm':
            attended = attended.sum(axis=(1, 2), keepdims=True)
        if state == 'attention_only':
            H, C = zeros, zeros
        H, C = conv_lstm(p, attended, H, C)
        states.append(H)
        weights.append(A)
    return states, weights


def frame_probabilities(p, states, readout='gap'):
    """Class probabilities of each frame, (T, classes)."""
    rows = []
    for H in states:
        v = gap(H) if readout == 'gap' else H.reshape(-1)
        rows.append(softmax(p['W_y'] @ v + p['b_y']))
    return np.stack(rows)


def sequence_loss(prob, label):
    """Mean cross entropy of the frames."""
    return sum(-math.log(row[label]) for row in prob) / len(prob)


def paper_weights(module):
    """Weights by the paper's symbols, from the layer or the head."""
    w = {
        name.removeprefix('recurrence.'): x.double().numpy(force=True)
        for name, x in module.state_dict().items()
    }
    symbols = {
        'W_xa': 'attention.w_xa.weight',
        'b_a': 'attention.w_xa.bias',
        'W_ha': 'attention.w_ha.weight',
        'W_z': 'attention.w_z.weight',
        'W_d': 'attention.dense.weight',
        'b_d': 'attention.dense.bias',
        'b_c': 'attention.context.bias',
        'W_y': 'fc_cls.weight',
        'b_y': 'fc_cls.bias',
    }
    p = {symbol: w[name] for symbol, name in symbols.items() if name in w}
    if 'attention.context.weight' in w:
        context = w['attention.context.weight']
        p['W_c' if context.ndim == 2 else 'w_h'] = context
    for k, name in enumerate('fiog'):
        size = len(w['cell.input_conv.bias']) // 4
        rows = slice(k * size, (k + 1) * size)
        p[f'W_x{name}'] = w['cell.input_conv.weight'][rows]
        p[f'b_{name}'] = w['cell.input_conv.bias'][rows]
        if 'cell.hidden_conv.weight' in w:
            p[f'W_h{name}'] = w['cell.hidden_conv.weight'][rows]
        if 'cell.peepholes' in w and name != 'g':
            p[f'w_c{name}'] = w['cell.peepholes'][k, :, 0, 0]
    return p
