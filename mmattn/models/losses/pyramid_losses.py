"""Losses on pyramid attention.

Du et al., Interaction-aware spatio-temporal pyramid attention networks for action
classification, section 3.3.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mmattn.models.layers.precision import full_precision
from mmattn.models.layers.pyramid import PyramidOutput
from mmattn.registry import MODELS

SMALLEST = 1e-12  # of what is under the root of Eq. (8), whose slope is infinite at 0


@MODELS.register_module()
class PyramidInteractionLoss(nn.Module):
    """Draw the rows of A towards the principal components of the features.

    Implements Eq. (6) of Interaction-aware spatio-temporal pyramid attention networks,
    see :func:`interaction_loss`; mean over the videos.

    Args:
        loss_weight: Weight beta of Eq. (9).
        detach_features: Whether the features are constant here, as in Eq. (5): the
            gradient reaches A only, and what A is computed from. Otherwise the loss
            also rewards large features without a bound.

    Example:
        >>> PyramidInteractionLoss().log_name
        'loss_inter'
    """

    log_name = 'loss_inter'

    def __init__(
        self, loss_weight: float = 1e-4, *, detach_features: bool = True
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.detach_features = detach_features

    def forward(self, output: PyramidOutput) -> Tensor:
        """Weighted loss of a batch."""
        X = output.features.detach() if self.detach_features else output.features
        return self.loss_weight * interaction_loss(output.attention, X).mean()


@MODELS.register_module()
class PyramidAttentionLoss(nn.Module):
    """Make the attention of each scale differ from that of all scales.

    Implements Eq. (7)-(8) of Interaction-aware spatio-temporal pyramid attention
    networks, see :func:`attention_loss`; mean over the videos.

    Args:
        loss_weight: Weight gamma of Eq. (9).
        rows: The a of Eq. (7): 'l2' for the rows of A after their L2 normalization,
            the order of section 3.1, or 'softmax' for the rows before it. With 'l2'
            scales that agree still differ from A, and one scale alone is flattened;
            with 'softmax' they differ by 0, and one scale gets no gradient.

    Raises:
        ValueError: If ``rows`` is neither.

    Example:
        >>> PyramidAttentionLoss().log_name
        'loss_attn'
    """

    log_name = 'loss_attn'

    def __init__(
        self, loss_weight: float = 1e-4, *, rows: Literal['l2', 'softmax'] = 'l2'
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.rows = rows

    def forward(self, output: PyramidOutput) -> Tensor:
        """Weighted loss of a batch."""
        A = output.attention
        if self.rows == 'softmax':
            A = A / A.sum(dim=-1, keepdim=True)  # takes the L2 normalization back
        return self.loss_weight * attention_loss(A, output.scores).mean()


def interaction_loss(attention: Tensor, features: Tensor) -> Tensor:
    r"""Interaction-aware loss of each video.

    Implements Eq. (6) of Interaction-aware spatio-temporal pyramid attention networks:

    .. math:: -\lVert A X \rVert_F^2 + \sum_{m \ne n} (a_m^\top a_n)^2

    It is least where the rows of A are the first principal components of X.

    Args:
        attention: A, rows of unit norm.
        features: X, transposed.

    Shape:
        - Input: (B, d, n) and (B, C, n).
        - Output: (B).

    Example:
        >>> interaction_loss(torch.ones(1, 3, 1), torch.zeros(1, 2, 1)).tolist()
        [6.0]
    """
    with full_precision(attention, features) as (A, X):
        M = X @ A.mT  # (B, C, d)
        gram = A @ A.mT  # (B, d, d), symmetric
        overlap = 2 * gram.tril(-1).square().sum(dim=(1, 2))
        return overlap - M.square().sum(dim=(1, 2))


def attention_loss(attention: Tensor, scores: Sequence[Tensor]) -> Tensor:
    r"""Attention loss of each video.

    Implements Eq. (7)-(8) of Interaction-aware spatio-temporal pyramid attention
    networks:

    .. math::
        \delta_{jmk} = |a_{mk} - \mathrm{softmax}(y^j)_{mk}|, \quad
        \sqrt{\textstyle\sum_{jmk} (1 - \delta_{jmk}^2)}

    Args:
        attention: A, rows of unit norm, or of unit sum.
        scores: Y of each of N scales, not normalized.

    Shape:
        - Input: (B, d, n), and N times (B, d, n).
        - Output: (B), at most sqrt(N d n).

    Example:
        >>> attention_loss(torch.ones(1, 4, 1), [torch.zeros(1, 4, 1)]).tolist()
        [2.0]
    """
    A = attention
    count = len(scores) * A.shape[1] * A.shape[2]
    squares = A.new_zeros(len(A))
    for y in scores:
        delta = A - torch.softmax(y, dim=-1, dtype=A.dtype)  # Eq. (7)
        squares = squares + delta.square().sum(dim=(1, 2))
    return (count - squares).clamp_min(SMALLEST).sqrt()  # Eq. (8)
