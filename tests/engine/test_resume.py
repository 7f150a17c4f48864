"""A run that was killed and resumed ends as one that never was."""

import signal
from pathlib import Path

import pytest
import torch
from forked import start
from mmengine.config import Config

from mmattn.testing import make_tiny_data, shrink
from mmattn.utils.configs import configs_root

SCRIPT = Path(__file__).parents[1] / 'helpers' / 'train_and_die.py'
FOLDER = configs_root() / 'recognition' / 'temporal_lstm'
CONVNET = (
    'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb.py'
)
EPOCHS = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb.py'


def write_config(name, folder):
    data = make_tiny_data(folder / 'data', num_videos=6)
    cfg = shrink(Config.fromfile(FOLDER / name), data)
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.max_iters = 8
        cfg.default_hooks.checkpoint.interval = 3
        cfg.param_scheduler[0].milestones = [2, 5]
        cfg.optim_wrapper.optimizer.lr = 0.05
    else:
        cfg.train_cfg.max_epochs = 3
        cfg.model.freeze_backbone = False
        cfg.model.cls_head.lstm.dropout = 0.5
    cfg.dump(folder / 'unseeded.py')  # resumes with the seed in the checkpoint
    cfg.randomness = dict(seed=7)
    cfg.dump(folder / 'seeded.py')
    return folder / 'seeded.py', folder / 'unseeded.py'


def train(config, work_dir, processes, *args, die_at=0):
    return start([SCRIPT, config, work_dir, die_at, *args], processes=processes)


def final_weights(work_dir):
    path = Path((work_dir / 'last_checkpoint').read_text().strip())
    return path.name, torch.load(path, weights_only=True)['state_dict']


@pytest.mark.slow
@pytest.mark.parametrize('processes', [1, 2])
@pytest.mark.parametrize('name', [CONVNET, EPOCHS], ids=['iterations', 'epochs'])
def test_killed_run_resumes_to_the_same_weights(tmp_path, name, processes):
    config, unseeded = write_config(name, tmp_path)
    result = train(config, tmp_path / 'whole', processes)
    assert result.returncode == 0, result.stderr[-3000:]
    die_at = 5
    killed = train(config, tmp_path / 'killed', processes, die_at=die_at)
    assert killed.returncode in (-signal.SIGKILL, 1), killed.stderr[-3000:]
    unfinished, _ = final_weights(tmp_path / 'killed')
    resumed = train(unseeded, tmp_path / 'killed', processes, '--resume')
    assert resumed.returncode == 0, resumed.stderr[-3000:]

    finished, weights = final_weights(tmp_path / 'whole')
    again, resumed_weights = final_weights(tmp_path / 'killed')
    assert unfinished != finished == again
    assert weights.keys() == resumed_weights.keys()
    for key, value in weights.items():
        torch.testing.assert_close(resumed_weights[key], value, rtol=0, atol=0)
