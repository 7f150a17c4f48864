"""RoIAlign and RoIPool as operators that tracers can see through."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


# torch 2.6 cannot infer a schema from `collections.abc.Sequence`.
@torch.library.custom_op(
    'mmattn::roi_align',
    mutates_args=(),
    schema='(Tensor x, Tensor rois, SymInt[] size, float scale, '
    'SymInt sampling_ratio, bool aligned) -> Tensor',
)
def roi_align(
    x: Tensor,
    rois: Tensor,
    size: Sequence[int],
    scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Pool regions with mmcv's RoIAlign, by averages.

    A tracer cannot look into mmcv's compiled function; this operator tells it the
    shape of the result, and an exporter can replace it by its own.

    Args:
        x: Maps.
        rois: Index of the map, then left, top, right and bottom in pixels.
        size: Height and width of the result.
        scale: Pixels of the maps per pixel of the boxes.
        sampling_ratio: Samples per bin and axis, 0 for as many as fit.
        aligned: Whether pixels are centered at halves.

    Shape:
        - x: (N, C, H, W).
        - rois: (R, 5).
        - Output: (R, C, *size).
    """
    from mmcv.ops import roi_align as compiled

    height, width = size
    return compiled(x, rois, (height, width), scale, sampling_ratio, 'avg', aligned)


@roi_align.register_fake
def _(x: Tensor, rois: Tensor, size: Sequence[int], *_: Any) -> Tensor:
    return x.new_empty(len(rois), x.shape[1], *size)


@torch.library.custom_op(
    'mmattn::roi_pool',
    mutates_args=(),
    schema='(Tensor x, Tensor rois, SymInt[] size, float scale) -> Tensor',
)
def roi_pool(x: Tensor, rois: Tensor, size: Sequence[int], scale: float) -> Tensor:
    """Pool regions with mmcv's RoIPool.

    Args:
        x: Maps.
        rois: Index of the map, then left, top, right and bottom in pixels.
        size: Height and width of the result.
        scale: Pixels of the maps per pixel of the boxes.

    Shape:
        - x: (N, C, H, W).
        - rois: (R, 5).
        - Output: (R, C, *size).
    """
    from mmcv.ops import roi_pool as compiled

    height, width = size
    return compiled(x, rois, (height, width), scale)


@roi_pool.register_fake
def _(x: Tensor, rois: Tensor, size: Sequence[int], *_: Any) -> Tensor:
    return x.new_empty(len(rois), x.shape[1], *size)


class TraceableRoIAlign(nn.Module):
    """Takes the place of mmcv's ``RoIAlign`` where a model is traced.

    Args:
        layer: mmcv's layer.

    Raises:
        ValueError: If it pools maxima.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        if layer.pool_mode != 'avg':
            raise ValueError(
                f"pool_mode: expected 'avg' in the region extractor to trace it, got "
                f'{layer.pool_mode!r}'
            )
        self.size = list(layer.output_size)
        self.scale = layer.spatial_scale
        self.sampling_ratio = layer.sampling_ratio
        self.aligned = layer.aligned

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        """Pool the regions."""
        options = self.size, self.scale, self.sampling_ratio, self.aligned
        return roi_align(x, rois, *options)


class TraceableRoIPool(nn.Module):
    """Takes the place of mmcv's ``RoIPool`` where a model is traced.

    Args:
        layer: mmcv's layer.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.size = list(layer.output_size)
        self.scale = layer.spatial_scale

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        """Pool the regions."""
        return roi_pool(x, rois, self.size, self.scale)


def make_regions_traceable(model: nn.Module) -> None:
    """Replace every ``RoIAlign`` and ``RoIPool`` of mmcv in a model, in place.

    Args:
        model: The model.
    """
    traceable = {'RoIAlign': TraceableRoIAlign, 'RoIPool': TraceableRoIPool}
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            kind = type(layer)
            if kind.__name__ in traceable and kind.__module__.startswith('mmcv.'):
                setattr(parent, name, traceable[kind.__name__](layer))
