"""Pooling of regions: the operators behind ``mmcv.ops.RoIAlign`` and ``RoIPool``.

An average of RoIAlign is a weighted sum of pixels, so all bins of all RoIs are one
sparse matrix times the pixels, and the gradient of the pixels is its transpose times
the gradient of the bins.  A maximum is taken over the candidates of each bin.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from mmattn.operators.torchvision import torchvision_operators

MAX_ELEMENTS = 2**25  # of an intermediate result; a larger one is made in parts
MAX = 0  # mmcv's number of the mode of RoIAlign that pools maxima; 1 averages


class Axis(NamedTuple):
    """Samples of all RoIs along one axis of the maps.

    Shape:
        - pixels, weights: (R, bins, S, 2), the two neighbors of each sample.
        - exist: (R, S), false where a RoI has fewer samples than others.
    """

    pixels: Tensor
    weights: Tensor
    exist: Tensor


class Regions(NamedTuple):
    """Where RoIs sample maps; every field has an entry for each RoI."""

    maps: Tensor
    y: Axis
    x: Axis

    def parts(self, elements: int) -> 'Iterator[tuple[slice, Regions]]':
        """Cut into parts, by how many elements a RoI adds to an intermediate result."""
        for part in _parts(len(self.maps), elements):
            y, x = (Axis(*(t[part] for t in axis)) for axis in (self.y, self.x))
            yield part, Regions(self.maps[part], y, x)


def _parts(length: int, elements: int) -> Iterator[slice]:
    step = max(MAX_ELEMENTS // elements, 1)
    return (slice(i, i + step) for i in range(0, length, step))


def sample_axis(
    start: Tensor, size: Tensor, bins: int, length: int, sampling_ratio: int
) -> Axis:
    """Place the samples of RoIAlign along one axis.

    Args:
        start: First coordinate of each RoI, in pixels of the map.
        size: Extent of each RoI.
        bins: Bins per RoI.
        length: Pixels of the map.
        sampling_ratio: Samples per bin; 0 for as many as the bin has pixels, rounded
            up.

    Returns:
        The samples, with the weights of linear interpolation, which are 0 more than a
        pixel outside the map.

    Shape:
        - start, size: (R,).
    """
    step = (size / bins)[:, None, None]
    counts = step.ceil()
    if sampling_ratio > 0:
        counts = torch.full_like(step, sampling_ratio)
    number = torch.arange(max(int(counts.max()), 1), device=start.device)
    first = torch.arange(bins, device=start.device)[:, None] * step
    inner = (number + 0.5) * step / counts.clamp(min=1)
    positions = start[:, None, None] + first + inner
    exist = number < counts
    inside = exist & (positions >= -1) & (positions <= length)
    positions = positions.clamp(0, length - 1)
    low = positions.floor()
    share = positions - low
    pixels = torch.stack([low, (low + 1).clamp(max=length - 1)], dim=-1).long()
    weights = torch.stack([1 - share, share], dim=-1) * inside[..., None]
    return Axis(pixels, weights, exist[:, 0])


def _regions(
    rois: Tensor,
    shape: torch.Size,
    size: torch.Size,
    scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Regions:
    """Place the samples of RoIAlign on maps of a shape."""
    edges = rois[:, 1:] * scale - (0.5 if aligned else 0.0)
    extents = edges[:, 2:] - edges[:, :2]
    if not aligned:
        extents = extents.clamp(min=1)
    elif not bool((extents >= 0).all()):
        wrong = rois[~(extents >= 0).all(1)][0, 1:].tolist()
        raise ValueError(
            f'expected RoIs with left <= right and top <= bottom, got {wrong}'
        )
    y, x = (
        sample_axis(
            edges[:, i], extents[:, i], size[-1 - i], shape[-1 - i], sampling_ratio
        )
        for i in (1, 0)
    )
    return Regions(_maps(rois, shape), y, x)


def _maps(rois: Tensor, shape: torch.Size) -> Tensor:
    """Index of the map of each RoI."""
    maps = rois[:, 0].long()
    if not bool(((maps >= 0) & (maps < shape[0])).all()):
        raise ValueError(
            f'expected RoIs whose first column is the index of a map, 0 to '
            f'{shape[0] - 1}, got {maps.min().item()} to {maps.max().item()}'
        )
    return maps


def _wide(tensor: Tensor) -> torch.dtype:
    """Type to compute in: that of the tensor, but at least float32."""
    return torch.promote_types(tensor.dtype, torch.float32)


def _table(maps: Tensor) -> Tensor:
    """Pixels as rows: (N, C, H, W) -> (N * H * W, C)."""
    return maps.to(_wide(maps)).permute(0, 2, 3, 1).flatten(0, 2)


def _write(table: Tensor, maps: Tensor) -> None:
    """Write rows into maps, the reverse of :func:`_table`."""
    N, C, H, W = maps.shape
    maps.copy_(table.view(N, H, W, C).permute(0, 3, 1, 2))


def _weighted_sums(
    table: Tensor, sums: Tensor, terms: Tensor, weights: Tensor, length: int
) -> Tensor:
    """Multiply a sparse matrix, given by its entries, with a table.

    Args:
        table: The rows that are added.
        sums: Which sum each entry belongs to, in rising order.
        terms: Which row of the table each entry adds.
        weights: The entries.
        length: Number of sums.

    Shape:
        - table: (V, C).
        - sums, terms, weights: (E,).
        - Output: (length, C).
    """
    ends = torch.bincount(sums, minlength=length).cumsum(0)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    return embedding_bag(terms, table, starts, mode='sum', per_sample_weights=weights)


def _neighbors(regions: Regions, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Rows in the table of pixels, and weights, of every sample of every bin.

    Shape:
        - Output: (R * bins, S, 4) each.
    """

    def meet(y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return y[:, :, None, :, None, :, None], x[:, None, :, None, :, None, :]

    def flat(tensor: Tensor) -> Tensor:
        return tensor.flatten(5).flatten(3, 4).flatten(0, 2)

    maps = regions.maps.view(-1, 1, 1, 1, 1, 1, 1)
    y, x = meet(regions.y.pixels, regions.x.pixels)
    y_weights, x_weights = meet(regions.y.weights, regions.x.weights)
    return flat((maps * shape[2] + y) * shape[3] + x), flat(y_weights * x_weights)


def _average_entries(
    regions: Regions, shape: torch.Size
) -> tuple[Tensor, Tensor, Tensor]:
    """Entries of the matrix from pixels to averages: bins, pixels and weights."""
    pixels, weights = (t.flatten(1) for t in _neighbors(regions, shape))
    samples = regions.y.exist.sum(1) * regions.x.exist.sum(1)
    bins_per_roi = regions.y.pixels.shape[1] * regions.x.pixels.shape[1]
    weights = weights / samples.clamp(min=1).repeat_interleave(bins_per_roi)[:, None]
    bins, entries = weights.nonzero(as_tuple=True)
    return bins, pixels[bins, entries], weights[bins, entries]


def _largest(values: Tensor, exist: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum over candidates and its number; 0 and -1 where there is none.

    Shape:
        - values: (B, K, C).
        - exist: (B, K).
        - Output: (B, C) each.
    """
    which = values.masked_fill(~exist[..., None], -torch.inf).argmax(1)
    best = values.gather(1, which[:, None])[:, 0]
    empty = ~exist.any(1, keepdim=True)
    return best.masked_fill(empty, 0), which.masked_fill(empty, -1)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool regions at bilinear samples.

    A bin without samples, of a region without extent, is 0.

    Args:
        input: Maps.
        rois: Index of the map, then left, top, right and bottom.
        output: Receives the bins.
        argmax_y: For maxima, receives the row of the pooled sample among those of its
            bin, -1 where there is none.
        argmax_x: For maxima, receives its column.
        aligned_height: Rows of bins.
        aligned_width: Columns of bins.
        spatial_scale: Pixels of the maps per pixel of the boxes.
        sampling_ratio: Samples per bin and axis; 0 for as many as the bin has pixels.
        pool_mode: 0 for maxima, 1 for averages.
        aligned: Whether pixels are centered at halves.

    Raises:
        ValueError: If an aligned RoI has a negative size, or a RoI names no map.

    Shape:
        - input: (N, C, H, W).
        - rois: (R, 5).
        - output, argmax_y, argmax_x: (R, C, aligned_height, aligned_width).
    """
    if not output.numel():
        return
    size, shape, channels = output.shape[2:], input.shape, input.shape[1]
    options = spatial_scale, sampling_ratio, aligned
    regions = _regions(rois.to(_wide(input)), shape, size, *options)
    torchvision = torchvision_operators()
    if torchvision is not None and pool_mode != MAX:
        x, boxes = input.to(_wide(input)), rois.to(_wide(input))
        output.copy_(torchvision.roi_align(x, boxes, options[0], *size, *options[1:]))
        return
    table = _table(input)
    samples = regions.y.exist.shape[1] * regions.x.exist.shape[1]
    if pool_mode != MAX:
        for part, some in regions.parts(4 * samples * size.numel()):
            bins = len(some.maps) * size.numel()
            entries = _average_entries(some, shape)
            _write(_weighted_sums(table, *entries, bins), output[part])
        return
    for part, some in regions.parts(samples * size.numel() * channels):
        pixels, weights = (t.flatten(0, 1) for t in _neighbors(some, shape))
        values = embedding_bag(pixels, table, mode='sum', per_sample_weights=weights)
        exist = (some.y.exist[:, :, None] & some.x.exist[:, None]).flatten(1)
        exist = exist.repeat_interleave(size.numel(), dim=0)
        best, which = _largest(values.view(-1, samples, channels), exist)
        _write(best, output[part])
        columns = regions.x.exist.shape[1]
        _write(which.div(columns, rounding_mode='floor'), argmax_y[part])
        _write(which.remainder(columns).where(which >= 0, which), argmax_x[part])


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of :func:`roi_align_forward` in its maps.

    Args:
        grad_output: Gradient of the bins.
        rois: See :func:`roi_align_forward`; so are the arguments that stand not here.
        argmax_y: What the forward pass wrote.
        argmax_x: What the forward pass wrote.
        grad_input: Receives the gradient.
        aligned_height: Rows of bins.
        aligned_width: Columns of bins.
        spatial_scale: Pixels of the maps per pixel of the boxes.
        sampling_ratio: Samples per bin and axis.
        pool_mode: 0 for maxima, 1 for averages.
        aligned: Whether pixels are centered at halves.

    Shape:
        - grad_output: (R, C, aligned_height, aligned_width).
        - grad_input: (N, C, H, W).
    """
    if not grad_output.numel():
        return
    size, shape = grad_output.shape[2:], grad_input.shape
    options = spatial_scale, sampling_ratio, aligned
    boxes = rois.to(_wide(grad_output))
    torchvision = torchvision_operators()
    if torchvision is not None and pool_mode != MAX:
        grads = grad_output.to(boxes.dtype).contiguous()
        grad_input.copy_(
            torchvision._roi_align_backward(
                grads, boxes, options[0], *size, *shape, *options[1:]
            )
        )
        return
    regions = _regions(boxes, shape, size, *options)
    samples = regions.y.exist.shape[1] * regions.x.exist.shape[1]
    if pool_mode == MAX:
        which_y, which_x = argmax_y.long(), argmax_x.long()
        total = grad_input.new_zeros(shape.numel(), dtype=boxes.dtype)
        for part, some in regions.parts(8 * grad_output[0].numel()):
            chosen = which_y[part], which_x[part]
            _add_largest_grads(grad_output[part], some, chosen, shape, total)
        grad_input.copy_(total.view(shape))
        return
    table = grad_input.new_zeros(shape[0] * shape[2] * shape[3], shape[1])
    table = table.to(boxes.dtype)
    for part, some in regions.parts(4 * samples * size.numel()):
        bins, pixels, weights = _average_entries(some, shape)
        order = pixels.argsort()
        entries = pixels[order], bins[order], weights[order]
        table += _weighted_sums(_table(grad_output[part]), *entries, len(table))
    _write(table, grad_input)


def _add_largest_grads(
    grads: Tensor,
    regions: Regions,
    which: tuple[Tensor, Tensor],
    shape: torch.Size,
    total: Tensor,
) -> None:
    """Hand the gradients of maxima to the pixels around the samples that were largest.

    Args:
        grads: Gradients of the bins.
        regions: Where the RoIs sample.
        which: Row and column of each bin's largest sample.
        shape: Shape of the maps.
        total: Receives the sums, for every element of the maps.

    Shape:
        - grads, which: (R, C, PH, PW).
        - total: (N * C * H * W,).
    """
    R, C, PH, PW = grads.shape
    roi = torch.arange(R, device=grads.device).view(-1, 1, 1, 1)
    row = torch.arange(PH, device=grads.device)[:, None]
    column = torch.arange(PW, device=grads.device)
    in_y = roi, row, which[0].clamp(min=0)
    in_x = roi, column, which[1].clamp(min=0)
    y, x = regions.y.pixels[in_y], regions.x.pixels[in_x]
    weights = (
        regions.y.weights[in_y][..., :, None] * regions.x.weights[in_x][..., None, :]
    )
    weights = weights * (grads * (which[0] >= 0))[..., None, None]
    planes = regions.maps.view(-1, 1) * C + torch.arange(C, device=grads.device)
    planes = planes.view(R, C, 1, 1, 1, 1)
    elements = (planes * shape[2] + y[..., :, None]) * shape[3] + x[..., None, :]
    total.index_add_(0, elements.flatten(), weights.flatten().to(total.dtype))


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Pool the largest pixel of each bin of regions, whose last pixel belongs to them.

    A bin without pixels is 0.

    Args:
        input: Maps.
        rois: Index of the map, then left, top, right and bottom.
        output: Receives the bins.
        argmax: Receives the index of the pixel in its map, -1 where there is none.
        pooled_height: Rows of bins.
        pooled_width: Columns of bins.
        spatial_scale: Pixels of the maps per pixel of the boxes.

    Raises:
        ValueError: If a RoI names no map.

    Shape:
        - input: (N, C, H, W).
        - rois: (R, 5).
        - output, argmax: (R, C, pooled_height, pooled_width).
    """
    if not output.numel():
        return
    shape, size = input.shape, output.shape[2:]
    rois = rois.to(_wide(input))
    maps = _maps(rois, shape)
    start, end = rois[:, 1:3] * spatial_scale, (rois[:, 3:] + 1) * spatial_scale
    is_region = (end > start).all(1)
    (y, in_y), (x, in_x) = (
        _bin_pixels(start[:, i], end[:, i], size[-1 - i], shape[-1 - i]) for i in (1, 0)
    )
    in_y = in_y & is_region[:, None, None]
    table = _table(input)
    candidates = y.shape[2] * x.shape[2]
    for part in _parts(len(rois), candidates * output[0].numel()):
        pixels = y[part, :, None, :, None] * shape[3] + x[part, None, :, None, :]
        exist = in_y[part, :, None, :, None] & in_x[part, None, :, None, :]
        pixels, exist = (t.flatten(3).flatten(0, 2) for t in (pixels, exist))
        first = (maps[part] * shape[2] * shape[3]).repeat_interleave(size.numel())
        best, which = _largest(table[first[:, None] + pixels], exist)
        _write(best, output[part])
        which = pixels.gather(1, which.clamp(min=0)).where(which >= 0, which)
        _write(which, argmax[part])


def _bin_pixels(
    start: Tensor, end: Tensor, bins: int, length: int
) -> tuple[Tensor, Tensor]:
    """Pixels of the bins of RoIPool along one axis, and which of them exist.

    Shape:
        - start, end: (R,).
        - Output: (R, bins, K) each.
    """
    step = ((end - start) / bins)[:, None]
    edges = torch.arange(bins + 1, device=start.device)
    first = (edges[:-1] * step + start[:, None]).floor().clamp(0, length).long()
    last = (edges[1:] * step + start[:, None]).ceil().clamp(0, length).long()
    number = torch.arange(max(int((last - first).max()), 1), device=start.device)
    pixels = first[..., None] + number
    return pixels.clamp(max=length - 1), pixels < last[..., None]


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Gradient of :func:`roi_pool_forward` in its maps.

    Args:
        grad_output: Gradient of the bins.
        rois: See :func:`roi_pool_forward`.
        argmax: What the forward pass wrote.
        grad_input: Receives the gradient.
        pooled_height: Rows of bins.
        pooled_width: Columns of bins.
        spatial_scale: Pixels of the maps per pixel of the boxes.

    Shape:
        - grad_output, argmax: (R, C, pooled_height, pooled_width).
        - grad_input: (N, C, H, W).
    """
    if not grad_output.numel():
        return
    C, area = grad_input.shape[1], grad_input.shape[2] * grad_input.shape[3]
    planes = rois[:, :1].long() * C + torch.arange(C, device=rois.device)
    elements = planes[..., None, None] * area + argmax.clamp(min=0)
    grads = (grad_output * (argmax >= 0)).to(_wide(grad_output))
    total = grads.new_zeros(grad_input.numel())
    total.index_add_(0, elements.flatten(), grads.flatten())
    grad_input.copy_(total.view_as(grad_input))
