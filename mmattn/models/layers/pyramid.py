"""Attention over the positions of all frames, scored on a pyramid of feature maps.

Du et al., Interaction-aware spatio-temporal pyramid attention networks for action
classification, sections 3.1 and 3.2.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Literal, NamedTuple

import torch
from mmengine.model import xavier_init
from torch import Tensor, nn
from torch.nn import functional as F

from mmattn.attention.capture import emit_attention
from mmattn.models.layers.precision import full_precision
from mmattn.signatures import Positive, checked

FUSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'mul': torch.mul,
    'sum': torch.add,
    'max': torch.maximum,
}
CASCADES = {'cascade2': 2, 'cascade3': 3}  # kernel of the steps
Size = tuple[Positive, Positive]
Fusion = Literal['mul', 'sum', 'max']
Norm = Literal['l2', 'sum']
Pool = Literal['adaptive', 'average', 'conv', 'cascade2', 'cascade3']


class PyramidOutput(NamedTuple):
    """What the attention computes on B videos; n = K H W are positions of K frames.

    Args:
        aggregated: M of Eq. (4) as a map, (B, C, H, W).
        attention: A of Eq. (4), one row per output position, (B, d, n).
        features: X of the top scale, transposed, (B, C, n).
        scores: Y of Eq. (2), one per scale, each (B, d, n).
    """

    aggregated: Tensor
    attention: Tensor
    features: Tensor
    scores: tuple[Tensor, ...]


@checked
class PyramidAttention(nn.Module):
    r"""Aggregate the maps of K frames to one map of the same size.

    Implements Eq. (1)-(4) of Interaction-aware spatio-temporal pyramid attention
    networks; :math:`X_j` has the :math:`n = K H W` positions of scale j, pooled to the
    top scale's size, as rows:

    .. math::
        Y_j = W_j X_j^\top \oplus b_j, \quad
        a_m = \mathrm{softmax}(\mathcal F(y_m^1, \dots, y_m^N)), \quad
        a_m \leftarrow a_m / \lVert a_m \rVert_2, \quad M = A X_N

    for each of the d = H W output positions m. The parameters do not depend on K, but
    they do on the size of the top map. As rows have a unit norm and no unit sum, M
    grows like :math:`\sqrt K`.

    Hands out A as the attention map ``positions``.

    Args:
        in_channels: Channels of the maps, lowest scale first; one map per scale.
        top_size: Height and width of the top map. None averages the top map to a
            vector first, whose C values are then positions with one channel; this is
            for one scale, and the map may have any size.
        fusion: How the scales' scores are fused: 'mul', 'sum' or 'max'.
        pool: How lower maps get the top map's size: 'adaptive' max pooling, or max
            pooling of stride 2 with kernel 2 ('cascade2') or 3 ('cascade3'), without
            padding, as often as needed. Section 3.4 names two more: 'average' pools
            adaptively, and 'conv' learns convolutions of kernel and stride 2, one for
            each scale between a map and the top.
        norm: What the rows of A have: 'l2', unit norm, as the paper, or 'sum', unit
            sum, so that M is a mean of features, of one size for all K.

    Shape:
        - Input: maps (B K, C_j, H_j, W_j), the frames of a video next to each other.
        - Output: see :class:`PyramidOutput`.

    Raises:
        ValueError: If an option is out of range, or maps do not fit it.

    Example:
        >>> layer = PyramidAttention((3, 5), (2, 2))
        >>> maps = torch.ones(2 * 7, 3, 4, 4), torch.ones(2 * 7, 5, 2, 2)
        >>> layer(maps, num_frames=7).aggregated.shape
        torch.Size([2, 5, 2, 2])
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        top_size: Size | None,
        *,
        fusion: Fusion = 'mul',
        pool: Pool = 'adaptive',
        norm: Norm = 'l2',
    ) -> None:
        super().__init__()
        if len(in_channels) < 1 or (top_size is None and len(in_channels) > 1):
            raise ValueError(
                'in_channels: expected one or more scales, one with top_size=None, '
                f'got {in_channels} and top_size={top_size}'
            )
        self.in_channels = tuple(in_channels)
        self.fusion = fusion
        self.pool = pool
        self.norm = norm
        self.top_size = top_size if top_size is None else tuple(top_size)
        widths, d = self.in_channels, in_channels[0]
        if top_size is None:
            widths = (1,)
        else:
            d = top_size[0] * top_size[1]
        # Each position is scored from its own channels: a 1 x 1 convolution.
        self.scores = nn.ModuleList(nn.Conv2d(width, d, 1) for width in widths)
        for conv in self.scores:
            xavier_init(conv, distribution='uniform')
        self.reducers = nn.ModuleList()
        if pool == 'conv':
            steps = range(len(widths) - 1, -1, -1)
            self.reducers.extend(map(_halvings, widths, steps))

    def forward(self, maps: Sequence[Tensor], *, num_frames: int) -> PyramidOutput:
        """Aggregate ``num_frames`` successive rows of the batch to one."""
        self._check(maps, num_frames)
        top = maps[-1]
        if self.top_size is None:
            top = top.mean(dim=(2, 3))[:, None, :, None]  # C positions of one channel
        size = top.shape[-2:]
        pooled = self.pool_maps((*maps[:-1], top))
        with full_precision(*pooled) as wide:
            scores = tuple(
                join_frames(conv(x), num_frames)  # Eq. (2): (B, d, n)
                for conv, x in zip(self.scores, wide, strict=True)
            )
        fused = fuse_scales(scores, fusion=self.fusion)
        A = attend_positions(fused, norm=self.norm)  # Eq. (3)
        self._emit(A, num_frames)
        X = join_frames(top, num_frames)  # (B, C, n)
        with full_precision(X, A) as (features, rows):
            M = features @ rows.mT  # Eq. (4): (B, C, d)
        aggregated = M.unflatten(2, size)
        if self.top_size is None:
            aggregated = aggregated.transpose(1, 2)  # (B, C, 1, 1)
        return PyramidOutput(aggregated, A, X, scores)

    def pool_maps(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Bring all maps to the size of the last, Eq. (1)."""
        size = maps[-1].shape[-2:]
        if self.pool != 'conv':
            return tuple(downsample(x, size, pool=self.pool) for x in maps)
        return tuple(
            _require_size(x if x.shape[-2:] == size else reducer(x), size, x, 'conv')
            for reducer, x in zip(self.reducers, maps, strict=True)
        )

    def _emit(self, A: Tensor, num_frames: int) -> None:
        keys, axes = self.top_size or (-1,), ('y', 'x') if self.top_size else ('key',)
        maps = A.unflatten(2, (num_frames, *keys))
        emit_attention(self, 'positions', maps, ('row', 'query', 'frame', *axes))

    def _check(self, maps: Sequence[Tensor], num_frames: int) -> None:
        shapes = [tuple(x.shape) for x in maps]
        rows = {shape[0] for shape in shapes}
        if len(rows) != 1 or num_frames < 1 or rows.pop() % num_frames:
            raise ValueError(
                f'maps: expected batches of one multiple of num_frames={num_frames}, '
                f'got shapes {shapes}'
            )
        channels = tuple(shape[1] for shape in shapes)
        if channels != self.in_channels:
            raise ValueError(
                f'maps: expected channels {self.in_channels}, as in_channels says, '
                f'got {channels}'
            )
        if self.top_size not in (None, shapes[-1][2:]):
            raise ValueError(
                f'maps: expected a top map of {self.top_size}, as top_size says, got '
                f'{shapes[-1][2:]}; the attention has weights of its own for each '
                'position, so the size of frames is fixed'
            )


def downsample(x: Tensor, size: Sequence[int], *, pool: str = 'adaptive') -> Tensor:
    """Pool a map to the size of the top scale, Eq. (1).

    Args:
        x: Map.
        size: Height and width to reach.
        pool: 'adaptive', 'average', 'cascade2' or 'cascade3', see
            :class:`PyramidAttention`.

    Shape:
        - Input: (N, C, H', W').
        - Output: (N, C, H, W).

    Raises:
        ValueError: If the map is too small, or a cascade does not arrive at the size.

    Example:
        >>> downsample(torch.ones(2, 3, 17, 17), (8, 8), pool='cascade3').shape
        torch.Size([2, 3, 8, 8])
    """
    start, size = x, tuple(size)
    if tuple(x.shape[-2:]) == size:
        return x
    if pool in CASCADES:
        while min(x.shape[-2:]) >= CASCADES[pool] and tuple(x.shape[-2:]) != size:
            x = F.max_pool2d(x, CASCADES[pool], stride=2)
    elif x.shape[-2] >= size[0] and x.shape[-1] >= size[1]:
        x = (
            F.interpolate(x, size, mode='area')
            if pool == 'average'
            else (F.adaptive_max_pool2d(x, size))
        )
    return _require_size(x, size, start, pool)


def _halvings(channels: int, steps: int) -> nn.Sequential:
    """Convolutions that halve a map's height and width ``steps`` times."""
    convs = [nn.Conv2d(channels, channels, 2, stride=2) for _ in range(steps)]
    for conv in convs:
        xavier_init(conv, distribution='uniform')
    return nn.Sequential(*convs)


def _require_size(x: Tensor, size: Sequence[int], start: Tensor, pool: str) -> Tensor:
    if tuple(x.shape[-2:]) != tuple(size):
        raise ValueError(
            f'maps: expected a size from which pool={pool!r} leads to {tuple(size)}, '
            f'got {tuple(start.shape[-2:])}'
        )
    return x


def join_frames(x: Tensor, num_frames: int) -> Tensor:
    """Lay the positions of a video's frames next to each other.

    Args:
        x: Maps of the K frames of B videos.
        num_frames: Number K.

    Shape:
        - Input: (B K, C, H, W).
        - Output: (B, C, K H W).

    Example:
        >>> join_frames(torch.arange(12).view(4, 1, 1, 3), 2)[1].tolist()
        [[6, 7, 8, 9, 10, 11]]
    """
    return x.unflatten(0, (-1, num_frames)).transpose(1, 2).flatten(2)


def fuse_scales(scores: Sequence[Tensor], *, fusion: str = 'mul') -> Tensor:
    """Combine the scales' scores element by element.

    Implements the function F of Eq. (3).

    Args:
        scores: Scores of each scale, of one shape.
        fusion: 'mul', 'sum' or 'max'.

    Example:
        >>> fuse_scales([torch.tensor([0.0, 2.0]), torch.tensor([5.0, 3.0])]).tolist()
        [0.0, 6.0]
    """
    return reduce(FUSIONS[fusion], scores)


def attend_positions(scores: Tensor, *, norm: str = 'l2') -> Tensor:
    r"""Softmax over all positions, then rows of unit norm.

    Implements Eq. (3) of Interaction-aware spatio-temporal pyramid attention networks
    and the L2 normalization after it.

    Args:
        scores: Fused scores.
        norm: 'l2', or 'sum' to leave the rows of the softmax as they are.

    Shape:
        - Input, output: (B, d, n).

    Example:
        >>> attend_positions(torch.zeros(1, 1, 4)).tolist()
        [[[0.5, 0.5, 0.5, 0.5]]]
    """
    rows = torch.softmax(scores, dim=-1)
    return F.normalize(rows, dim=-1) if norm == 'l2' else rows
