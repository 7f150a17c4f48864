"""What weights feature maps by gradients, to maps of what speaks for a class."""

from collections.abc import Callable

import torch
from torch import Tensor


def class_maps(features: Tensor, grads: Tensor) -> Tensor:
    r"""Weight feature maps by their mean gradients and keep what is positive.

    Selvaraju et al., Grad-CAM: visual explanations from deep networks via
    gradient-based localization. With the feature maps A and the score y,

    .. math:: \mathrm{ReLU}\big(\sum_k \alpha_k A^k\big), \qquad
        \alpha_k = \frac{1}{hw} \sum_{i,j} \frac{\partial y}{\partial A^k_{ij}}

    for every frame of the maps.

    Args:
        features: Feature maps A.
        grads: Gradients of the score with respect to them.

    Shape:
        - features, grads: (N, C, h, w) or (N, C, T, h, w).
        - Output: (N, T, h, w), with T = 1 for the first.

    Example:
        >>> maps = class_maps(torch.ones(2, 3, 5, 5), torch.full((2, 3, 5, 5), 0.5))
        >>> tuple(maps.shape), maps.max().item()
        ((2, 1, 5, 5), 1.5)
    """
    weights = grads.mean(dim=(-2, -1), keepdim=True)
    return _with_frames((weights * features).sum(dim=1).relu())


def class_maps_plus(features: Tensor, grads: Tensor) -> Tensor:
    r"""Weight feature maps by their positive gradients, more where these are rare.

    Chattopadhay et al., Grad-CAM++: generalized gradient-based visual explanations for
    deep convolutional networks, Eq. (19), for the exponential of the score, whose
    higher derivatives are powers of the first, g:

    .. math:: w_k = \sum_{i,j} \frac{g_{ij}^2}{2 g_{ij}^2 + \sum_{a,b} A^k_{ab}
        g_{ij}^3} \mathrm{ReLU}(g_{ij})

    Takes and returns what :func:`class_maps` does.

    Example:
        >>> x = torch.ones(1, 1, 1, 2)
        >>> class_maps_plus(x, torch.tensor([[[[1.0, -1.0]]]])).tolist()
        [[[[0.25, 0.25]]]]
    """
    total = features.sum(dim=(-2, -1), keepdim=True)
    below = 2 * grads**2 + total * grads**3
    alpha = torch.where(below != 0, grads**2 / torch.where(below != 0, below, 1), 0)
    weights = (alpha * grads.relu()).sum(dim=(-2, -1), keepdim=True)
    return _with_frames((weights * features).sum(dim=1).relu())


def layer_maps(features: Tensor, grads: Tensor) -> Tensor:
    """Weight each place of feature maps by its own positive gradient.

    Jiang et al., LayerCAM: exploring hierarchical class activation maps for
    localization, Eq. (5)-(6); good for early layers, too.

    Takes and returns what :func:`class_maps` does.

    Example:
        >>> x = torch.ones(1, 1, 1, 2)
        >>> layer_maps(x, torch.tensor([[[[0.5, -1.0]]]])).tolist()
        [[[[0.5, 0.0]]]]
    """
    return _with_frames((grads.relu() * features).sum(dim=1).relu())


def gradient_maps(features: Tensor, grads: Tensor) -> Tensor:
    """Return the size of the gradient, the sum of the absolute values of its channels.

    Takes and returns what :func:`class_maps` does; the features are not looked at.

    Example:
        >>> gradient_maps(torch.ones(1, 2, 1, 1), torch.tensor([[[[1.0]], [[-2.0]]]]))
        tensor([[[[3.]]]])
    """
    return _with_frames(grads.abs().sum(dim=1))


def _with_frames(maps: Tensor) -> Tensor:
    """Maps (N, T, h, w) of (N, h, w) or of such."""
    return maps[:, None] if maps.ndim == 3 else maps


WEIGHTINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'grad_cam': class_maps,
    'grad_cam_plus': class_maps_plus,
    'layer_cam': layer_maps,
    'gradient': gradient_maps,
}
