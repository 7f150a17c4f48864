"""Self-attention over the pixels and over the channels and frames of a clip.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition, sections 3.1 and 3.2.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmattn.attention.capture import attention_wanted, emit_attention
from mmattn.models.layers.precision import full_precision
from mmattn.registry import MODELS
from mmattn.signatures import OddNumber, Positive
from mmattn.utils.autograd import backward_is_not_enough

Kernel = tuple[OddNumber, OddNumber, OddNumber]
Positions = Literal['CT', 'T']
Start = Literal['identity', 'gathering']


class _SelfAttention(BaseModule):
    """Three projections and a scale gamma of what is gathered.

    The equations' G and L are ``query`` (of position j), F and K are ``key`` (of
    position i), h and b are ``value``.
    """

    def __init__(
        self,
        in_channels: Positive,
        key_channels: int,
        kernel_size: Kernel,
        num_frames: Positive | None,
        start: Start,
        init_cfg: dict | list[dict] | None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        kernel = tuple(kernel_size)
        if num_frames is not None and kernel[0] != 1:
            raise ValueError(
                f'num_frames: expected a kernel_size of 1 in time, got {num_frames} '
                f'and {kernel}'
            )
        self.in_channels = in_channels
        self.num_frames = num_frames
        # W acts on the channels of each position, or on all C * T rows of Eq. (1).
        fold = num_frames or 1
        biased = start == 'gathering'
        self.query = _projection(
            fold * in_channels, fold * key_channels, kernel, bias=biased
        )
        self.key = _projection(fold * in_channels, fold * key_channels, kernel)
        self.value = _projection(fold * in_channels, fold * in_channels, kernel)
        self.gamma = nn.Parameter(torch.zeros(1))  # FSDP shards no scalars
        if self.query.bias is not None:
            nn.init.normal_(self.query.bias)
            nn.init.dirac_(self.value.weight)
            nn.init.ones_(self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        """Add what each position gathers from all others, scaled by gamma."""
        self._check(x)
        folded = x
        if self.num_frames is not None:
            folded = x.flatten(1, 2)[:, :, None]  # (R, C * T, 1, H, W)
        with full_precision(folded) as (wide,):
            query, key = self.query(wide), self.key(wide)
        value = self.value(folded)
        gathered = self.attend(query, key, value, x.shape)
        return self.gamma * gathered.reshape(x.shape) + x  # Eq. (3), (6)

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, shape: torch.Size
    ) -> Tensor:
        """Weigh the values by the softmax of the products of queries and keys."""
        raise NotImplementedError

    def _check(self, x: Tensor) -> None:
        T = self.num_frames
        wrong_frames = x.dim() == 5 and T is not None and x.shape[2] != T
        if x.dim() != 5 or x.shape[1] != self.in_channels or wrong_frames:
            raise ValueError(
                f'features: expected (R, {self.in_channels}, {T or "T"}, H, W), got '
                f'{tuple(x.shape)}'
            )


@MODELS.register_module()
class SpatialSelfAttention(_SelfAttention):
    r"""Each pixel looks at all pixels of the clip's frames.

    Implements Eq. (1)-(3) of Spatio-temporal SlowFast self-attention network for
    action recognition, with i and j over the H W pixels, whose vectors hold the
    channels of all frames:

    .. math::
        \beta_{j,i} = \mathrm{softmax}_i(F(x_i)^\top G(x_j)), \quad
        o_j = \sum_i \beta_{j,i} h(x_i), \quad sa = \gamma o + x

    Differs from the paper in: the products are not scaled by a width, as there; F and G
    have fewer channels than x, as in SAGAN, on which the paper builds.

    Hands out :math:`\beta` as the attention map ``pixel_weights``.

    Args:
        in_channels: Channels C.
        kernel_size: Kernel of the three projections (t, y, x), odd numbers.
        reduction: Ratio of C to the channels of F and G, which have at least 1.
        num_frames: None for projections of the C channels of each position; T for
            projections of all C T rows, whose kernel has no extent in time.
        per_frame: Whether each frame has a map of its own, whose vectors hold the
            channels of that frame alone; False as the paper has it.
        start: 'identity' as the paper has it, with a gamma of 0, or 'gathering': gamma
            is 1, the values are the features themselves, and the queries have a bias
            from N(0, 1), by which all positions can ask for the same.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (R, C, T, H, W), with any T (unless ``num_frames`` is given), H, W and
          also R = 0.
        - Output: as the input.

    Raises:
        ValueError: If an option is out of range or the features have another shape.

    Example:
        >>> SpatialSelfAttention(16)(torch.ones(2, 16, 4, 7, 7)).shape
        torch.Size([2, 16, 4, 7, 7])
    """

    def __init__(
        self,
        in_channels: Positive,
        kernel_size: Kernel = (1, 1, 1),
        *,
        reduction: Positive = 8,
        num_frames: Positive | None = None,
        per_frame: bool = False,
        start: Start = 'identity',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if per_frame and num_frames is not None:
            raise ValueError(
                'num_frames: expected None with per_frame=True (projections of all C T '
                f'rows mix the frames), got {num_frames}'
            )
        width = max(in_channels // reduction, 1)
        super().__init__(in_channels, width, kernel_size, num_frames, start, init_cfg)
        self.per_frame = per_frame

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, shape: torch.Size
    ) -> Tensor:
        """Attend over the pixels, of all frames at once or of each."""
        R, C, T, H, W = shape
        if self.per_frame:  # (R * T, C, 1, H, W)
            query, key, value = (
                x.transpose(1, 2).flatten(0, 1)[:, :, None] for x in (query, key, value)
            )
        g, f, h = (_rows(x, 3).transpose(1, 2) for x in (query, key, value))
        if attention_wanted():
            beta = attention_map(g, f)  # Eq. (1): (R, H * W, H * W)
            frames, axes = ((T,), ('frame',)) if self.per_frame else ((), ())
            beta = beta.view(R, *frames, H * W, H, W)
            emit_attention(
                self, 'pixel_weights', beta, ('row', *axes, 'query', 'y', 'x')
            )
        o = fused_attention(g, f, h).transpose(1, 2)  # Eq. (2): (R, C * T, H * W)
        return o.view(R, T, C, H, W).transpose(1, 2) if self.per_frame else o


@MODELS.register_module()
class TemporalSelfAttention(_SelfAttention):
    r"""Each channel of each frame looks at all channels of all frames.

    Implements Eq. (4)-(6) of Spatio-temporal SlowFast self-attention network for
    action recognition, with i and j over the C T channels of frames, whose vectors
    hold the pixels:

    .. math::
        \alpha_{j,i} = \mathrm{softmax}_i(K(x_i)^\top L(x_j)), \quad
        m_j = \sum_i \alpha_{j,i} b(x_i), \quad st = \gamma m + x

    The (C T, C T) map is only built while it is captured. With ``positions='T'``
    frames look at frames, and their vectors hold channels and pixels.

    Hands out :math:`\alpha` as the attention map ``frame_weights``.

    Args:
        in_channels: Channels C.
        kernel_size: Kernel of the three projections (t, y, x), odd numbers.
        positions: 'CT' as the paper has it, or 'T'.
        reduction: Ratio of C to the channels of K and L with ``positions='T'``.
        num_frames: See :class:`SpatialSelfAttention`; needs ``positions='CT'``.
        start: See :class:`SpatialSelfAttention`.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (R, C, T, H, W), as in :class:`SpatialSelfAttention`.
        - Output: as the input.

    Raises:
        ValueError: If an option is out of range or the features have another shape.

    Example:
        >>> TemporalSelfAttention(16)(torch.ones(2, 16, 4, 7, 7)).shape
        torch.Size([2, 16, 4, 7, 7])
    """

    def __init__(
        self,
        in_channels: Positive,
        kernel_size: Kernel = (1, 1, 1),
        *,
        positions: Positions = 'CT',
        reduction: Positive = 8,
        num_frames: Positive | None = None,
        start: Start = 'identity',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if positions == 'T' and num_frames is not None:
            raise ValueError(
                "num_frames: expected None with positions='T' (projections of all C T "
                f'rows mix the frames), got {num_frames}'
            )
        width = in_channels
        if positions == 'T':
            width = max(in_channels // reduction, 1)
        super().__init__(in_channels, width, kernel_size, num_frames, start, init_cfg)
        self.positions = positions

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, shape: torch.Size
    ) -> Tensor:
        """Attend over the channels of all frames, or over the frames."""
        R, C, T, H, W = shape
        if self.positions == 'CT':
            q, k, b = (_rows(x, 3) for x in (query, key, value))  # (R, C * T, H * W)
            self._emit(q, k, ('row', 'query', 'channel', 'frame'), (R, C * T, C, T))
            return fused_attention(q, k, b)  # Eq. (5)
        q, k, b = (_rows(x.transpose(1, 2), 2) for x in (query, key, value))
        self._emit(q, k, ('row', 'query', 'frame'), (R, T, T))
        m = fused_attention(q, k, b)  # (R, T, C * H * W)
        return m.view(R, T, C, H * W).transpose(1, 2)

    def _emit(
        self, query: Tensor, key: Tensor, axes: Sequence[str], shape: Sequence[int]
    ) -> None:
        if attention_wanted():
            alpha = attention_map(query, key)  # Eq. (4)
            emit_attention(self, 'frame_weights', alpha.view(*shape), axes)


def fused_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax of unscaled products times values, without keeping the map.

    In full precision under autocast.

    Args:
        query: One row per position that attends.
        key: One row per position that is attended to.
        value: One row per position that is attended to.

    Shape:
        - Input: (R, N, D), (R, M, D) and (R, M, E).
        - Output: (R, N, E).

    Example:
        >>> q = torch.zeros(1, 2, 3)
        >>> fused_attention(q, q, torch.eye(2)[None])[0, 0].tolist()
        [0.5, 0.5]
    """
    width = value.shape[-1]
    if query.is_cuda:
        # Fused kernels want a multiple of 8 (7 x 7 pixels are 49); zeros add nothing.
        query, key, value = _padded(query), _padded(key), _padded(value)
    with full_precision(query, key, value) as rows:
        q, k, v = (x[:, None] for x in rows)
        if backward_is_not_enough():
            # Fused kernels have neither forward mode nor second derivatives.
            return (torch.softmax(q @ k.mT, dim=-1) @ v)[:, 0, :, :width]
        return F.scaled_dot_product_attention(q, k, v, scale=1.0)[:, 0, :, :width]


def attention_map(query: Tensor, key: Tensor) -> Tensor:
    """Weights that :func:`fused_attention` uses, in full precision.

    Args:
        query: One row per position that attends.
        key: One row per position that is attended to.

    Shape:
        - Input: (R, N, D) and (R, M, D).
        - Output: (R, N, M); rows sum to 1.
    """
    with torch.no_grad(), full_precision(query, key) as (q, k):
        return (q @ k.transpose(1, 2)).softmax(dim=2)


def _padded(x: Tensor) -> Tensor:
    missing = -x.shape[-1] % 8
    return F.pad(x, (0, missing)) if missing else x


def _rows(x: Tensor, start: int) -> Tensor:
    """Matrices whose columns are the axes from ``start`` on."""
    rows = x.shape[1:start].numel()
    return x.reshape(len(x), rows, x.shape[start:].numel())


def _projection(
    in_channels: int, out_channels: int, kernel: tuple, bias: bool = False
) -> nn.Conv3d:
    return nn.Conv3d(in_channels, out_channels, kernel, padding='same', bias=bias)
