"""Slow and fast, spatial and temporal self-attention side by side.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition, section 3.3 and Fig. 2.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmattn.models.layers.slowfast_attn_modules import (
    Kernel,
    Positions,
    SpatialSelfAttention,
    Start,
    TemporalSelfAttention,
)
from mmattn.registry import MODELS
from mmattn.signatures import Positive


@MODELS.register_module()
class SlowFastAttention(BaseModule):
    """Four branches that look at the same features: space and time, slow and fast.

    Implements section 3.3 of Spatio-temporal SlowFast self-attention network for
    action recognition: spatial (Eq. 1-3) and temporal attention (Eq. 4-6), each with
    a large kernel for slow and a small one for fast actions. Each branch stacks
    ``num_layers`` modules; what the branches yield is pooled and combined.

    As a module inside of a backbone, it keeps the shape with ``pool=None`` and
    ``combination='mean'``; it starts as the identity then.

    Args:
        in_channels: Channels of the features.
        channels: Width C that enters the attention modules, reached by a 1x1x1
            convolution; None for ``in_channels``.
        spatial: Whether there are spatial branches (SSFA).
        temporal: Whether there are temporal branches (TSFA).
        num_layers: Attention modules in each branch.
        slow_kernel: Kernel (t, y, x) of the slow branches, None for no such branches.
        fast_kernel: Kernel (t, y, x) of the fast branches, None for no such branches.
        positions: What temporal attention compares, 'CT' or 'T', see
            :class:`TemporalSelfAttention`.
        reduction: Ratio of C to the channels of queries and keys where the equations
            leave these free.
        num_frames: Frames T if the projections act on all C T rows.
        per_frame: Whether spatial attention looks at each frame alone, see
            :class:`SpatialSelfAttention`.
        start: How the modules start, 'identity' as the paper has it or 'gathering', see
            :class:`SpatialSelfAttention`.
        pool: 'avg' (GAP) or 'max' (GMP) over frames and pixels, None for no pooling.
        norm: Layer normalization over the channels: 'layer' at each position after
            each attention module, 'pooled' of the branches' pooled features, or None.
        combination: 'concat', 'sum' or 'mean' of the branches.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (R, in_channels, T, H, W), also with R = 0.
        - Output: (R, out_channels, 1, 1, 1), or (R, out_channels, T, H, W) with
          ``pool=None``; the attribute ``out_channels`` is C, times the number of
          branches for 'concat'.

    Raises:
        ValueError: If an option is out of range, or no branch is left.

    Example:
        >>> attention = SlowFastAttention(16, norm='layer')
        >>> attention(torch.ones(3, 16, 4, 7, 7)).shape
        torch.Size([3, 64, 1, 1, 1])
    """

    def __init__(
        self,
        in_channels: Positive,
        channels: Positive | None = None,
        *,
        spatial: bool = True,
        temporal: bool = True,
        num_layers: Positive = 2,
        slow_kernel: Kernel | None = (5, 1, 1),
        fast_kernel: Kernel | None = (1, 1, 1),
        positions: Positions = 'CT',
        reduction: Positive = 8,
        num_frames: Positive | None = None,
        per_frame: bool = False,
        start: Start = 'identity',
        pool: Literal['avg', 'max', None] = 'avg',
        norm: Literal['layer', 'pooled', None] = None,
        combination: Literal['concat', 'sum', 'mean'] = 'concat',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if norm == 'pooled' and pool is None:
            raise ValueError(
                "pool: expected 'avg' or 'max' with norm='pooled', got None"
            )
        C = in_channels if channels is None else channels
        self.reduce: nn.Module = nn.Identity()
        if in_channels != C:
            self.reduce = nn.Conv3d(in_channels, C, 1)
        self.pool = pool
        self.combination = combination
        self.branches = nn.ModuleDict()
        kinds: dict[str, Callable[..., Any]] = {}
        if spatial:
            kinds['spatial'] = partial(SpatialSelfAttention, per_frame=per_frame)
        if temporal:
            kinds['temporal'] = partial(TemporalSelfAttention, positions=positions)
        shared = dict(reduction=reduction, num_frames=num_frames, start=start)
        for speed, kernel in (('slow', slow_kernel), ('fast', fast_kernel)):
            if kernel is None:
                continue
            for name, make in kinds.items():
                layers = [make(C, kernel, **shared) for _ in range(num_layers)]
                self.branches[f'{name}_{speed}'] = _stacked(layers, norm)
        if not self.branches:
            raise ValueError(
                'spatial, temporal, slow_kernel and fast_kernel: expected at least one '
                f'branch, got {spatial}, {temporal}, {slow_kernel} and {fast_kernel}'
            )
        self.out_channels = C * (len(self.branches) if combination == 'concat' else 1)
        pooled = self.branches if norm == 'pooled' else ()
        self.pooled_norms = nn.ModuleDict({name: ChannelNorm(C) for name in pooled})

    def forward(self, x: Tensor) -> Tensor:
        """Run the branches and combine what they yield."""
        x = self.reduce(x)
        outputs = []
        for name, branch in self.branches.items():
            y = self._pooled(branch(x))
            if name in self.pooled_norms:
                y = self.pooled_norms[name](y)
            outputs.append(y)
        if self.combination == 'concat':
            return torch.cat(outputs, dim=1)
        total = torch.stack(outputs).sum(dim=0)
        return total if self.combination == 'sum' else total / len(outputs)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == 'avg':
            return x.mean(dim=(2, 3, 4), keepdim=True)
        return x if self.pool is None else x.amax(dim=(2, 3, 4), keepdim=True)


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels at each frame and pixel.

    Args:
        normalized_shape: Channels C.

    Shape:
        - Input: (R, C, T, H, W).
        - Output: as the input.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each position."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def _stacked(layers: Sequence[Any], norm: str | None) -> nn.Sequential:
    branch = nn.Sequential()
    for layer in layers:
        branch.append(layer)
        # Without a norm its place stays, so that checkpoints number layers alike.
        has_norm = norm == 'layer'
        branch.append(ChannelNorm(layer.in_channels) if has_norm else nn.Identity())
    return branch
