"""The host's command-line scripts with options of ours."""

import errno
import os
import signal
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmattn.engine import DivergedError, host_tools
from mmattn.engine.host_tools import (
    load_host_tool,
    run_host_tool,
    stops_in_one_sentence,
    train_in_bf16,
)
from mmattn.utils.configs import SPLIT_VARIABLE, find_config, set_split, uses_detection

NAME = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb.py'


@pytest.fixture
def split_variable(monkeypatch):
    monkeypatch.setenv(SPLIT_VARIABLE, '1')  # and back to what it was afterwards
    monkeypatch.delenv(SPLIT_VARIABLE)


def config_of_splits(**cfg):
    return Config(cfg, cfg_text=f"ann_file = 'split_{{{{${SPLIT_VARIABLE}:1}}}}.txt'")


@pytest.fixture
def host(monkeypatch, split_variable):
    """Stand-in for the host's script that records what it was asked to run."""
    calls = SimpleNamespace(argv=None, cfg=None, given=config_of_splits())

    def merge_args(cfg, args):
        cfg.setdefault('work_dir', args.work_dir or 'work_dirs/default')
        return cfg

    def main():
        calls.argv = sys.argv[1:]
        args = SimpleNamespace(config='dir/model.py', work_dir=None)
        if '--work-dir' in calls.argv:
            args.work_dir = calls.argv[calls.argv.index('--work-dir') + 1]
        calls.cfg = calls.tool.merge_args(calls.given, args)

    def load(name):
        calls.tool = SimpleNamespace(merge_args=merge_args, main=main)
        return calls.tool

    monkeypatch.setattr(host_tools, 'load_host_tool', load)
    return calls


def run(monkeypatch, *args, adapt=lambda cfg, bf16: None):
    monkeypatch.setattr(sys, 'argv', ['train.py', *args])
    run_host_tool('train.py', adapt)


def test_hosts_scripts_load_under_their_names():
    module = load_host_tool('train.py')
    assert callable(module.main)
    assert callable(module.merge_args)
    with pytest.raises(FileNotFoundError, match=r'tools/none\.py, got no file'):
        load_host_tool('none.py')


def test_other_options_reach_the_host(monkeypatch, host):
    args = ['model.py', '--cfg-options', 'a.b=1', '--resume', '--seed', '3']
    run(monkeypatch, *args, '--bf16', '--split', '2')
    assert host.argv == args


def test_bf16_reaches_the_config_after_the_hosts_options(monkeypatch, host):
    seen = []
    run(monkeypatch, '--bf16', adapt=lambda cfg, bf16: seen.append((cfg, bf16)))
    run(monkeypatch, adapt=lambda cfg, bf16: seen.append((cfg, bf16)))
    assert [bf16 for _, bf16 in seen] == [True, False]
    assert seen[0][0].work_dir == 'work_dirs/default'


def test_guards_are_added_where_a_config_has_none(monkeypatch, host):
    host.given = Config(
        dict(custom_hooks=[dict(type='mmattn.ClassCountHook', priority=70)])
    )
    run(monkeypatch)
    assert host.cfg.custom_hooks == [
        dict(type='mmattn.ClassCountHook', priority=70),
        dict(type='mmattn.CheckpointGuardHook'),
        dict(type='mmattn.DivergenceHook'),
    ]


def test_wrong_arguments_are_named_by_their_key(monkeypatch, host):
    hook = dict(type='mmattn.DivergenceHook', patience='3')
    host.given = Config(dict(custom_hooks=[hook]))
    with pytest.raises(TypeError, match=r'^custom_hooks\[0\]\.patience: expected int'):
        run(monkeypatch)


def test_split_names_the_work_dir_and_the_lists(monkeypatch, host):
    run(monkeypatch, '--split', '3')
    assert host.cfg.work_dir == 'work_dirs/model_split3'
    assert os.environ[SPLIT_VARIABLE] == '3'


def test_no_split_changes_nothing(monkeypatch, host):
    run(monkeypatch)
    assert host.cfg.work_dir == 'work_dirs/default'
    assert SPLIT_VARIABLE not in os.environ


def test_given_work_dirs_stay(monkeypatch, host):
    run(monkeypatch, '--split', '3', '--work-dir', 'mine')
    assert host.cfg.work_dir == 'mine'
    host.given = config_of_splits(work_dir='of the config')
    run(monkeypatch, '--split', '3')
    assert host.cfg.work_dir == 'of the config'


def test_config_without_splits(monkeypatch, host):
    host.given = Config(dict(ann_file='train.txt'))
    with pytest.raises(ValueError, match=r'--split: expected .*, got dir/model\.py'):
        run(monkeypatch, '--split', '2')
    run(monkeypatch)


def test_unknown_split(monkeypatch, host, capsys):
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, '--split', '4')
    assert error.value.code == 2
    assert 'invalid choice: 4' in capsys.readouterr().err


def test_split_none_keeps_the_variable(monkeypatch):
    monkeypatch.setenv(SPLIT_VARIABLE, '2')
    set_split(None)
    assert os.environ[SPLIT_VARIABLE] == '2'


def train_config(**wrapper):
    return Config(dict(optim_wrapper=wrapper, val_cfg=dict(type='ValLoop')))


def test_train_in_bf16():
    cfg = train_config(optimizer=dict(type='SGD'))
    train_in_bf16(cfg, bf16=True)
    assert cfg.optim_wrapper.type == 'mmattn.Bf16OptimWrapper'
    assert cfg.optim_wrapper.optimizer.type == 'SGD'
    assert cfg.val_cfg.fp16


def test_train_in_float32_changes_nothing():
    cfg = train_config(type='OptimWrapper')
    train_in_bf16(cfg, bf16=False)
    assert cfg.to_dict() == train_config(type='OptimWrapper').to_dict()


@pytest.mark.skipif(torch.cuda.is_available(), reason='--amp is the host own there')
def test_amp_on_a_cpu_means_bf16():
    cfg = train_config(type='AmpOptimWrapper', loss_scale='dynamic', dtype='float16')
    train_in_bf16(cfg, bf16=False)
    assert dict(cfg.optim_wrapper) == dict(type='mmattn.Bf16OptimWrapper')


def test_bf16_without_validation():
    cfg = train_config(type='OptimWrapper')
    cfg.val_cfg = None
    train_in_bf16(cfg, bf16=True)
    assert cfg.val_cfg is None


def test_other_wrappers_are_refused():
    cfg = train_config(type='ApexOptimWrapper')
    with pytest.raises(
        ValueError, match=r'optim_wrapper\.type: .*got ApexOptimWrapper'
    ):
        train_in_bf16(cfg, bf16=True)


@pytest.mark.parametrize('bf16', [True, False])
def test_test_in_bf16(bf16):
    cfg = Config(dict(test_cfg=dict(type='TestLoop')))
    host_tools.test_in_bf16(cfg, bf16)
    assert cfg.test_cfg.get('fp16', False) is bf16


def test_configs_are_found_by_name_and_by_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = find_config(NAME)
    assert found.is_file()
    assert found.parent.name == 'temporal_lstm'
    (tmp_path / NAME).touch()
    assert find_config(NAME).resolve() == tmp_path / NAME
    with pytest.raises(ValueError, match=r"of ours or MMAction2's, got 'none\.py'"):
        find_config('none.py')


@pytest.mark.parametrize(
    'model, answer',
    [
        (dict(type='FastRCNN', _scope_='mmdet'), True),
        (dict(type='mmattn.X', roi_head=dict(type='mmdet.RoIHead')), True),
        (dict(necks=[dict(type='A'), dict(type='mmdet.FPN')]), True),
        (dict(type='Recognizer2D', backbone=dict(type='mmattn.VGG')), False),
        ({}, False),
    ],
)
def test_uses_detection(model, answer):
    assert uses_detection(Config(dict(model=model)).model) is answer


@pytest.fixture
def work_dir(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('work/epoch_3.pth')
    return str(tmp_path)


def stopped(work_dir, act):
    with stops_in_one_sentence(lambda: work_dir):
        act()


def raises(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    'act, code, reason',
    [
        (raises(KeyboardInterrupt()), 130, 'Ctrl-C'),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), 143, 'SIGTERM'),
    ],
)
def test_signals_end_with_a_sentence(work_dir, capsys, act, code, reason):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        stopped(work_dir, act)
    assert stop.value.code == code
    assert capsys.readouterr().err == (
        f'stopped: {reason}; go on with --resume from work/epoch_3.pth\n'
    )
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    'error, sentence',
    [
        (
            OSError(errno.ENOSPC, 'No space left on device', 'epoch_4.pth'),
            r"stopped: \[Errno 28\] No space left on device: 'epoch_4.pth'; go on with "
            r'--resume from work/epoch_3\.pth$',
        ),
        (DivergedError('training diverged'), 'stopped: training diverged$'),
    ],
)
def test_faults_end_with_a_sentence(work_dir, error, sentence):
    with pytest.raises(SystemExit, match=sentence):
        stopped(work_dir, raises(error))


def test_mistakes_in_code_keep_their_traceback(work_dir):
    with pytest.raises(KeyError, match='a_key'):
        stopped(work_dir, raises(KeyError('a_key')))
