"""RoIAlign and RoIPool that tracers can see through."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmattn.compat import has_compiled_operators
from mmattn.models.layers.roi_align import (
    TraceableRoIAlign,
    TraceableRoIPool,
    make_regions_traceable,
    roi_align,
    roi_pool,
)

ROIS = [[0, 1.5, 2, 9, 12], [1, 0, 0, 15, 7.3], [1, 4, 4, 5, 5]]


def test_shape_without_values():
    x = torch.empty(2, 5, 7, 11, device='meta')
    rois = torch.empty(3, 5, device='meta')
    assert roi_align(x, rois, [2, 3], 0.5, 0, True).shape == (3, 5, 2, 3)
    assert roi_pool(x, rois, [2, 3], 0.5).shape == (3, 5, 2, 3)


def test_maxima_are_refused():
    with pytest.raises(ValueError, match=r"pool_mode: expected 'avg' .* got 'max'"):
        TraceableRoIAlign(SimpleNamespace(pool_mode='max'))


def test_other_layers_stay():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU()))
    before = list(model.modules())
    make_regions_traceable(model)
    assert list(model.modules()) == before


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_takes_the_place_of_roi_align(aligned, sampling_ratio):
    from mmcv.ops import RoIAlign

    layer = RoIAlign((3, 2), 0.5, sampling_ratio, aligned=aligned)
    model = nn.ModuleDict({'extractor': nn.ModuleDict({'roi_layer': layer})})
    make_regions_traceable(model)
    traceable = model['extractor']['roi_layer']
    assert isinstance(traceable, TraceableRoIAlign)
    x, rois = torch.randn(2, 5, 8, 8), torch.tensor(ROIS)
    torch.testing.assert_close(traceable(x, rois), layer(x, rois))
    size, scale = traceable.size, traceable.scale
    arguments = (x, rois, size, scale, sampling_ratio, aligned)
    torch.library.opcheck(
        roi_align, arguments, test_utils=('test_schema', 'test_faketensor')
    )


@pytest.mark.skipif(
    has_compiled_operators(), reason="mmcv's compiled RoIPool does not run on CPUs"
)
def test_takes_the_place_of_roi_pool():
    from mmcv.ops import RoIPool

    layer = RoIPool((3, 2), 0.5)
    model = nn.Sequential(layer)
    make_regions_traceable(model)
    assert isinstance(model[0], TraceableRoIPool)
    x, rois = torch.randn(2, 5, 8, 8), torch.tensor(ROIS)
    torch.testing.assert_close(model[0](x, rois), layer(x, rois))
    torch.library.opcheck(
        roi_pool,
        (x, rois, [3, 2], 0.5),
        test_utils=('test_schema', 'test_faketensor'),
    )
