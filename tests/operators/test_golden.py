"""Our operators give what mmcv's compiled ones gave (``make_golden.py``)."""

import make_golden as golden
import numpy as np
import pytest
import torch

from mmattn.operators import regions

ROUNDING = dict(
    float32=dict(atol=2e-6, rtol=1e-5),
    float64=dict(atol=1e-6, rtol=1e-6),  # the compiled operator's scale is a float32
    float16=dict(atol=0.05, rtol=0.05),  # and its half coordinates are coarse
)


@pytest.fixture(scope='module')
def stored():
    with np.load(golden.GOLDEN) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.mark.parametrize('name', golden.ALIGN_CASES)
def test_roi_align(ours, stored, name):
    case = golden.ALIGN_CASES[name]
    output, grad = golden.align(case)
    options = ROUNDING[case[0]]
    torch.testing.assert_close(output, stored[f'align/{name}/output'], **options)
    if case[0] != 'float16' or case[1] == 'avg':
        torch.testing.assert_close(grad, stored[f'align/{name}/grad'], **options)
    assert output.abs().sum() > 1
    assert grad.abs().sum() > 1


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_half_types_compute_in_float32(plain, mode, dtype):
    type_ = getattr(torch, dtype)
    output, grad = golden.align((dtype, mode, 0, True))
    x = golden.maps(torch.float32).requires_grad_()
    from mmcv.ops import roi_align

    wide = roi_align(x, golden.rois().to(type_).float(), (3, 2), 0.5, 0, mode, True)
    bins = (torch.arange(wide.numel()) % 17 - 8).view_as(wide) / 8
    wide.backward(bins)
    assert output.dtype == grad.dtype == type_
    torch.testing.assert_close(output, wide.to(type_))
    torch.testing.assert_close(grad, x.grad.to(type_))


@pytest.mark.parametrize('name', golden.NMS_CASES)
def test_nms(ours, stored, name):
    kept = golden.suppress(golden.NMS_CASES[name])
    assert kept.tolist() == stored[f'nms/{name}'].tolist()


@pytest.mark.parametrize('name', golden.SOFT_CASES)
def test_soft_nms(plain, stored, name):
    dets, indices = golden.soften(golden.SOFT_CASES[name])
    assert indices.tolist() == stored[f'softnms/{name}/indices'].tolist()
    torch.testing.assert_close(dets, stored[f'softnms/{name}/dets'])


def test_nms_match(plain, stored):
    assert golden.match().tolist() == stored['match'].tolist()


@pytest.mark.parametrize('split_thr', [10000, 5])
def test_batched_nms(ours, stored, split_thr):
    dets, kept = golden.batched(split_thr)
    assert kept.tolist() == stored[f'batched/{split_thr}/kept'].tolist()
    torch.testing.assert_close(dets, stored[f'batched/{split_thr}/dets'])


@pytest.mark.det
def test_several_levels(ours, stored):
    pytest.importorskip('mmdet')
    for index, tensor in enumerate(golden.extract_levels()):
        expected = stored[f'levels/{index}']
        torch.testing.assert_close(tensor, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_frames_of_a_clip(plain, stored, mode):
    expected = stored[f'extract3d/{mode}']
    torch.testing.assert_close(golden.extract_3d(mode), expected, **ROUNDING['float32'])


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_parts_of_the_rois_give_the_same(plain, monkeypatch, stored, mode):
    monkeypatch.setattr(regions, 'MAX_ELEMENTS', 1)
    output, grad = golden.align(('float32', mode, 0, True))
    name = f'align/float32-{mode}-ratio0-aligned'
    options = ROUNDING['float32']
    torch.testing.assert_close(output, stored[f'{name}/output'], **options)
    torch.testing.assert_close(grad, stored[f'{name}/grad'], **options)


def test_every_stored_array_has_a_test(stored):
    names = [
        f'align/{n}/{part}' for n in golden.ALIGN_CASES for part in ('output', 'grad')
    ]
    names += [f'nms/{n}' for n in golden.NMS_CASES]
    names += [
        f'softnms/{n}/{part}' for n in golden.SOFT_CASES for part in ('dets', 'indices')
    ]
    names += [
        'match',
        *(f'batched/{n}/{p}' for n in (10000, 5) for p in ('dets', 'kept')),
    ]
    names += [f'levels/{n}' for n in range(3)]
    names += [f'extract3d/{mode}' for mode in ('avg', 'max')]
    assert sorted(stored) == sorted(names)
