"""NMS in PyTorch."""

import pytest
import torch

from mmattn.operators import nms, nms_match, softnms, suppression
from mmattn.operators.suppression import overlaps

pytestmark = pytest.mark.usefixtures('plain')


def random_boxes(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    corner = torch.rand(number, 2) * 50
    boxes = torch.cat([corner, corner + torch.rand(number, 2) * 40], dim=1)
    return boxes, torch.rand(number)


def greedy(boxes, scores, threshold: float) -> list[int]:
    """The definition: the best box stays and removes those that overlap it."""
    rest = sorted(range(len(boxes)), key=lambda i: -scores[i].item())
    kept = []
    while rest:
        best, *rest = rest
        kept.append(best)
        rest = [
            i for i in rest if overlaps(boxes[[best]], boxes[[i]])[0, 0] <= threshold
        ]
    return kept


@pytest.mark.parametrize('offset, shared, union', [(0, 6, 30), (1, 12, 45)])
def test_overlap(offset, shared, union):
    boxes, other = torch.tensor([[0.0, 0, 4, 6]]), torch.tensor([[1.0, 4, 5, 7]])
    if offset:  # 5 x 7 and 5 x 4 pixels share 4 x 3
        union = 35 + 20 - 12
    value = overlaps(boxes, other, offset)
    torch.testing.assert_close(value, torch.tensor([[shared / union]]))


@pytest.mark.parametrize('block', [1, 5, 256])
def test_nms_is_greedy_whatever_the_blocks(monkeypatch, block):
    monkeypatch.setattr(suppression, 'BLOCK', block)
    boxes, scores = random_boxes(83)
    expected = greedy(boxes, scores, 0.4)
    assert nms(boxes, scores, 0.4, 0).tolist() == expected
    assert 20 < len(expected) < 83


def test_a_removed_box_removes_none():
    """Each box of a chain overlaps its neighbors only: every second one stays."""
    left = torch.arange(11.0) * 4
    boxes = torch.stack([left, left * 0, left + 10, left * 0 + 10], dim=1)
    assert nms(boxes, -left, 0.3, 0).tolist() == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize('number', [17, 300])
def test_equal_scores_stand_in_the_order_of_the_sort(number):
    boxes = torch.tensor([[0.0, 0, 9, 9], [100, 100, 109, 109]]).repeat(number, 1)
    scores = torch.full((2 * number,), 0.5)
    order = scores.sort(descending=True).indices.tolist()
    first = [next(i for i in order if i % 2 == place) for place in (0, 1)]
    assert nms(boxes, scores, 0.5, 0).tolist() == sorted(first, key=order.index)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_types(dtype):
    boxes, scores = random_boxes(40)
    boxes, scores = boxes.to(dtype), scores.to(dtype)
    kept = nms(boxes, scores, 0.4, 0)
    assert kept.tolist() == nms(boxes.float(), scores.float(), 0.4, 0).tolist()


def test_soft_nms_by_hand():
    """Two boxes with IoU 1/3 and one apart, weights 2/3 and exp(-1/9 / 0.5)."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [50, 50, 60, 60]])
    scores = torch.tensor([0.9, 0.6, 0.5])
    for method, factor, order in (
        (0, 0.0, [0, 2]),
        (1, 2 / 3, [0, 2, 1]),
        (2, torch.tensor(-2 / 9).exp().item(), [0, 2, 1]),
    ):
        dets = torch.empty(3, 5)
        kept = softnms(boxes, scores, dets, 0.3, 0.5, 0.1, method, 0)
        assert kept.tolist() == order
        expected = [0.9, 0.5, 0.6 * factor][: len(order)]
        assert dets[: len(kept), 4].tolist() == pytest.approx(expected)
        assert torch.equal(dets[: len(kept), :4], boxes[kept])
    assert scores.tolist() == pytest.approx([0.9, 0.6, 0.5])


def test_groups_hold_every_box_once():
    boxes, scores = random_boxes(50)
    groups = nms_match(torch.cat([boxes, scores[:, None]], dim=1), 0.4)
    assert sorted(i for group in groups for i in group) == list(range(50))
    assert [group[0] for group in groups] == greedy(boxes, scores, 0.4)
