"""The evidence scripts, as small as they get, and what they share."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmattn.comparison.systems import TWINS
from mmattn.synthetic import VideoOptions, render_clip

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture
def load(monkeypatch):
    """Function that runs a script of the folder as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return lambda name: runpy.run_path(str(BENCHMARKS / f'{name}.py'))


def printed_table(capsys) -> list[list[str]]:
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith('CPU minutes, wanted at most 30') for line in lines)
    return [line.strip('| ').split(' | ') for line in lines if line.startswith('| ')]


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, options, first, columns',
    [
        ('stbta_evidence', [], ['preset', '---', 'small', 'motion'], 5),
        (
            'pyramid_evidence',
            ['--presets', 'small'],
            ['preset', '---', 'small', 'small', 'small'],
            7,
        ),
        (
            'convlstm_motion',
            [],
            [
                'figure',
                '---',
                'top-1 of videos, %',
                'top-1 of frames, %',
                'pointing score, %',
                'attention mass in the box, %',
                "the box's share of the area, %",
                'lower 95 % bound of the pointing score',
                "1.5 times the box's share",
            ],
            2,
        ),
    ],
)
def test_tables(name, options, first, columns, load, monkeypatch, capsys):
    few = ['--seeds', '0', '1', '--clips', '2', '1', '--epochs', '1']
    monkeypatch.setattr(sys, 'argv', [name, *few, *options])
    assert load(name)['main']() in (0, 1)
    table = printed_table(capsys)
    assert [row[0] for row in table] == first
    assert {len(row) for row in table} == {columns}
    means = [
        float(cell.split(' ± ')[0])
        for row in table[2:]
        for cell in row
        if ' ± ' in cell
    ]
    assert len(means) >= 5
    assert all(-100 <= mean <= 100 for mean in means)  # a gain may be negative


@pytest.mark.slow
@pytest.mark.parametrize(
    ('system', 'forms'), [('convlstm', ['paper']), ('stbta', ['paper', 'tuned'])]
)
def test_gains_on_motion_are_over_the_twin(system, forms, load, monkeypatch, capsys):
    few = ['--seeds', '0', '1', '--clips', '2', '1', '--epochs', '1']
    monkeypatch.setattr(sys, 'argv', ['motion_evidence', system, *few])
    assert load('motion_evidence')['main']() == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip('| ').split(' | ') for line in lines if line.startswith('| ')]
    trained = {
        arm: np.mean(
            [float(line.split()[-2]) for line in lines if f', {arm}, ' in line]
        )
        for arm in (*forms, *map(TWINS.get, forms))
    }
    assert [row[:2] for row in rows[2:]] == [[system, form] for form in forms]
    for _, form, twin, accuracy, gain, interval in rows[2:]:
        accuracy, gain = (float(cell.split(' ± ')[0]) for cell in (accuracy, gain))
        assert float(twin) == pytest.approx(trained[TWINS[form]], abs=0.11)
        assert accuracy == pytest.approx(trained[form], abs=0.11)
        assert gain == pytest.approx(accuracy - float(twin), abs=0.11)
        low, high = map(float, interval.split(' to '))
        assert low <= gain <= high


def test_clips_are_the_rendered_ones(load):
    evidence = load('evidence')
    options = VideoOptions(
        preset='motion', num_classes=3, clips_per_class=dict(test=2), num_frames=5
    )
    samples = evidence['render'](options)['test']
    assert [sample.label for sample in samples] == [0, 1, 2, 0, 1, 2]
    step = dict(type='SampleFrames', clip_len=1, num_clips=5, test_mode=True)
    clips = evidence['Clips'](samples, step)
    item, rendered = clips[4], render_clip(options, 'test', 4)
    np.testing.assert_array_equal(
        item['inputs'].numpy(), rendered.frames.transpose(0, 3, 1, 2)
    )
    assert item['data_samples'].gt_label.item() == rendered.label
    np.testing.assert_array_equal(samples[4].boxes, rendered.boxes)


def test_training_learns_what_one_color_tells(load):
    """Clips of red and of blue, which a few steps tell apart."""
    evidence = load('evidence')
    frames = np.zeros((2, 3, 32, 32, 3), np.uint8)
    frames[0, ..., 0], frames[1, ..., 2] = 255, 255
    samples = [evidence['Sample'](frames[i % 2], i % 2, None) for i in range(8)]
    step = dict(type='SampleFrames', clip_len=1, num_clips=3, test_mode=True)
    clips = evidence['Clips'](samples, step)
    model = dict(
        type='Recognizer2D',
        backbone=dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv2'),
        cls_head=dict(type='TSNHead', num_classes=2, in_channels=8, dropout_ratio=0),
        data_preprocessor=evidence['PREPROCESSOR'],
    )
    options = dict(epochs=10, batch_size=4, lr=0.05, seed=0)
    learned = evidence['train'](model, clips, **options)
    assert evidence['top1'](learned, clips) == 100
    wrong = [sample._replace(label=1 - sample.label) for sample in samples]
    assert evidence['top1'](learned, evidence['Clips'](wrong, step)) == 0
    kept = dict(options, epochs=1, lr=1e-12, start=learned.state_dict())
    for name, weight in evidence['train'](model, clips, **kept).state_dict().items():
        torch.testing.assert_close(weight, learned.state_dict()[name])
    frozen = dict(options, lr_mult=dict(backbone=0.0))
    start, end = (
        evidence['train'](model, clips, **dict(frozen, epochs=n)).backbone
        for n in (1, 2)
    )
    for a, b in zip(start.parameters(), end.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach(), b.detach())


def test_poses_are_learned_from_trimmed_frames(load):
    """Few steps give weights of the model's names, and a share of 4 test clips."""
    evidence = load('evidence')
    model = load('stbta_evidence')['build']('small', attention=False)
    poses = VideoOptions(
        preset='trimmed',
        num_classes=2,
        clips_per_class=dict(train=2, test=2),
        num_frames=2,
        size=(40, 40),
    )
    weights, accuracy = evidence['learn_poses'](model, poses, epochs=1)
    assert 'backbone.features.0.weight' in weights
    assert accuracy in (0, 25, 50, 75, 100)


def test_mean_spread_and_bound(load):
    evidence = load('evidence')
    assert evidence['mean_and_spread']([1, 3]) == '2.0 ± 1.4'
    assert evidence['mean_and_spread']([5]) == '5.0 ± 0.0'
    assert evidence['row']('a', 1.5) == '| a | 1.5 |'
    bound = load('convlstm_motion')['lower_bound']
    assert bound([1.0, 2.0, 3.0]) == pytest.approx(2 - 4.303 / 3**0.5)
    assert bound([2.0]) == 2
