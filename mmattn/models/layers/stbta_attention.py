"""Spatial and temporal attention modules of STBTA.

Wang and Ma, Spatial-temporal bottom-up top-down attention model for action
recognition, section 3.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmattn.attention.capture import emit_attention
from mmattn.models.layers.clips import ClipModule, fold_frames
from mmattn.registry import MODELS
from mmattn.signatures import OddNumber, Positive


@MODELS.register_module()
class SpatialAttentionI(ClipModule):
    r"""SAM-I: add to each pixel itself, weighted by one gate for all channels.

    Implements Eq. (1) of Spatial-temporal bottom-up top-down attention model for
    action recognition, for each frame :math:`F`:
    :math:`M = \sigma(f^{conv}(F_{avg} + F_{max}))` with the mean and the maximum over
    the channels, and the output :math:`F M + F`.

    Differs from the paper in: Eq. (1) prints the maximum alone, its text adds the mean.
    The kernel size is not given.

    Hands out its gates as the attention map ``spatial_gate``.

    Args:
        kernel_size: Odd side of the convolution's kernel, in pixels.
        pool: What the convolution sees of the channels: 'avg+max', the sum of mean and
            maximum; 'max' or 'avg' alone; 'concat', both, as CBAM does.
        num_segments: Frames T of a clip in a batch of frames.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (B*T, C, H, W) or (B, C, T, H, W).
        - Output: as the input.
        - Map: (B, T, H, W).

    Raises:
        ValueError: If an option is out of range or a map has another shape.

    Example:
        >>> import torch
        >>> SpatialAttentionI()(torch.ones(2, 5, 7, 11)).shape
        torch.Size([2, 5, 7, 11])
    """

    def __init__(
        self,
        kernel_size: OddNumber = 7,
        *,
        pool: Literal['avg+max', 'max', 'avg', 'concat'] = 'avg+max',
        num_segments: Positive | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_segments, init_cfg)
        self.pool = pool
        self.conv = nn.Conv2d(
            2 if pool == 'concat' else 1, 1, kernel_size, padding=kernel_size // 2
        )

    def forward_clips(self, x: Tensor) -> Tensor:
        """Weight the pixels of clips."""
        B, _, T, _, _ = x.shape
        logits = self.conv(fold_frames(self._pooled(x)))  # (B*T, 1, H, W)
        gate = logits.sigmoid().unflatten(0, (B, T)).transpose(1, 2)  # Eq. (1)
        emit_attention(self, 'spatial_gate', gate[:, 0], ('row', 'frame', 'y', 'x'))
        return x * (1 + gate)

    def _pooled(self, x: Tensor) -> Tensor:
        """Descriptor of each pixel, (B, 1 or 2, T, H, W)."""
        if self.pool == 'avg':
            return x.mean(dim=1, keepdim=True)
        maximum = x.amax(dim=1, keepdim=True)
        if self.pool == 'max':
            return maximum
        mean = x.mean(dim=1, keepdim=True)
        if self.pool == 'concat':
            return torch.cat([mean, maximum], dim=1)
        return mean + maximum


@MODELS.register_module()
class SpatialAttentionII(ClipModule):
    r"""SAM-II: add to each pixel itself, weighted by a coefficient of its grid cell.

    Each channel of each frame is cut into N x N cells; the cells' maxima pass a
    depthwise convolution and a softmax, which gives the coefficients :math:`S`. With
    every pixel taking its cell's coefficient, the output is :math:`F S + F`.

    Differs from the paper in: the text does not say over what the softmax runs, how
    coefficients become pixels, and whether the input is added as in SAM-I.

    Hands out its coefficients as the attention map ``cell_weights``.

    Args:
        in_channels: Channels C of the map.
        grid: Cells N along each side.
        softmax_over: 'cells' of each channel, 'channels' at each cell, or 'all'.
        pointwise: Follow the depthwise by a pointwise convolution, which mixes
            channels.
        resize: How coefficients become pixels: 'nearest' or 'bilinear'.
        residual: Whether :math:`F` is added.
        rescale: Multiply the coefficients by N^2, so that uniform ones are 1.
        num_segments: Frames T of a clip in a batch of frames.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (B*T, C, H, W) or (B, C, T, H, W).
        - Output: as the input.
        - Map: (B, T, C, N, N).

    Raises:
        ValueError: If an option is out of range or a map has another shape.

    Example:
        >>> import torch
        >>> SpatialAttentionII(5)(torch.ones(2, 5, 7, 11)).shape
        torch.Size([2, 5, 7, 11])
    """

    def __init__(
        self,
        in_channels: Positive,
        grid: Positive = 3,
        *,
        softmax_over: Literal['cells', 'channels', 'all'] = 'cells',
        pointwise: bool = False,
        resize: Literal['nearest', 'bilinear'] = 'nearest',
        residual: bool = True,
        rescale: bool = False,
        num_segments: Positive | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_segments, init_cfg)
        self.in_channels = in_channels
        self.grid = grid
        self.softmax_over = softmax_over
        self.resize = resize
        self.residual = residual
        self.factor = grid**2 if rescale else 1
        self.conv = nn.Conv2d(
            in_channels, in_channels, 3, padding=1, groups=in_channels
        )
        self.pointwise = nn.Conv2d(in_channels, in_channels, 1) if pointwise else None

    def forward_clips(self, x: Tensor) -> Tensor:
        """Weight the cells of clips."""
        B, _, T, _, _ = x.shape
        frames = fold_frames(x)
        logits = self.conv(F.adaptive_max_pool2d(frames, self.grid))
        if self.pointwise is not None:
            logits = self.pointwise(logits)
        weights = self._softmax(logits)  # (B*T, C, N, N)
        emit_attention(
            self,
            'cell_weights',
            weights.unflatten(0, (B, T)),
            ('row', 'frame', 'channel', 'cell_y', 'cell_x'),
        )
        scale = F.interpolate(
            weights.to(x.dtype) * self.factor, frames.shape[-2:], mode=self.resize
        )
        y = frames * (1 + scale if self.residual else scale)
        return y.unflatten(0, (B, T)).transpose(1, 2)

    def _softmax(self, logits: Tensor) -> Tensor:
        if self.softmax_over == 'channels':
            return logits.softmax(dim=1)
        axis = 2 if self.softmax_over == 'cells' else 1
        return logits.flatten(axis).softmax(dim=-1).view_as(logits)


@MODELS.register_module()
class TemporalAttention(ClipModule):
    r"""TAM: weight the frames of a clip.

    The maximum of each channel in each frame, then the mean :math:`z_t` over the
    channels, a convolution over the frames and a sigmoid give one gate per frame,
    :math:`M = \sigma(f^{conv}(z))`; the output is :math:`F M`. A clip of one frame
    meets only the center of the kernel.

    Differs from the paper in: the extents of pool and kernel are not given.

    Hands out its gates as the attention map ``frame_gates``, in mode 'st' as
    ``spatial_temporal_gates``.

    Args:
        kernel_size: Odd extent of the convolution, in frames (in mode 'st', also in
            pixels).
        mode: 'frame' pools whole frames; 'st' pools 3 x 3 x 3 neighborhoods, convolves
            in three dimensions and has one gate per pixel.
        residual: Whether :math:`F` is added to the output.
        num_segments: Frames T of a clip in a batch of frames.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (B*T, C, H, W) or (B, C, T, H, W).
        - Output: as the input.
        - Map: (B, T), in mode 'st' (B, T, H, W).

    Raises:
        ValueError: If an option is out of range, a map has another shape, or the
            batch is no whole number of clips.

    Example:
        >>> import torch
        >>> TemporalAttention(num_segments=3)(torch.ones(6, 5, 7, 11)).shape
        torch.Size([6, 5, 7, 11])
    """

    across_frames = True

    def __init__(
        self,
        kernel_size: OddNumber = 3,
        *,
        mode: Literal['frame', 'st'] = 'frame',
        residual: bool = False,
        num_segments: Positive | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_segments, init_cfg)
        self.mode = mode
        self.residual = residual
        conv = nn.Conv1d if mode == 'frame' else nn.Conv3d
        self.conv = conv(1, 1, kernel_size, padding=kernel_size // 2)

    def forward_clips(self, x: Tensor) -> Tensor:
        """Weight the frames of clips."""
        if self.mode == 'frame':
            B, _, T, _, _ = x.shape
            maxima = F.adaptive_max_pool2d(fold_frames(x), 1)  # (B*T, C, 1, 1)
            z = maxima.mean(dim=1).view(B, 1, T)
            gate = self.conv(z).sigmoid()  # (B, 1, T)
            emit_attention(self, 'frame_gates', gate[:, 0], ('row', 'frame'))
            gate = gate[..., None, None]
        else:
            z = F.max_pool3d(x, 3, stride=1, padding=1).mean(dim=1, keepdim=True)
            gate = self.conv(z).sigmoid()  # (B, 1, T, H, W)
            axes = ('row', 'frame', 'y', 'x')
            emit_attention(self, 'spatial_temporal_gates', gate[:, 0], axes)
        return x * (1 + gate if self.residual else gate)
