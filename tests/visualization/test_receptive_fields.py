"""Salient receptive fields on the frames that a network sees."""

import numpy as np
import pytest
import torch
from attending_models import spatial_model
from mmaction.registry import MODELS as HOST_MODELS
from mmengine.config import Config
from PIL import Image

from mmattn.visualization.receptive_fields import FieldOptions, draw_receptive_fields

SIZE, K = 32, 3


def pyramid_model(scales=2):
    """Taps of 8 x 8 (after 3 poolings) and 4 x 4; attention where conv3 says so."""
    steps = [
        dict(type='DecordInit', num_threads=1),
        dict(type='SampleFrames', clip_len=1, num_clips=K, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(SIZE, SIZE), keep_ratio=False),
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs', meta_keys=('num_clips', 'frame_inds')),
    ]
    model = HOST_MODELS.build(
        dict(
            type='mmattn.ReductionRecognizer',
            backbone=dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv5'),
            cls_head=dict(type='TSNHead', num_classes=3, in_channels=32),
            reduction=dict(
                taps=('conv3', 'conv4')[-scales:],
                module=dict(
                    type='mmattn.PyramidAttentionNeck',
                    in_channels=(16, 32)[-scales:],
                    top_size=(4, 4),
                    fusion='sum',
                ),
            ),
            data_preprocessor=dict(
                type='ActionDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3
            ),
        )
    )
    model.cfg = Config(dict(test_pipeline=steps))
    return model.eval()


def look_at(model, frame, y, x, scale):
    """Let all output positions attend to one place, by one scale's scores alone."""
    layer = model.reduction.attention

    def fixed(module, inputs, output):
        scores = torch.zeros_like(output)
        scores[frame, :, y, x] = 50.0
        return scores

    layer.scores[scale].register_forward_hook(fixed)


@pytest.fixture
def drawn(tiny_data, tmp_path):
    """One scale looks at (1, 2) of frame 1, the other at (3, 0) of frame 2."""
    model = pyramid_model()
    look_at(model, 1, 1, 2, scale=1)
    look_at(model, 2, 3, 0, scale=0)
    files, broken = draw_receptive_fields(
        model,
        [tiny_data / 'videos' / 'clip_0.mp4'],
        tmp_path,
        options=FieldOptions(alpha=1.0, frame=1, num_columns=4),
        progress=False,
    )
    assert broken == []
    return {file.stem: np.asarray(Image.open(file)) for file in files}


def part(sheet, row, column, titled=True):
    """As laid out by draw_sheet: margin 8, lines of 20, gaps of 4."""
    top = 8 + 20 + row * (20 + SIZE) + 20
    left = 8 + column * (SIZE + 4)
    return sheet[top : top + SIZE, left : left + SIZE].astype(int)


def test_frames(drawn):
    """A position of the 4 x 4 map stands for 8 x 8 pixels around its center."""
    sheet = drawn['clip_0-frames']
    expected = {1: [(1, 1, 2)], 2: [(1, 1, 2), (2, 3, 0)]}
    colors = {1: (60, 110, 255), 2: (60, 220, 60)}
    for scales, places in expected.items():
        for frame in range(K):
            plain, marked = part(sheet, 0, frame), part(sheet, scales, frame)
            inside = np.zeros((SIZE, SIZE), dtype=bool)
            for k, y, x in places:
                if k == frame:
                    inside[8 * y : 8 * y + 8, 8 * x : 8 * x + 8] = True
            assert (marked[inside] == colors[scales]).all()
            assert (marked[~inside] == plain[~inside]).all()


def test_positions(drawn):
    """Of frame 1: the same place in all columns, each with its own outlined."""
    sheet = drawn['clip_0-positions']
    for column, m in enumerate([0, 5, 10, 15]):
        picture = part(sheet, 0, column)
        y, x = divmod(m, 4)
        outlined = (picture[8 * y : 8 * y + 8, 8 * x : 8 * x + 8] == 255).all(-1)
        assert outlined[[0, -1]].all()
        assert outlined[:, [0, -1]].all()
        assert not outlined[1:-1, 1:-1].all()
        if m != 6:
            assert (picture[8:16, 16:24] == (60, 110, 255)).all()


def look_weakly(model, scale=0):
    """Let all positions attend to three places alike, by 0.577 after the L2 step."""
    layer = model.reduction.attention

    def fixed(module, inputs, output):
        scores = torch.zeros_like(output)
        for frame, y, x in ((0, 1, 2), (1, 3, 0), (2, 0, 1)):
            scores[frame, :, y, x] = 50.0
        return scores

    layer.scores[scale].register_forward_hook(fixed)


@pytest.mark.parametrize(
    ('options', 'frames', 'positions'),
    [
        ({}, True, True),  # all three are the largest
        (dict(absolute=True), True, False),  # 0.577: above 0.5, not above 0.7
        (dict(absolute=True, threshold=0.55), True, True),
        (dict(absolute=True, threshold=0.6), False, False),
    ],
)
def test_thresholds(tiny_data, tmp_path, options, frames, positions):
    """The paper's are absolute: 0.5 over frames (Fig. 4), 0.7 over positions (5)."""
    model = pyramid_model(scales=1)
    look_weakly(model)
    files, _ = draw_receptive_fields(
        model,
        [tiny_data / 'videos' / 'clip_0.mp4'],
        tmp_path,
        options=FieldOptions(alpha=1.0, num_columns=4, **options),
        progress=False,
    )
    sheets = {file.stem: np.asarray(Image.open(file)) for file in files}
    blue = [60, 110, 255]
    marked = part(sheets['clip_0-frames'], 1, 0)[12, 20].tolist() == blue
    assert marked == frames
    marked = part(sheets['clip_0-positions'], 0, 1)[12, 20].tolist() == blue
    assert marked == positions


def test_models_of_one_and_two_scales(tiny_data, tmp_path):
    """A row of each model, in the order of their scales, whatever comes first."""
    one, two = pyramid_model(scales=1), pyramid_model()
    look_at(one, 1, 1, 2, scale=0)
    look_at(two, 2, 3, 0, scale=0)  # alone: its other scale adds nothing
    look_at(two, 2, 3, 0, scale=1)
    files, _ = draw_receptive_fields(
        two,
        [tiny_data / 'videos' / 'clip_0.mp4'],
        tmp_path,
        others=[one],
        options=FieldOptions(alpha=1.0, num_columns=4),
        progress=False,
    )
    sheet = np.asarray(Image.open(files[0]))
    assert part(sheet, 1, 1)[12, 20].tolist() == [60, 110, 255]
    assert part(sheet, 2, 2)[28, 4].tolist() == [60, 220, 60]
    for row, column, place in ((1, 2, (28, 4)), (2, 1, (12, 20))):
        plain = part(sheet, 0, column)[place].tolist()
        assert part(sheet, row, column)[place].tolist() == plain


def test_models_that_do_not_go_together(tiny_data, tmp_path):
    video = tiny_data / 'videos' / 'clip_0.mp4'
    two = pyramid_model()
    with pytest.raises(ValueError, match=r'different numbers of scales, got \[2, 2\]'):
        draw_receptive_fields(two, [video], tmp_path, others=[pyramid_model()])
    one = pyramid_model(scales=1)
    options = FieldOptions(scales=[1])
    with pytest.raises(ValueError, match=r'scales: expected none .*, got \[1\]'):
        draw_receptive_fields(two, [video], tmp_path, others=[one], options=options)
    one.cfg.test_pipeline[1].num_clips = 2
    with pytest.raises(ValueError, match='others: expected models of the same top map'):
        draw_receptive_fields(two, [video], tmp_path, others=[one], progress=False)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(threshold=2), 'threshold: expected 0 to 1, got 2'),
        (dict(scales=[3]), r'scales: expected numbers from 1 to 2, got \[3\]'),
        (dict(position=(0, 4)), r'position: .* below \(4, 4\), got \(0, 4\)'),
        (dict(num_columns=0), 'num_columns: expected at least 1, got 0'),
        (dict(frame=7), 'frame: expected 0 to 2, got 7'),
    ],
)
def test_bad_options(tiny_data, tmp_path, options, message):
    video = tiny_data / 'videos' / 'clip_0.mp4'
    with pytest.raises(ValueError, match=message):
        draw_receptive_fields(
            pyramid_model(), [video], tmp_path, options=FieldOptions(**options)
        )


def test_another_model(tiny_data, tmp_path):
    video = tiny_data / 'videos' / 'clip_0.mp4'
    with pytest.raises(ValueError, match='model: expected mmattn'):
        draw_receptive_fields(spatial_model(), [video], tmp_path)


def test_broken_video(tmp_path):
    video = tmp_path / 'bad.mp4'
    video.write_bytes(b'no video')
    files, (message,) = draw_receptive_fields(
        pyramid_model(), [video], tmp_path / 'out', progress=False
    )
    assert files == []
    assert 'bad.mp4' in message
