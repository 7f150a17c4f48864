"""Store what mmcv's compiled operators compute, for ``test_golden.py``.

    python tests/operators/make_golden.py

It needs mmcv with its operators (``make setup-compiled``).  The cases stand here; their
inputs come from a fixed seed and are stored beside the results.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).with_name('golden.npz')
ALIGN_CASES = {
    f'{dtype}-{mode}-ratio{ratio}-{"aligned" if aligned else "legacy"}': (
        dtype,
        mode,
        ratio,
        aligned,
    )
    for dtype, mode, ratio, aligned in itertools.product(
        ('float32', 'float64', 'float16'), ('avg', 'max'), (0, 2), (True, False)
    )
}
NMS_CASES = {
    f'{boxes}-{threshold}-offset{offset}': (boxes, threshold, offset)
    for boxes, threshold, offset in itertools.product(
        ('many', 'ties', 'same', 'flat', 'none'), (0.3, 0.7), (0, 1)
    )
}
SOFT_CASES = {
    f'{boxes}-{method}-offset{offset}': (boxes, method, offset)
    for boxes, method, offset in itertools.product(
        ('many', 'ties', 'same', 'none'), ('naive', 'linear', 'gaussian'), (0, 1)
    )
}


def rois() -> Tensor:
    """Regions of maps of 7 x 11 pixels at half the size of the image."""
    return torch.tensor(
        [
            [0, 1.5, 2.0, 9.0, 12.0],
            [1, 0.0, 0.0, 22.0, 14.0],  # the whole map
            [1, 4.0, 4.0, 5.0, 4.6],  # less than a pixel
            [0, -9.3, -5.1, 6.2, 3.7],  # partly outside
            [1, 15.2, 9.1, 40.0, 31.0],
            [0, -30.0, -30.0, -21.0, -25.0],  # outside
            [1, 60.0, 50.0, 75.0, 70.0],
            [0, -50.0, -40.0, 80.0, 60.0],  # larger than the map
            [1, 3.0, 2.0, 3.5, 13.0],  # narrow
        ]
    )


def boxes_of(kind: str) -> tuple[Tensor, Tensor]:
    """Boxes and scores; at most 16 of equal score, whose order all sorts keep."""
    draw = torch.Generator().manual_seed(5)
    if kind == 'none':
        return torch.zeros(0, 4), torch.zeros(0)
    number = {'many': 61, 'ties': 16, 'same': 7, 'flat': 9}[kind]
    corner = torch.rand(number, 2, generator=draw) * 40
    size = torch.rand(number, 2, generator=draw) * 50
    scores = torch.rand(number, generator=draw)
    if kind == 'ties':
        scores = (scores * 3).round() / 3
    if kind == 'same':
        corner[:], size[:], scores[:] = 3.0, 20.0, 0.5
    if kind == 'flat':
        size[::2] = 0.0
        corner[2] = corner[0]  # two points in one place: 0 / 0
    return torch.cat([corner, corner + size], dim=1), scores


def maps(dtype: torch.dtype) -> Tensor:
    """Maps whose values all types hold exactly."""
    draw = torch.Generator().manual_seed(3)
    return torch.randint(-64, 65, (2, 3, 7, 11), generator=draw).to(dtype) / 32


def align(case: tuple[str, str, int, bool]) -> tuple[Tensor, Tensor]:
    """RoIAlign and its gradient, for a fixed gradient of the bins."""
    from mmcv.ops import roi_align

    name, mode, ratio, aligned = case
    dtype = getattr(torch, name)
    x = maps(dtype).requires_grad_()
    pooled = roi_align(x, rois().to(dtype), (3, 2), 0.5, ratio, mode, aligned)
    grad = (torch.arange(pooled.numel()) % 17 - 8).view_as(pooled).to(dtype) / 8
    pooled.backward(grad)
    return pooled.detach(), x.grad


def suppress(case: tuple[str, float, int]) -> Tensor:
    """Indices that are kept."""
    from mmcv.ops import nms

    kind, threshold, offset = case
    return nms(*boxes_of(kind), threshold, offset)[1]


def soften(case: tuple[str, str, int]) -> tuple[Tensor, Tensor]:
    """Boxes with new scores, and their indices."""
    from mmcv.ops import soft_nms

    kind, method, offset = case
    return soft_nms(*boxes_of(kind), 0.3, 0.5, 0.05, method, offset)


def match() -> Tensor:
    """The kept box of each box's group."""
    from mmcv.ops import nms_match

    boxes, scores = boxes_of('many')
    group_of = torch.full((len(boxes),), -1)
    for group in nms_match(torch.cat([boxes, scores[:, None]], dim=1), 0.5):
        group_of[group] = group[0]
    return group_of


def batched(split_thr: int) -> tuple[Tensor, Tensor]:
    """NMS within each of three classes."""
    from mmcv.ops import batched_nms

    boxes, scores = boxes_of('many')
    options = dict(type='nms', iou_threshold=0.4, split_thr=split_thr)
    return batched_nms(boxes, scores, torch.arange(len(boxes)) % 3, options)


def extract_levels() -> tuple[Tensor, ...]:
    """mmdet's extractor on two levels, each RoI on the one of its size."""
    from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor

    layer = dict(type='RoIAlign', output_size=3, sampling_ratio=0)
    extractor = SingleRoIExtractor(layer, 3, [2, 4], finest_scale=12)
    draw = torch.Generator().manual_seed(7)
    levels = [
        torch.randn(2, 3, height, width, generator=draw).requires_grad_()
        for height, width in ((14, 22), (7, 11))
    ]
    pooled = extractor(levels, rois())
    pooled.square().sum().backward()
    return pooled.detach(), *(level.grad for level in levels)


def extract_3d(mode: str) -> Tensor:
    """MMAction2's extractor, frame by frame."""
    from mmaction.models.roi_heads.roi_extractors import SingleRoIExtractor3D

    extractor = SingleRoIExtractor3D(
        featmap_stride=2, output_size=3, pool_mode=mode, with_temporal_pool=False
    )
    clip = torch.stack([maps(torch.float32) * scale for scale in (1, 2, -1)], dim=2)
    return extractor(clip, rois())[0]


def results() -> Iterator[tuple[str, Any]]:
    """Every golden array with its name."""
    for name, case in ALIGN_CASES.items():
        pooled, grad = align(case)
        yield f'align/{name}/output', pooled
        yield f'align/{name}/grad', grad
    for name, kept_case in NMS_CASES.items():
        yield f'nms/{name}', suppress(kept_case)
    for name, soft_case in SOFT_CASES.items():
        dets, indices = soften(soft_case)
        yield f'softnms/{name}/dets', dets
        yield f'softnms/{name}/indices', indices
    yield 'match', match()
    for split_thr in (10000, 5):
        dets, kept = batched(split_thr)
        yield f'batched/{split_thr}/dets', dets
        yield f'batched/{split_thr}/kept', kept
    for index, tensor in enumerate(extract_levels()):
        yield f'levels/{index}', tensor
    for mode in ('avg', 'max'):
        yield f'extract3d/{mode}', extract_3d(mode)


def main() -> None:
    import mmattn  # noqa: F401  (repairs the stack)
    from mmattn.compat import has_compiled_operators

    if not has_compiled_operators():
        raise SystemExit("expected mmcv's compiled operators, got those of mmattn")
    np.savez_compressed(GOLDEN, **{name: x.numpy() for name, x in results()})
    print(f'{GOLDEN}: {GOLDEN.stat().st_size} bytes')


if __name__ == '__main__':
    main()
