"""What stands in a clip in place of what was taken away."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmattn.utils.arguments import require_choice

REPLACEMENTS = ('blur', 'mean', 'freeze', 'road')
BLUR_SHARE = 8  # a clip is blurred by the shorter side over this, in pixels
ROAD_SIDE = 32  # the linear system has at most so many pixels along the shorter side
ROAD_NOISE = 2.55  # 1 % of the range of a pixel
# Of a pixel's neighbors: (dy, dx) and weight (ROAD, section 4); time is ours.
STRAIGHT, DIAGONAL = 1 / 6, 1 / 12
NEIGHBORS = (
    ((0, 0, 1), STRAIGHT),
    ((0, 1, 0), STRAIGHT),
    ((0, 1, 1), DIAGONAL),
    ((0, 1, -1), DIAGONAL),
    ((1, 0, 0), STRAIGHT),
)


class Replacer:
    """Take parts of a clip away.

    =============  ================================================================
    ``'blur'``     the frame, blurred (Gaussian, an eighth of the shorter side)
    ``'mean'``     the mean color of the clip
    ``'freeze'``   the same place in the nearest frame that still has it, the earlier
                   of two; in the middle frame, if none has: without motion
    ``'road'``     noisy linear imputation (Rong et al., A consistent and efficient
                   evaluation strategy for attribution methods): each pixel is the
                   weighted mean of its neighbors, plus a little noise
    =============  ================================================================

    Differs from the paper in: ``'road'`` also has the pixels of the frames before and
    after as neighbors, as whole frames can be gone; frames with more than 32 pixels
    along the shorter side are solved at 32, and enlarged.

    Args:
        frames: The clip, pixels from 0 to 255.
        kind: See above.
        seed: Of the noise.

    Shape:
        - frames: (F, C, H, W)

    Raises:
        ValueError: If the kind is unknown or the clip has other axes.

    Example:
        >>> clip = torch.tensor([[[[0, 100]]], [[[200, 100]]]], dtype=torch.uint8)
        >>> gone = np.array([[[True, False]], [[False, False]]])
        >>> Replacer(clip, 'freeze')(gone)[0].tolist()
        [[[200, 100]]]
        >>> Replacer(clip, 'mean')(gone)[0].tolist()
        [[[100, 100]]]
    """

    def __init__(self, frames: Tensor, kind: str, *, seed: int = 0) -> None:
        require_choice('replace', kind, REPLACEMENTS)
        if frames.ndim != 4 or not frames.numel():
            raise ValueError(
                f'frames: expected a clip (F, C, H, W), got {tuple(frames.shape)}'
            )
        self.frames = frames
        self.kind = kind
        self.seed = seed
        self._base: Tensor | None = None

    def __call__(self, removed: np.ndarray) -> Tensor:
        """Return the clip without the units that are gone.

        Args:
            removed: Which are gone, bool: frames (F,), cells of all frames (h, w), or
                cells of each frame (F, h, w).

        Returns:
            The clip (F, C, H, W), of the same type.
        """
        units = _units(removed, len(self.frames))
        if not units.any():
            return self.frames
        if self.kind == 'freeze':
            source = _spread(_nearest_kept(units), self.frames)
            return self.frames.gather(0, source.expand_as(self.frames))
        gone = _spread(units, self.frames)
        if self.kind == 'road':
            filled = _imputed(self.frames.double(), gone, self.seed)
        else:
            filled = self._static()
        if not self.frames.is_floating_point():
            filled = filled.round().clamp(0, 255)
        return torch.where(gone, filled.to(self.frames.dtype), self.frames)

    def _static(self) -> Tensor:
        if self._base is None:
            clip = self.frames.double()
            if self.kind == 'mean':
                base = clip.mean(dim=(0, 2, 3), keepdim=True).expand_as(clip)
            else:
                base = _blurred(clip, min(clip.shape[-2:]) / BLUR_SHARE)
            self._base = base
        return self._base


def _units(removed: np.ndarray, count: int) -> Tensor:
    """Which cells of each frame are gone, (F, h, w); h = w = 1 for whole frames."""
    units = torch.from_numpy(np.array(removed, dtype=bool))
    if units.ndim == 1:
        units = units[:, None, None]
    elif units.ndim == 2:
        units = units[None]
    if units.ndim != 3 or len(units) not in (1, count):
        raise ValueError(
            f'removed: expected frames ({count},), cells (h, w) or cells of each frame '
            f'({count}, h, w), got shape {np.shape(removed)}'
        )
    return units.expand(count, -1, -1)


def _spread(cells: Tensor, frames: Tensor) -> Tensor:
    """Give each pixel the value of its cell, (F, 1, H, W)."""
    H, W = frames.shape[-2:]
    rows = torch.arange(H) * cells.shape[1] // H
    columns = torch.arange(W) * cells.shape[2] // W
    return cells[:, rows][:, :, columns][:, None]


def _blurred(clip: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of each frame, edges repeated, (F, C, H, W)."""
    radius = max(1, round(3 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=clip.dtype)
    kernel = torch.exp(-(at**2) / (2 * max(sigma, 1e-3) ** 2))
    kernel = kernel / kernel.sum()
    planes = clip.flatten(0, 1)[:, None]
    for shape, pad in (
        ((1, -1), (radius, radius, 0, 0)),
        ((-1, 1), (0, 0, radius, radius)),
    ):
        padded = F.pad(planes, pad, mode='replicate')
        planes = F.conv2d(padded, kernel.reshape(1, 1, *shape))
    return planes[:, 0].reshape(clip.shape)


def _nearest_kept(units: Tensor) -> Tensor:
    """Number of the nearest frame that still has each cell, (F, h, w)."""
    count = len(units)
    numbers = torch.arange(count)
    later = numbers > numbers[:, None]
    cost = 2 * (numbers - numbers[:, None]).abs() + later  # (F, F)
    costs = torch.where(units, 4 * count, cost[:, :, None, None])  # (F, F, h, w)
    nearest = costs.argmin(dim=1)
    nearest[:, units.all(dim=0)] = (count - 1) // 2
    return nearest


def _imputed(clip: Tensor, gone: Tensor, seed: int) -> Tensor:
    """The clip with what is gone imputed, (F, C, H, W), in float64."""
    size = clip.shape[-2:]
    scale = ROAD_SIDE / min(size)
    if scale >= 1:
        return _solved(clip, gone) + _noise(clip, seed)
    small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    kept = F.adaptive_avg_pool2d((~gone).to(clip.dtype), small)
    means = F.adaptive_avg_pool2d(clip * ~gone, small) / kept.clamp(min=1e-9)
    filled = _solved(means, kept <= 0)
    large = F.interpolate(filled, size, mode='bilinear', align_corners=False)
    return large + _noise(clip, seed)


def _noise(clip: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return ROAD_NOISE * torch.randn(clip.shape, generator=generator, dtype=clip.dtype)


def _solved(clip: Tensor, gone: Tensor, *, tolerance: float = 1e-5) -> Tensor:
    """Make each missing pixel the weighted mean of its neighbors.

    The system is symmetric and positive definite where a pixel is left, and is solved
    by conjugate gradients.
    """
    if gone.all():
        return clip.mean(dim=(0, 2, 3), keepdim=True).expand_as(clip)
    known = clip * ~gone
    x = torch.where(gone, known.sum() / (~gone.expand_as(clip)).sum(), known)
    residual = -_laplacian(x) * gone
    direction, rest = residual.clone(), residual.square().sum()
    limit = tolerance**2 * max(float(rest), 1e-12)
    for _ in range(int(gone.sum()) + 1):
        if rest <= limit:
            break
        applied = _laplacian(direction) * gone
        step = rest / (direction * applied).sum()
        x = x + step * direction
        residual = residual - step * applied
        rest, last = residual.square().sum(), rest
        direction = residual + rest / last * direction
    return x


def _laplacian(x: Tensor) -> Tensor:
    """Sum over neighbors of weight times difference, (F, C, H, W)."""
    total = torch.zeros_like(x)
    for (dt, dy, dx), weight in NEIGHBORS:
        here, there = _pair(x, dt, dy, dx)
        difference = weight * (here - there)
        first, second = _pair(total, dt, dy, dx)
        first += difference
        second -= difference
    return total


def _pair(x: Tensor, dt: int, dy: int, dx: int) -> tuple[Tensor, Tensor]:
    """Views of x on pixels and on those that are (dt, dy, dx) further."""
    T, _, H, W = x.shape
    here = x[: T - dt, :, : H - dy, max(0, -dx) : W - max(0, dx)]
    return here, x[dt:, :, dy:, max(0, dx) : W + min(0, dx)]
