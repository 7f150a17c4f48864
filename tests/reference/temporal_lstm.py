"""Eq. (3)-(8) of Improving human action recognition by temporal attention.

Literal, in float64, one sequence, one frame and one gate at a time.
"""

import math

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(p, x, h, c):
    """Eq. (3); ``p`` has W_f, U_f, b_f and so on for i, o, g."""
    f = sigmoid(p['W_f'] @ x + p['U_f'] @ h + p['b_f'])
    i = sigmoid(p['W_i'] @ x + p['U_i'] @ h + p['b_i'])
    o = sigmoid(p['W_o'] @ x + p['U_o'] @ h + p['b_o'])
    g = np.tanh(p['W_g'] @ x + p['U_g'] @ h + p['b_g'])
    c = f * c + i * g
    return o * np.tanh(c), c


def attention(p, v, h):
    """Eq. (5) and (6)."""
    e = [math.tanh(p['w_a'] @ h + p['u_a'] @ v_i + p['b_a']) for v_i in v]
    total = sum(math.exp(e_j) for e_j in e)
    return np.array([math.exp(e_i) / total for e_i in e])


def recurrent_attention(p, v, num_steps, use_attention=True, query='top'):
    """Top hidden states (D, H) and weights (D, T) of the frames v (T, C)."""
    T, L = len(v), len(p['layers'])
    mean = sum(v[i] for i in range(T)) / T
    H = len(p['layers'][0]['b_f'])
    h = [np.zeros(H) for _ in range(L)]
    c = [np.zeros(H) for _ in range(L)]
    if 'init_h' in p:
        h = [np.tanh(W @ mean + b) for W, b in p['init_h']]
        c = [np.tanh(W @ mean + b) for W, b in p['init_c']]
    hidden, alphas = [], []
    for _ in range(num_steps):
        if use_attention:
            seen = {'top': h[-1], 'bottom': h[0], 'concat': np.concatenate(h)}[query]
            alpha = attention(p, v, seen)
            x = sum(alpha[i] * v[i] for i in range(T))  # Eq. (4)
        else:
            alpha, x = np.full(T, 1 / T), mean
        for n in range(L):
            h[n], c[n] = lstm(p['layers'][n], x, h[n], c[n])
            x = h[n]
        hidden.append(h[-1])
        alphas.append(alpha)
    return np.stack(hidden), np.stack(alphas)


def probabilities(p, hidden):
    """Eq. (7) in every step."""
    rows = []
    for h in hidden:
        score = p['W_y'] @ h + p['b_y']
        rows.append(np.exp(score) / sum(math.exp(s) for s in score))
    return np.stack(rows)


def sequence_loss(prob, label):
    """Eq. (8) without its decay term."""
    loss = 0.0
    for t in range(prob.shape[0]):
        for i in range(prob.shape[1]):
            y = 1.0 if i == label else 0.0
            loss -= y * math.log(prob[t, i])
    return loss


def last_steps_score(prob, test_steps):
    """Mean over the last steps, section 3.2."""
    return sum(prob[-k] for k in range(1, test_steps + 1)) / test_steps


def paper_weights(state):
    """Weights by the paper's symbols, from a state dict of the layer or the head."""
    w = {
        name.removeprefix('lstm.'): x.double().numpy(force=True)
        for name, x in state.items()
    }
    layers = []
    while f'layers.{len(layers)}.W.weight' in w:
        key, p = f'layers.{len(layers)}', {}
        H = w[f'{key}.U.weight'].shape[1]
        for k, gate in enumerate('fiog'):
            rows = slice(k * H, (k + 1) * H)
            p[f'W_{gate}'] = w[f'{key}.W.weight'][rows]
            p[f'U_{gate}'] = w[f'{key}.U.weight'][rows]
            p[f'b_{gate}'] = w[f'{key}.W.bias'][rows]
        layers.append(p)
    result = {'layers': layers}
    if 'attention.w_a.weight' in w:
        result |= {
            'w_a': w['attention.w_a.weight'][0],
            'u_a': w['attention.u_a.weight'][0],
            'b_a': w['attention.u_a.bias'][0],
        }
    if 'init_state.weight' in w:
        L = len(layers)
        weights = np.split(w['init_state.weight'], 2 * L)
        biases = np.split(w['init_state.bias'], 2 * L)
        parts = list(zip(weights, biases, strict=True))
        result |= {'init_h': parts[:L], 'init_c': parts[L:]}
    if 'fc_cls.weight' in w:
        result |= {'W_y': w['fc_cls.weight'], 'b_y': w['fc_cls.bias']}
    return result
