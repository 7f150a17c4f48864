"""Exported models give PyTorch's scores on a real clip."""

import importlib.util

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from mmattn.inference.export import (
    PACKAGES,
    ExportError,
    export,
    largest_difference,
    to_onnx,
    traced,
)
from mmattn.inference.score import ClipScorer, first_clip, normalized
from mmattn.models import SlowFastSharedHead
from mmattn.registry import MODELS as OUR_MODELS

FRAMES = 6
NO_ONNX = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(
    bool(NO_ONNX), reason=f'ONNX export needs {", ".join(NO_ONNX)}'
)
formats = pytest.mark.parametrize(
    'suffix', [pytest.param('.onnx', marks=needs_onnx), '.pt2']
)
VGG = dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv5')
HEAD = dict(type='TSNHead', num_classes=5, in_channels=32, average_clips='prob')
RGB = dict(
    type='ActionDataPreprocessor',
    mean=[123.7, 116.3, 103.5],
    std=[58.4, 57.1, 57.4],
    format_shape='NCHW',
)
STBTA = dict(
    type='mmattn.SegmentRecognizer',
    backbone=dict(
        type='mmattn.AttentionBackbone',
        backbone=VGG,
        attentions=[dict(before='conv4', module=dict(type='mmattn.STBTA'))],
    ),
    cls_head=HEAD,
    data_preprocessor=RGB,
)
PYRAMID = dict(
    type='mmattn.ReductionRecognizer',
    backbone=VGG,
    reduction=dict(
        taps=('conv3', 'conv4'),
        module=dict(
            type='mmattn.PyramidAttentionNeck', in_channels=(16, 32), top_size=(8, 8)
        ),
    ),
    cls_head=HEAD,
    data_preprocessor=RGB,
)
SYSTEMS = {
    'temporal_lstm': 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb',
    'convlstm': 'convlstm_in1k-pre-vgg16_1xb15-30x1-10e_ucf101-split1-rgb',
    'stbta': STBTA,
    'pyramid': PYRAMID,
}


@pytest.fixture
def clip(real_data):
    """Six frames of a real clip, (1, 6, 3, 64, 64) in uint8."""
    capture = cv2.VideoCapture(str(real_data / 'clips/v_ApplyEyeMakeup_g01_c01.avi'))
    frames = [cv2.resize(capture.read()[1], (64, 64)) for _ in range(FRAMES)]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].contiguous()


def with_large_weights(model):
    """So large that scores differ."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter)
    return model


def make_scorer(source, shrunk):
    cfg = shrunk(source).model if isinstance(source, str) else source
    if 'recurrence' in cfg['cls_head']:
        cfg['cls_head']['recurrence']['feature_size'] = (2, 2)  # of this clip
    model = with_large_weights(MODELS.build(cfg))
    # Rows of unit norm let the pyramid's features grow; its softmax would saturate.
    model.cls_head.fc_cls.weight.data.mul_(0.7 if source is PYRAMID else 5)
    return ClipScorer(model, [dict(num_clips=FRAMES, clip_len=1)])


@formats
@pytest.mark.parametrize('system', SYSTEMS)
def test_systems_on_a_real_clip(system, suffix, clip, shrunk, tmp_path):
    """Traced on a blank clip, so that nothing of the clip can be a constant."""
    scorer = make_scorer(SYSTEMS[system], shrunk)
    path = export(scorer, (torch.zeros_like(clip),), tmp_path / f'x{suffix}')
    assert largest_difference(scorer, path, (clip,)) < 1e-5
    with torch.no_grad():
        scores, blank = scorer(clip), scorer(torch.zeros_like(clip))
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(1))
    assert scores.max() - scores.min() > 0.02
    assert (scores - blank).abs().max() > 1e-3


@pytest.mark.parametrize('system', ['temporal_lstm', 'stbta'])
def test_scores_are_those_of_the_test(system, clip, shrunk):
    """With the host's own preprocessing and post-processing."""
    from mmaction.structures import ActionDataSample

    scorer = make_scorer(SYSTEMS[system], shrunk)
    sample = ActionDataSample(metainfo=dict(num_clips=FRAMES, clip_len=1))
    with torch.no_grad():
        (tested,) = scorer.model.test_step(
            dict(inputs=[clip[0]], data_samples=[sample])
        )
        torch.testing.assert_close(scorer(clip)[0], tested.pred_score)


@pytest.mark.parametrize('to_rgb', [False, True])
@pytest.mark.parametrize('shape', ['NCHW', 'NCTHW'])
def test_normalization_is_the_hosts(to_rgb, shape):
    size = (2, 4, 3, 5, 7) if shape == 'NCHW' else (2, 4, 3, 6, 5, 7)
    clips = torch.randint(0, 256, size, dtype=torch.uint8)
    for options in (dict(mean=[1.0, 2, 3], std=[4.0, 5, 6]), {}):
        preprocessor = MODELS.build(
            dict(
                type='ActionDataPreprocessor',
                to_rgb=to_rgb,
                format_shape=shape,
                **options,
            )
        )
        expected, _ = preprocessor.preprocess(list(clips), [])
        assert torch.equal(normalized(preprocessor, clips), expected)


@needs_onnx
def test_attention_head_of_the_detector(tmp_path):
    """Without mmdet: the shared head alone, on features of regions."""
    from mmattn.inference.export import _run_onnx

    head = with_large_weights(SlowFastSharedHead(16, norm='layer')).eval()
    regions = torch.randn(3, 16, 4, 7, 7)
    program = to_onnx(traced(head, (regions,)))
    path = tmp_path / 'head.onnx'
    program.save(path)
    other = torch.randn(3, 16, 4, 7, 7)
    (got,) = _run_onnx(path, (other,))
    torch.testing.assert_close(got, head(other).detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.det
@formats
def test_detector(suffix, shrunk, tmp_path):
    cfg = shrunk('slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb')
    model = with_large_weights(MODELS.build(cfg.model))
    inputs, infos = first_clip(cfg)
    scorer = ClipScorer(model, infos)
    blank = (torch.zeros_like(inputs[0]), inputs[1])
    path = export(scorer, blank, tmp_path / f'x{suffix}')
    assert largest_difference(scorer, path, inputs) < 1e-4
    with torch.no_grad():
        scores, boxes = scorer(*inputs)
        expected = model.eval().test_step(
            dict(inputs=[inputs[0][0]], data_samples=[_sample(cfg)])
        )
    torch.testing.assert_close(scores, expected[0].pred_instances.scores)
    torch.testing.assert_close(boxes, expected[0].pred_instances.bboxes)
    assert scores.std() > 0


def _sample(cfg):
    from mmaction.registry import DATASETS

    return DATASETS.build(cfg.test_dataloader.dataset)[0]['data_samples']


@OUR_MODELS.register_module()
class Bessel(nn.Module):
    """An operator that ONNX lacks."""

    def forward(self, x):
        return torch.special.bessel_j0(x)


@OUR_MODELS.register_module()
class DataDependent(nn.Module):
    """A branch that no tracer can follow."""

    def forward(self, x):
        return x if x.sum() > 0 else -x


def with_module(kind):
    backbone = dict(STBTA['backbone'])
    backbone['attentions'] = [dict(before='conv4', module=dict(type=kind))]
    return dict(STBTA, backbone=backbone)


@needs_onnx
def test_missing_operator_is_named(shrunk, tmp_path):
    scorer = make_scorer(with_module('mmattn.Bessel'), shrunk)
    clips = (torch.zeros(1, FRAMES, 3, 32, 32),)
    with pytest.raises(ExportError, match=r'that ONNX has, got \w+\.\w*bessel_j0'):
        export(scorer, clips, tmp_path / 'x.onnx')
    assert not (tmp_path / 'x.onnx').exists()
    assert export(scorer, clips, tmp_path / 'x.pt2').is_file()


def test_what_cannot_be_traced_is_named(shrunk, tmp_path):
    scorer = make_scorer(with_module('mmattn.DataDependent'), shrunk)
    clips = (torch.zeros(1, FRAMES, 3, 32, 32),)
    with pytest.raises(
        ExportError,
        match=r'can trace, got `.*x\.sum\(\) > 0.*` \(test_export\.py:\d+',
    ):
        export(scorer, clips, tmp_path / 'x.pt2')
    assert not (tmp_path / 'x.pt2').exists()


def test_other_suffix(shrunk, tmp_path):
    with pytest.raises(ValueError, match=r'out: expected a file ending in \.onnx or'):
        export(make_scorer(STBTA, shrunk), (), tmp_path / 'x.pth')


@pytest.mark.skipif(not NO_ONNX, reason='the packages of ONNX export are installed')
def test_missing_packages_are_named(shrunk, tmp_path):
    with pytest.raises(ImportError, match=r"pip install 'mmattn\[export\]'"):
        export(make_scorer(STBTA, shrunk), (), tmp_path / 'x.onnx')


def test_tool_exports_and_checks(real_data, shrunk, tmp_path, run_tool, capsys):
    cfg = shrunk(SYSTEMS['temporal_lstm'])
    config, weights = tmp_path / 'c.py', tmp_path / 'w.pth'
    cfg.dump(config)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), weights)
    video = real_data / 'clips/v_ApplyEyeMakeup_g01_c01.avi'
    out = tmp_path / 'x.pt2'
    args = [config, weights, '--out', out]
    assert run_tool('deployment/export.py', *args, '--video', video) == 0
    assert 'largest difference of a score' in capsys.readouterr().out
    assert out.is_file()
    assert run_tool('deployment/export.py', *args, '--tolerance', -1) == 1
    run = tmp_path / 'run'  # a work folder
    run.mkdir()
    config.rename(run / 'c.py')
    weights.rename(run / 'epoch_1.pth')
    args = [run, '--out', tmp_path / 'y.pt2', '--video', video]
    assert run_tool('deployment/export.py', *args) == 0
    assert run_tool('deployment/export.py', 'none.py', '--out', out) == 2
    assert 'none.py' in capsys.readouterr().err


@needs_onnx
def test_parity_tool_prints_a_table(run_tool, capsys):
    name = f'{SYSTEMS["temporal_lstm"]}.py'
    assert run_tool('deployment/export_parity.py', name, '--shrink') == 0
    head, _, row = capsys.readouterr().out.splitlines()[-3:]
    assert head == '| config | input | range of the scores | ONNX | torch.export |'
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert float(cells[2]) > 0.01
    assert max(map(float, cells[3:])) < 1e-4
