"""RoIAlign and RoIPool in PyTorch."""

import math

import pytest
import torch
from mmcv.ops import RoIAlign, RoIPool, roi_align, roi_pool

ROIS = [
    [0, 1.5, 2.0, 9.0, 12.0],
    [1, 0.0, 0.0, 21.0, 13.0],
    [1, 4.0, 4.0, 4.2, 4.6],
    [0, -9.3, -5.1, 6.2, 3.7],
    [1, 15.2, 9.1, 40.0, 31.0],
    [0, -30.0, -30.0, -21.0, -25.0],
    [1, 9.0, 9.0, 5.0, 5.0],  # no region
]
pytestmark = pytest.mark.usefixtures('plain')


def literal_roi_pool(x, rois, size, scale):
    """The operator's definition, bin by bin."""
    pooled = x.new_zeros(len(rois), x.shape[1], *size)
    for r, (index, *box) in enumerate(rois.tolist()):
        start = [box[0] * scale, box[1] * scale]
        end = [(box[2] + 1) * scale, (box[3] + 1) * scale]
        if end[0] <= start[0] or end[1] <= start[1]:
            continue
        step = [(end[i] - start[i]) / size[1 - i] for i in (0, 1)]
        for row in range(size[0]):
            for column in range(size[1]):
                top, left = (
                    max(math.floor(n * step[i] + start[i]), 0)
                    for i, n in ((1, row), (0, column))
                )
                bottom, right = (
                    max(math.ceil((n + 1) * step[i] + start[i]), 0)
                    for i, n in ((1, row), (0, column))
                )
                cells = x[int(index), :, top:bottom, left:right].flatten(1)
                if cells.shape[1]:
                    pooled[r, :, row, column] = cells.amax(1)
    return pooled


@pytest.mark.parametrize('scale', [0.5, 1.0, 0.125])
def test_roi_pool_is_its_definition(scale):
    x = torch.randn(2, 5, 7, 11, dtype=torch.float64)
    rois = torch.tensor(ROIS, dtype=torch.float64)
    x.requires_grad_()
    pooled = roi_pool(x, rois, (3, 2), scale)
    expected = literal_roi_pool(x, rois, (3, 2), scale)
    torch.testing.assert_close(pooled, expected)
    grad = torch.randn_like(pooled)
    (ours,) = torch.autograd.grad(pooled, x, grad)
    (literal,) = torch.autograd.grad(expected, x, grad)
    torch.testing.assert_close(ours, literal)
    assert literal.abs().sum() > 1
    assert pooled[-1].abs().sum() == 0  # no region, no value, no gradient


def test_gradients_of_roi_pool():
    x = torch.randperm(2 * 3 * 7 * 5).view(2, 3, 7, 5).double().requires_grad_()
    rois = torch.tensor(ROIS, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: roi_pool(x, rois, (3, 2), 0.5), x)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_gradients_of_roi_align(mode, aligned, ratio):
    x = torch.randn(2, 3, 7, 5, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor(ROIS[:-1], dtype=torch.float64)

    def pool(x: torch.Tensor) -> torch.Tensor:
        return roi_align(x, rois, (3, 2), 0.5, ratio, mode, aligned)

    assert torch.autograd.gradcheck(pool, x)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_a_constant_map_stays_constant(mode):
    x = torch.full((1, 2, 7, 5), 3.0)
    rois = torch.tensor([[0.0, 1.0, 1.0, 4.0, 5.0]])
    pooled = roi_align(x, rois, (3, 2), 1.0, 0, mode, True)
    torch.testing.assert_close(pooled, torch.full((1, 2, 3, 2), 3.0))


def test_the_average_of_a_ramp_is_its_value_in_the_middle():
    x = torch.arange(11.0).expand(1, 1, 7, 11)
    rois = torch.tensor([[0.0, 2.0, 1.0, 8.0, 6.0]])  # bins centered at 3.5 and 6.5
    pooled = roi_align(x, rois, (1, 2), 1.0, 0, 'avg', True)
    torch.testing.assert_close(pooled.flatten(), torch.tensor([3.0, 6.0]))


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_a_region_without_extent_is_0(mode):
    x = torch.full((1, 2, 7, 5), 3.0, requires_grad=True)
    pooled = roi_align(x, torch.tensor([[0.0, 2, 2, 2, 2]]), (3, 2), 1.0, 0, mode, True)
    pooled.sum().backward()
    assert not pooled.any()
    assert not x.grad.any()


@pytest.mark.parametrize('layer', [RoIAlign((3, 2)), RoIPool((3, 2))])
def test_no_regions(layer):
    x = torch.randn(2, 3, 7, 5, requires_grad=True)
    pooled = layer(x, torch.zeros(0, 5))
    assert pooled.shape == (0, 3, 3, 2)
    pooled.sum().backward()
    assert not x.grad.any()


@pytest.mark.parametrize('memory', ['channels_last', 'strided'])
def test_memory_of_maps_does_not_matter(memory):
    x = torch.randn(2, 4, 7, 6)
    other = x.to(memory_format=torch.channels_last)
    if memory == 'strided':
        other = torch.randn(2, 4, 7, 12)[..., ::2].copy_(x)
    rois = torch.tensor(ROIS[:-1])
    for layer in (RoIAlign((3, 2), 0.5), RoIPool((3, 2), 0.5)):
        torch.testing.assert_close(layer(other, rois), layer(x, rois))


def test_autocast_does_not_narrow_the_sums():
    x, rois = torch.randn(2, 4, 7, 6), torch.tensor(ROIS[:-1])
    layer = RoIAlign((3, 2), 0.5)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        pooled = layer(x, rois)
    assert torch.equal(pooled, layer(x, rois))


@pytest.mark.parametrize('layer', [RoIAlign((3, 2)), RoIPool((3, 2))])
@pytest.mark.parametrize('index', [-1.0, 2.0])
def test_maps_that_are_not_there(layer, index):
    rois = torch.tensor([[index, 1, 1, 3, 3]])
    with pytest.raises(ValueError, match=r'expected RoIs whose .* 0 to 1, got (-1|2)'):
        layer(torch.randn(2, 3, 7, 5), rois)


@pytest.mark.parametrize('box', [[5.0, 1, 3, 3], [1, 5, 3, 3], [1, 1, math.nan, 3]])
def test_regions_of_negative_size(box):
    with pytest.raises(ValueError, match=r'expected RoIs with left <= right'):
        RoIAlign((3, 2))(torch.randn(2, 3, 7, 5), torch.tensor([[0.0, *box]]))
