"""Grad-CAM in closed form for a classifier of globally averaged maps."""

import numpy as np


def maps_of_linear_head(features, weights, num_frames):
    """ReLU(sum_k alpha_k A^k) for y = mean over frames of W mean over places of A.

    dy/dA^k_ij = W_k / (frames h w), and so is its mean over the places.

    Args:
        features: (N, K, h, w), the N = num_frames frames of one video.
        weights: (K,), of one class.
    """
    N, K, h, w = features.shape
    maps = np.zeros((N, h, w))
    for n in range(N):
        for k in range(K):
            alpha = weights[k] / (num_frames * h * w)
            maps[n] += alpha * features[n, k]
    return np.maximum(maps, 0)
