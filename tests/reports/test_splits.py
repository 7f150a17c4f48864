"""Figures of the splits and their mean."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.fileio import dump

from mmattn.reports.splits import find_runs, read_run, rows_of, split_table

TOOL = 'analysis/mean_over_splits.py'
CONFIG = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb.py'
FLOW = CONFIG.replace('-rgb', '-flow')


def write_log(folder, top1, time='20260101_000000'):
    log = folder / time / f'{time}.json'
    log.parent.mkdir(parents=True)
    figures = {'acc/top1': top1, 'acc/top5': 1.0, 'acc/mean1': 0.5, 'time': 7.0}
    log.write_text(json.dumps(figures))
    return folder


def test_work_dirs_of_the_splits(tmp_path, run_tool, capsys):
    """0.80, 0.82 and 0.87 make 83.0; the paper's figure stands below."""
    stem = Path(CONFIG).stem
    write_log(tmp_path / stem, 0.10, '20250101_000000')
    write_log(tmp_path / stem, 0.80)
    write_log(tmp_path / f'{stem}_split2', 0.82)
    write_log(tmp_path / f'{stem}_split3', 0.87)
    assert run_tool(TOOL, CONFIG, '--work-dirs', tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '| figure | split 1 | split 2 | split 3 | mean |'
    assert lines[2] == '| top-1 | 80.0 | 82.0 | 87.0 | 83.0 |'
    assert lines[4] == '| mean class | 50.0 | 50.0 | 50.0 | 50.0 |'
    assert lines[5].startswith('paper: 84.2 (top-1, mean over the 3 splits; ')


def test_a_split_of_its_own_name_comes_first(tmp_path):
    for name in ('a', 'a_split1', 'a_split2', 'a_split3'):
        (tmp_path / name).mkdir()
    found = find_runs('x/a.py', tmp_path)
    assert [path.name for path in found] == ['a_split1', 'a_split2', 'a_split3']


def test_missing_split_is_named(tmp_path, run_tool, capsys):
    write_log(tmp_path / Path(CONFIG).stem, 0.8)
    assert run_tool(TOOL, CONFIG, '--work-dirs', tmp_path) == 2
    error = ' '.join(capsys.readouterr().err.split())
    assert 'expected the run of split 2' in error
    assert f'mim train mmattn {CONFIG} --split 2' in error


def test_reports_of_two_streams(tmp_path, run_tool, capsys):
    runs = []
    for split, top1 in enumerate((0.90, 0.91, 0.95), 1):
        folder = tmp_path / str(split)
        folder.mkdir()
        figures = dict(top1=top1, top5=1.0, mean_class=0.9)
        report = dict(weights=[1, 2], rgb=dict(figures, top1=0.8), fusion=figures)
        (folder / 'report.json').write_text(json.dumps(report))
        runs.append(folder)
    assert run_tool(TOOL, CONFIG, FLOW, '--runs', *runs) == 0
    out = capsys.readouterr().out
    assert '| rgb top-1 | 80.0 | 80.0 | 80.0 | 80.0 |' in out
    assert '| fusion top-1 | 90.0 | 91.0 | 95.0 | 92.0 |' in out
    assert 'paper: 93.3 (top-1, mean over the 3 splits; ' in out
    assert run_tool(TOOL, CONFIG, FLOW) == 2
    assert 'expected --runs' in capsys.readouterr().err


def test_dump_is_a_run(tmp_path):
    samples = [
        dict(video_id=v, pred_score=np.eye(3)[k], gt_label=torch.tensor([0]))
        for v, k in zip('abcd', (0, 1, 0, 0), strict=True)
    ]
    dump(samples, tmp_path / 'a.pkl')
    assert read_run(tmp_path / 'a.pkl')['top-1'] == pytest.approx(75)


def test_streams_of_one_process_are_read(tmp_path):
    log = tmp_path / 't' / 't.json'
    log.parent.mkdir()
    log.write_text(json.dumps({'acc/fusion_top1': 0.5, 'acc/rgb_mean1': 0.25}))
    assert read_run(tmp_path) == {'fusion top-1': 50, 'rgb mean class': 25}


def test_nothing_to_read(tmp_path):
    with pytest.raises(ValueError, match='expected the log of a test, report'):
        read_run(tmp_path)


def test_figures_in_common():
    with pytest.raises(ValueError, match='expected runs with a figure in common'):
        split_table([{'a': 1.0}, {'b': 1.0}])


def test_rows_of_configs():
    (row,) = rows_of([f'somewhere/{CONFIG}'])
    assert (row.figure, row.dataset) == (84.2, 'UCF101')
    assert rows_of(['none.py']) == []
