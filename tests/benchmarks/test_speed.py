"""The scripts that time the whole, as small as they get."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import DATASETS, MODELS

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'
SYSTEMS = ['tsn', 'stbta', 'pyramid', 'temporal_lstm', 'convlstm']


@pytest.fixture
def training_step(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / 'training_step.py'))


@pytest.fixture
def folder(training_step, tmp_path):
    training_step['write_videos'](tmp_path)
    return tmp_path


@pytest.mark.parametrize('system', SYSTEMS)
def test_both_sides_do_the_same_work(system, training_step, folder):
    ours = training_step['ours'](system, folder)
    plain = training_step['plain'](system, ours, folder)
    for split in ('train', 'test'):
        loaders = ours[f'{split}_dataloader'], plain[f'{split}_dataloader']
        assert loaders[0].batch_size == loaders[1].batch_size
        shapes = [DATASETS.build(x.dataset)[1]['inputs'].shape for x in loaders]
        if split == 'test' and system in training_step['TESTED']:
            assert shapes[0][0] == 250
        if split == 'train' or system in training_step['TESTED']:
            assert shapes[0] == shapes[1]
    with torch.device('meta'):
        nets = [MODELS.build(cfg.model) for cfg in (ours, plain)]
    trunks = [getattr(net.backbone, 'backbone', net.backbone) for net in nets]
    assert isinstance(trunks[0], type(trunks[1]))
    learned = [
        {n: p.requires_grad for n, p in net.named_parameters()} for net in trunks
    ]
    added = learned[0].keys() - learned[1].keys()
    assert bool(added) == (system == 'stbta')
    frozen = training_step['ours'](system, folder).model.get('freeze_backbone', False)
    assert learned[1].items() <= learned[0].items()
    assert frozen == (not any(learned[1].values()))


@pytest.mark.slow
def test_main_reports_both_steps(training_step, monkeypatch, capsys):
    options = ['--systems', 'tsn', '--pairs', '1', '--profile', '--layout']
    monkeypatch.setattr(sys, 'argv', ['x', *options])
    monkeypatch.setitem(training_step['SYSTEMS'], 'tsn', (SYSTEM, 1, 32))
    threads = torch.get_num_threads()
    assert training_step['main']() in (0, 1)
    torch.set_num_threads(threads)
    told = capsys.readouterr().out
    for part in (
        'tsn, train, ours: ',
        'tsn, train, ours / plain: ratio ',
        'tsn, train, ours in the plain layout / plain: ratio ',
        'tsn, test, ours / plain: ratio ',
    ):
        assert part in told


SYSTEM = 'tsn_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb'


@pytest.mark.slow
def test_start(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(sys, 'argv', ['x', '--pairs', '1'])
    monkeypatch.setenv('PYTHONPATH', '')
    start = runpy.run_path(str(BENCHMARKS / 'start.py'))
    assert start['main']() in (0, 1)
    told = capsys.readouterr().out
    assert 'imports: ' in told
    assert 'start, ours / plain: ratio ' in told
