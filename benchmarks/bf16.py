"""bfloat16 against float32 on a CPU, through what tools/train.py and test.py set up.

Trains and tests the VGG-16 recognizer of the temporal-attention paper at 224 x 224 with
random weights on generated clips; batches are decoded beforehand. Exits with 1 if
float32 does not take at least 1.5 times as long.

    python benchmarks/bf16.py [--pairs 20] [--threads 2]
"""

import argparse
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from timing import interleaved, report

from mmattn.engine.host_tools import test_in_bf16, train_in_bf16
from mmattn.testing import make_tiny_data
from mmattn.utils.configs import configs_root

CONFIG = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb.py'
TRAIN_FRAMES = 8
TEST_FRAMES = 32  # a test video has 25 frames x 10 crops at once


def make_config(data: Path) -> Config:
    """Return the config on tiny data, with its network at full size."""
    path = configs_root() / 'recognition' / 'temporal_lstm' / CONFIG
    cfg = Config.fromfile(path)
    cfg.model.backbone.pop('init_cfg')
    cfg.work_dir, cfg.log_level = str(data / 'work'), 'ERROR'
    cfg.visualizer.vis_backends = []
    for split, batch in (('train', TRAIN_FRAMES), ('val', 1), ('test', TEST_FRAMES)):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=batch, num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = str(data / 'videos.txt')
        loader.dataset.data_prefix = dict(video=str(data / 'videos'))
        loader.dataset.pipeline = cfg.train_pipeline  # one frame per video
    return cfg


def make_steps(cfg: Config, bf16: bool) -> tuple[Callable, Callable]:
    """Return functions that do one training and one test step."""
    cfg = cfg.copy()
    cfg.experiment_name = uuid.uuid4().hex
    train_in_bf16(cfg, bf16)
    test_in_bf16(cfg, bf16)
    runner = Runner.from_cfg(cfg)
    test_loop = runner.test_loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    batch = next(iter(runner.train_dataloader))
    test_batch = next(iter(test_loop.dataloader))
    runner.call_hook('before_test_epoch')  # starts the timer hook

    def train_step() -> None:
        runner.model.train()
        runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper)

    def test_step() -> None:
        runner.model.eval()
        test_loop.run_iter(0, test_batch)
        test_loop.evaluator.metrics[0].results.clear()

    return train_step, test_step


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        data = make_tiny_data(folder, num_videos=TEST_FRAMES)
        cfg = make_config(data)
        full, half = make_steps(cfg, bf16=False), make_steps(cfg, bf16=True)
        passed = True
        for name, a, b in zip(('training', 'test'), full, half, strict=True):
            result = interleaved(a, b, pairs=args.pairs, warmup=1)
            passed &= report(f'{name} step, float32 / bf16', result, at_least=1.5)
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
