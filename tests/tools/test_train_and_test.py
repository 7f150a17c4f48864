"""The command-line tools from training to fused scores."""

import json
import re
import subprocess
import sys
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmattn.engine.host_tools import load_host_tool
from mmattn.evaluation import accuracies, fuse_scores, load_scores

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
BASELINES = (
    'tsn_in1k-pre-bninception_8xb8-5x1x3-100e_hmdb51-split1-flow',
    'i3d_k400-pre-inception-v1_8xb8-64x1x1-100e_ucf101-split1-rgb',
)
FEATURES = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'


def start(name, folder, *args):
    """Run a tool in a process of its own, with ``folder`` as its place."""
    result = forked.start([TOOLS / name, *args], folder=folder)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    return result


def write_config(cfg, path):
    """Dump a config, with a line that shows which split it was read with."""
    cfg.dump(path)
    path.write_text(path.read_text() + "\nread_split = '{{$MMATTN_SPLIT:1}}'\n")
    return path


def last_checkpoint(folder):
    return Path((folder / 'last_checkpoint').read_text().strip())


@pytest.mark.slow
def test_bf16_and_split_from_training_to_fused_scores(shrunk, tmp_path):
    config = write_config(shrunk(VIDEO), tmp_path / 'model.py')
    command = [sys.executable, TOOLS / 'train.py', config, '--bf16', '--split', '2']
    run = subprocess.run(
        [*command, '--seed', '5'], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    before, first_loss, _ = run.stdout.partition('Epoch(train)')
    assert first_loss
    above, *after = before.split('Config:')
    assert len(after) == 1
    _, config_end, below = after[0].partition('\nwork_dir = ')
    assert config_end
    assert len((above + below).splitlines()) < 24
    assert 'warn' not in run.stderr.lower()
    work_dir = tmp_path / 'work_dirs' / 'model_split2'
    dumped = Config.fromfile(work_dir / 'model.py')
    assert dumped.read_split == '2'
    assert dumped.optim_wrapper.type == 'mmattn.Bf16OptimWrapper'
    assert dumped.randomness.seed == 5
    checkpoint = last_checkpoint(work_dir)
    weights = torch.load(checkpoint)['state_dict'].values()
    assert {w.dtype for w in weights if w.is_floating_point()} == {torch.float32}

    for name, flags in (('a', []), ('b', ['--bf16'])):
        flags = [*flags, '--dump', f'{name}.pkl', '--work-dir', name]
        start('test.py', tmp_path, config, checkpoint, *flags)
    streams = [load_scores(tmp_path / f'{name}.pkl') for name in 'ab']
    assert streams[0].video_ids == ('clip_0', 'clip_1', 'clip_2', 'clip_3')
    assert streams[0].labels.tolist() == [0, 1, 2, 0]
    np.testing.assert_allclose(streams[0].scores.sum(axis=1), 1, atol=1e-5)
    assert (streams[0].scores != streams[1].scores).any()  # bfloat16 was on
    np.testing.assert_allclose(streams[0].scores, streams[1].scores, atol=0.05)

    fused = accuracies(fuse_scores(streams, [1, 2]))
    files = ['a.pkl', 'b.pkl']
    fuse = start(
        'analysis/fuse_scores.py',
        *(tmp_path, *files, '--weights', 1, 2, '--json', 'fused.json'),
    )
    report = json.loads((tmp_path / 'fused.json').read_text())
    assert report['fusion'] == pytest.approx(fused)
    assert fuse.stdout.splitlines()[-1].endswith('fusion')


@pytest.mark.slow
@pytest.mark.parametrize('stem', BASELINES)
def test_baselines_from_training_to_scores(shrunk, tmp_path, stem):
    config = tmp_path / 'model.py'
    shrunk(stem).dump(config)
    start('train.py', tmp_path, config)
    checkpoint = last_checkpoint(tmp_path / 'work_dirs' / 'model')
    start('test.py', tmp_path, config, checkpoint, '--dump', 'scores.pkl')
    scores = load_scores(tmp_path / 'scores.pkl')
    assert scores.labels.tolist() == [0, 1, 2, 0]
    np.testing.assert_allclose(scores.scores.sum(axis=1), 1, atol=1e-5)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_hosts_report_reads_our_dumps(shrunk, in_folder, run_tool, monkeypatch, capsys):
    """Its figures are those of our fusion."""
    cfg = shrunk(FEATURES)
    cfg.experiment_name = 'report'
    cfg.dump('model.py')
    run_tool('train.py', 'model.py')
    checkpoint = last_checkpoint(in_folder / 'work_dirs' / 'model')
    for name in 'ab':
        cfg.experiment_name = f'report_{name}'
        cfg.dump('model.py')
        run_tool('test.py', 'model.py', checkpoint, '--dump', f'{name}.pkl')
    fused = accuracies(
        fuse_scores([load_scores('a.pkl'), load_scores('b.pkl')], [1, 2])
    )
    capsys.readouterr()
    host = load_host_tool('analysis_tools/report_accuracy.py')
    args = ['--preds', 'a.pkl', 'b.pkl', '--coefficients', '1', '2']
    monkeypatch.setattr(sys, 'argv', ['report_accuracy.py', *args])
    host.main()
    figures = re.findall(r'Accuracy: ([\d.]+)', capsys.readouterr().out)
    expected = [fused['mean_class'], fused['top1'], fused['top5']]
    assert [float(figure) for figure in figures] == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_two_processes_on_a_cpu(shrunk, tmp_path):
    cfg = shrunk(VIDEO)
    cfg.train_dataloader.batch_size = 1
    config = tmp_path / 'model.py'
    cfg.dump(config)
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2']
    command += ['--rdzv-backend=c10d', '--rdzv-endpoint=localhost:0']
    command += [str(TOOLS / 'train.py'), str(config), '--launcher', 'pytorch']
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    work_dir = tmp_path / 'work_dirs' / 'model'
    assert last_checkpoint(work_dir).name == 'epoch_1.pth'
    (log,) = work_dir.glob('*/*.log')
    text = log.read_text()
    assert 'Epoch(train) [1][2/2]' in text  # 4 videos, 2 processes
    assert re.search(r'Epoch\(val\) \[1\]\[1/1\]\s+acc/top1', text)
