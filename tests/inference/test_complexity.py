"""Parameters, multiply-adds and times."""

import json

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from mmattn.inference.complexity import markdown, measure_complexity, sample_clip
from mmattn.inference.score import first_clip
from mmattn.testing import make_tiny_data
from mmattn.utils.configs import configs_root

TOOL = 'analysis/complexity.py'
LSTM = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'
VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
TSN = 'tsn_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb'


def config(stem):
    return Config.fromfile(next(configs_root().rglob(f'{stem}.py')))


def test_one_convolution_and_one_classifier_by_hand():
    """2 frames of 8 x 8: 2 * 64 * 27 * 5, then 4 * 5 for the mean of the frames."""
    model = dict(
        type='Recognizer2D',
        backbone=dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv1'),
        cls_head=dict(
            type='TSNHead', num_classes=5, in_channels=4, average_clips='prob'
        ),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW'),
    )
    row = measure_complexity(
        Config(dict(model=model)), 'small', (torch.zeros(1, 2, 3, 8, 8),), [{}]
    )
    assert row.parameters == (27 + 1) * 4 + (4 + 1) * 5
    assert row.backbone_parameters == (27 + 1) * 4
    assert row.backbone_multiply_adds == 2 * 64 * 27 * 4
    assert row.multiply_adds - row.backbone_multiply_adds == 4 * 5
    assert row.input == ((1, 2, 3, 8, 8),)
    assert row.milliseconds is None


def test_head_of_the_recurrent_model_by_hand(tmp_path):
    """Sizes of the paper, T frames and D = 30 steps, W_1 applied once per frame."""
    cfg = config(LSTM)
    clips, infos = sample_clip(cfg, make_tiny_data(tmp_path))
    row = measure_complexity(cfg, LSTM, clips, infos)
    frames, C, H, K = clips[0].shape[1], 4096, 512, 101
    windows = frames // 30
    T = D = 30
    once = T * C * 4 * H + T * C  # W_1 v_i and u_a v_i
    step = T * 4 * H + H * 4 * H + H + 2 * H * 4 * H  # mix, U_1, w_a, [W_2 U_2]
    expected = windows * (once + D * step + D * H * K)
    assert row.backbone_multiply_adds == 0
    assert row.multiply_adds == pytest.approx(expected, rel=1e-3)


def test_full_size_without_computing(tmp_path):
    cfg = config(TSN)
    clips, infos = sample_clip(cfg, make_tiny_data(tmp_path))
    assert clips[0].shape == (1, 25, 3, 224, 224)
    row = measure_complexity(cfg, TSN, clips, infos)
    per_frame = row.backbone_multiply_adds / 25
    assert per_frame == pytest.approx(2.03e9, rel=0.02)
    assert row.parameters - row.backbone_parameters == (1024 + 1) * 101
    assert f'| {TSN} | 1 x 25 x 3 x 224 x 224 |' in markdown([row])


def test_times_are_measured(shrunk):
    cfg = shrunk(VIDEO)
    clips, infos = first_clip(cfg)
    row = measure_complexity(cfg, VIDEO, clips, infos, repeats=2)
    assert row.milliseconds > 0
    model = MODELS.build(cfg.model)
    assert row.parameters == sum(p.numel() for p in model.parameters())


def test_tool(run_tool, capsys):
    args = [f'{LSTM}.py', f'{TSN}.py', '--repeats', '0']
    assert run_tool(TOOL, *args, '--format', 'json') == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row['config'] for row in rows] == [LSTM, TSN]
    assert rows[1]['multiply_adds'] > rows[1]['backbone_multiply_adds'] > 0
    assert run_tool(TOOL, *args) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[2].endswith('| not timed |')
    assert run_tool(TOOL, 'none.py') == 2
    assert 'none.py' in capsys.readouterr().err


def test_own_proposal_network_counts(tmp_path):
    """A 3 x 3 and two 1 x 1 convolutions on the middle one of the features."""
    pytest.importorskip('mmdet')
    data = make_tiny_data(tmp_path)
    rows = []
    for name in ('slowfast_attn', 'slowfast_attn-e2e'):
        cfg = config(f'{name}_tiny-r3d_1xb8-8x2x1-15e_interaction-rgb')
        clips, infos = sample_clip(cfg, data)
        one_box = (clips[0], torch.tensor([[0.0, 0.0, 64.0, 64.0]]))
        rows.append(measure_complexity(cfg, name, one_box, infos))
        assert clips[1].shape[1] == 4
    without, own = rows
    height, width = (side // 8 for side in clips[0].shape[-2:])
    anchors = 4  # of each pixel, with one score and four deltas
    expected = height * width * (48 * 48 * 9 + 48 * anchors * (1 + 4))
    assert own.multiply_adds - without.multiply_adds == expected


def test_one_config_that_fails_does_not_lose_the_others(run_tool, capsys, tmp_path):
    broken = tmp_path / 'broken.py'
    broken.write_text(
        f'_base_ = {str(next(configs_root().rglob(f"{TSN}.py")))!r}\n'
        "model = dict(backbone=dict(type='None'))\n"
    )
    assert run_tool(TOOL, str(broken), f'{LSTM}.py', '--repeats', '0') == 1
    printed = capsys.readouterr()
    assert f'| {LSTM} |' in printed.out
    assert 'left out: broken' in printed.err
