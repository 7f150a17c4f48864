"""Bottom-up top-down pipeline of STBTA.

Wang and Ma, Spatial-temporal bottom-up top-down attention model for action
recognition, section 3; its residual module is that of Newell et al., Stacked hourglass
networks for human pose estimation, figure 4.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmattn.models.layers.build import build_attention
from mmattn.models.layers.clips import (
    ClipModule,
    fold_frames,
    keep_layout,
    unfold_clips,
)
from mmattn.registry import MODELS
from mmattn.signatures import Component, Positive
from mmattn.utils.autograd import recomputing_possible, transforms_active

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}
POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class HourglassResidual(nn.Module):
    """Pre-activated bottleneck with an identity: 1x1 to C/2, 3x3, 1x1 back to C.

    Args:
        channels: Channels C.
        dims: 2 for frames, 3 for clips.

    Shape:
        - Input: (N, C, H, W), or (N, C, T, H, W) for three dimensions.
        - Output: as the input.

    Example:
        >>> import torch
        >>> HourglassResidual(6)(torch.ones(2, 6, 5, 7)).shape
        torch.Size([2, 6, 5, 7])
    """

    def __init__(self, channels: int, dims: int = 2) -> None:
        super().__init__()
        hidden = max(channels // 2, 1)
        conv, norm = CONV[dims], NORM[dims]
        # Only the last bias is not taken out by a normalization.
        self.branch = nn.Sequential(
            norm(channels),
            nn.ReLU(inplace=True),
            conv(channels, hidden, 1, bias=False),
            norm(hidden),
            nn.ReLU(inplace=True),
            conv(hidden, hidden, 3, padding=1, bias=False),
            norm(hidden),
            nn.ReLU(inplace=True),
            conv(hidden, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to ``x``."""
        return x + self.branch(x)


@MODELS.register_module()
class Hourglass(ClipModule):
    r"""Pool a map ``t`` times, then upsample it and add the maps of the way down.

    Implements the bottom-up top-down pipeline of Spatial-temporal bottom-up top-down
    attention model for action recognition, section 3, with residual modules
    :math:`R` between adjacent layers:
    :math:`d_0 = x`, :math:`d_k = R(pool(d_{k-1}))`, :math:`u_t = d_t` and
    :math:`u_{k-1} = up(u_k) + d_{k-1}`, followed by :math:`R` if k > 1. Maps are
    upsampled bilinearly to the size of the map that is added.

    Differs from the paper in: where the residual modules stand is read from one
    sentence; there are 2t - 1 of them.

    Args:
        in_channels: Channels C of the map.
        t: Number of down- and of up-samplings.
        structure: 'minimal', or 'shn' for the 3t + 1 residual modules of stacked
            hourglass networks: one also on each map that is added, and two more at the
            lowest resolution.
        residual_skip: A residual module on each map that is added; 'shn' has them.
        pool_kernel: Side of the max pool of stride 2 in pixels: 2 without, 3 with
            padding by one pixel.
        ceil_mode: Round the sizes of pooled maps up.
        align_corners: Whether corner pixels stay at the corners in upsampling.
        inflate: Pool, convolve and upsample in time too, for clips of at least 2^t
            frames.
        attention: Config of a module that runs after each up-sampling but the last.
        with_cp: Pool again in the backward pass, instead of keeping indices of maxima.
        num_segments: Frames T of a clip in a batch of frames.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (B*T, C, H, W) or (B, C, T, H, W), H and W at least 2^t.
        - Output: as the input, channels last in memory.

    Raises:
        ValueError: If an option is out of range or a map is too small.

    Example:
        >>> import torch
        >>> Hourglass(6, 2)(torch.ones(2, 6, 5, 7)).shape
        torch.Size([2, 6, 5, 7])
    """

    def __init__(
        self,
        in_channels: Positive,
        t: Positive = 1,
        *,
        structure: Literal['minimal', 'shn'] = 'minimal',
        residual_skip: bool = False,
        pool_kernel: Literal[2, 3] = 2,
        ceil_mode: bool = False,
        align_corners: bool = False,
        inflate: bool = False,
        attention: Component | None = None,
        with_cp: bool = False,
        num_segments: Positive | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_segments, init_cfg)
        self.t = t
        self.with_cp = with_cp
        self.dims = 3 if inflate else 2
        self.across_frames = inflate
        self.resize_mode = 'trilinear' if inflate else 'bilinear'
        self.align_corners = align_corners
        self.pool = POOL[self.dims](
            pool_kernel, 2, padding=pool_kernel - 2, ceil_mode=ceil_mode
        )
        shn = structure == 'shn'
        at_lowest = 2 if shn else 0
        on_skip = int(shn or residual_skip)
        self.down = nn.ModuleList(self._residuals(in_channels, 1) for _ in range(t))
        self.up = nn.ModuleList(
            self._residuals(in_channels, at_lowest if k == t else 1)
            for k in range(1, t + 1)
        )
        self.skip = nn.ModuleList(
            self._residuals(in_channels, on_skip) for _ in range(t)
        )
        self.attention = nn.ModuleList()
        if attention is not None:
            self.attention.extend(
                build_attention('attention', attention, in_channels)
                for _ in range(t - 1)
            )

    def _residuals(self, channels: int, count: int) -> nn.Sequential:
        return nn.Sequential(
            *(HourglassResidual(channels, self.dims) for _ in range(count))
        )

    def forward_clips(self, x: Tensor) -> Tensor:
        """Combine all scales of clips."""
        self._require_size(x)
        T = x.shape[2]
        maps = x if self.dims == 3 else fold_frames(x)
        scales = []
        for residual in self.down:
            if self.with_cp and recomputing_possible():
                d, pooled = checkpoint(
                    self._pool, maps, use_reentrant=False, preserve_rng_state=False
                )
            else:
                d, pooled = self._pool(maps)
            scales.append(d)  # d_{k-1}
            maps = residual(pooled)  # d_k
        u = maps  # u_t
        for k in range(self.t, 0, -1):
            d = scales.pop()  # d_{k-1}
            u = self._upsample(self.up[k - 1](u), d) + self.skip[k - 1](d)
            if k > 1 and self.attention:
                u = self._attend(k - 2, u, T)
        u = keep_layout(u)
        return u if self.dims == 3 else unfold_clips(u, T)

    def _pool(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        # Pooling and upsampling on a CPU are many times faster in this layout.
        if not transforms_active():
            maps = maps.contiguous(memory_format=LAYOUT[self.dims])
        return maps, self.pool(maps)

    def _upsample(self, u: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(
            u,
            like.shape[2:],
            mode=self.resize_mode,
            align_corners=self.align_corners,
        )

    def _attend(self, level: int, u: Tensor, num_frames: int) -> Tensor:
        if self.dims == 3:
            return self.attention[level](u)
        return fold_frames(self.attention[level](unfold_clips(u, num_frames)))

    def _require_size(self, x: Tensor) -> None:
        least, size = 2**self.t, tuple(x.shape[-self.dims :])
        if min(size) < least:
            what = 'T x H x W' if self.dims == 3 else 'H x W'
            raise ValueError(
                f'map: expected at least {least} along each of {what} for t = '
                f'{self.t}, got {" x ".join(map(str, size))}'
            )
