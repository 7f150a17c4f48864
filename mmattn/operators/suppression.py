"""Non-maximum suppression: the operators behind ``mmcv.ops.nms`` and its kin."""

import torch
from torch import Tensor

from mmattn.operators.torchvision import torchvision_operators

BLOCK = 256  # boxes that are compared with each other at once


def overlaps(boxes: Tensor, others: Tensor, offset: int = 0) -> Tensor:
    """Intersection over union of every box with every other; 0 / 0 is NaN.

    Args:
        boxes: Left, top, right and bottom.
        others: The same.
        offset: 1 where right and bottom are the last pixels inside, 0 where they are
            edges.

    Shape:
        - boxes: (N, 4).
        - others: (M, 4).
        - Output: (N, M).
    """
    boxes = boxes[:, None]
    left_top = torch.maximum(boxes[..., :2], others[:, :2])
    right_bottom = torch.minimum(boxes[..., 2:], others[:, 2:])
    shared = (right_bottom - left_top + offset).clamp(min=0).prod(-1)
    areas = [(b[..., 2:] - b[..., :2] + offset).prod(-1) for b in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Keep the boxes that no better kept box overlaps.

    Boxes of equal scores stand in the order of ``torch.sort``, as in the compiled
    operator.

    Args:
        boxes: Left, top, right and bottom.
        scores: Score of each box.
        iou_threshold: A box whose intersection over union with a kept box is larger
            goes.
        offset: See :func:`overlaps`.

    Returns:
        Indices of the kept boxes, by falling score.

    Shape:
        - boxes: (N, 4).
        - scores: (N,).
        - Output: (K,).
    """
    if not len(boxes):
        return boxes.new_zeros(0, dtype=torch.long)
    boxes = boxes.to(torch.promote_types(boxes.dtype, torch.float32))
    torchvision = torchvision_operators()
    if torchvision is not None and offset == 0:
        return torchvision.nms(boxes, scores.to(boxes), iou_threshold)
    order = scores.sort(descending=True).indices
    boxes = boxes[order]
    kept = []
    rest = torch.arange(len(boxes), device=boxes.device)
    while len(rest):
        block, rest = rest[:BLOCK], rest[BLOCK:]
        rivals = overlaps(boxes[block], boxes[block], offset) > iou_threshold
        block = block[_greedy(rivals)]
        rivals = overlaps(boxes[block], boxes[rest], offset) > iou_threshold
        rest = rest[~rivals.any(0)]
        kept.append(block)
    return order[torch.cat(kept)]


def _greedy(rivals: Tensor) -> Tensor:
    """Which boxes stay, best first, if a box that stays removes its later rivals.

    Each round settles at least one more box, in most cases nearly all: a box stays if
    none of those that stayed in the round before is a better rival.
    """
    rivals = rivals.triu(1)
    stays = rivals.new_ones(len(rivals))
    while True:
        before, stays = stays, ~(rivals & stays[:, None]).any(0)
        if torch.equal(before, stays):
            return stays


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes by their overlap with better ones.

    Args:
        boxes: Left, top, right and bottom.
        scores: Score of each box.
        dets: Receives the boxes and their new scores, in the order of the result.
        iou_threshold: From which overlap methods 0 and 1 lower a score.
        sigma: Width of method 2.
        min_score: A box whose new score is lower goes.
        method: 0 sets the score to 0, 1 multiplies it by 1 - IoU, 2 by
            exp(-IoU² / sigma).
        offset: See :func:`overlaps`.

    Returns:
        Indices of the boxes that are left, by falling new score.

    Shape:
        - boxes: (N, 4).
        - scores: (N,).
        - dets: (N, 5).
        - Output: (K,).
    """
    rest = torch.arange(len(boxes))
    boxes, scores = boxes.float(), scores.float().clone()
    chosen = []
    while len(rest):
        first = int(scores[rest].argmax())
        best = rest[first].clone()
        chosen.append(best)
        rest[first] = rest[0]  # the order of those with equal scores
        rest = rest[1:]
        iou = overlaps(boxes[best][None], boxes[rest], offset)[0]
        if method == 2:
            scores[rest] *= (-(iou**2) / sigma).exp()
        else:
            lowered = (1 - iou) if method == 1 else torch.zeros_like(iou)
            scores[rest] *= torch.where(iou >= iou_threshold, lowered, 1.0)
        rest = _without(rest, scores[rest] < min_score)
    kept = torch.stack(chosen) if chosen else rest
    dets[: len(kept)] = torch.cat([boxes[kept], scores[kept, None]], dim=1)
    return kept


def _without(items: Tensor, gone: Tensor) -> Tensor:
    """Remove items, each replaced by the last one that stays, as the original does."""
    length = int((~gone).sum())
    head, tail = items[:length].clone(), items[length:]
    head[gone[:length]] = tail[~gone[length:]].flip(0)
    return head


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group each kept box with those that it removes.

    Args:
        dets: Left, top, right, bottom and score.
        iou_threshold: A box whose intersection over union with a kept box reaches it
            goes.

    Returns:
        A list for each kept box, by falling score: its index, then those of the boxes
        that it removed.

    Shape:
        - dets: (N, 5).
    """
    dets = dets.to(torch.promote_types(dets.dtype, torch.float32))
    rest = dets[:, 4].sort(descending=True).indices
    groups = []
    while len(rest):
        rivals = overlaps(dets[rest[:1], :4], dets[rest, :4])[0] >= iou_threshold
        rivals[0] = True
        groups.append(rest[rivals].tolist())
        rest = rest[~rivals]
    return groups
