"""What docs/training_options.md shows works in our configs."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config
from pages import ROOT, blocks

from mmattn.testing import train_and_test

MEAN_POOLING = 'temporal_lstm-baseline_tiny-vgg16bn-fc6_1xb32-30x1-50e_keyframes-rgb'
SEGMENTS = 'stbta-one_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb'
PAGE = ROOT / 'docs' / 'training_options.md'


def shown(part):
    """The block of the page that holds a text, as a config."""
    (code,) = (code for code in blocks(PAGE, 'python') if part in code)
    return Config.fromstring(code, '.py')


def test_early_stopping_and_average(shrunk, tmp_path):
    cfg = shrunk(MEAN_POOLING)
    hooks = [hook for part in ('Early', 'EMA') for hook in shown(part).custom_hooks]
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), *hooks]
    train_and_test(cfg, tmp_path)
    (path,) = tmp_path.glob('epoch_*.pth')
    content = torch.load(path, weights_only=True)
    assert 'ema_state_dict' in content


@pytest.mark.skipif(
    importlib.util.find_spec('tensorboard') is None, reason='needs tensorboard'
)
def test_tensorboard(shrunk, tmp_path):
    cfg = shrunk(MEAN_POOLING)
    cfg.merge_from_dict(shown('TensorboardVisBackend').to_dict())
    train_and_test(cfg, tmp_path)
    assert list(tmp_path.glob('*/vis_data/events.out.tfevents.*'))
    assert list(tmp_path.glob('*/vis_data/scalars.json'))


def test_mixup(shrunk, tmp_path):
    cfg = shrunk(SEGMENTS)
    blending = shown('MixupBlending').blending
    for augment in blending.augments:
        augment.num_classes = cfg.model.cls_head.num_classes
    cfg.model.data_preprocessor.blending = blending
    assert 0 < train_and_test(cfg, tmp_path)['loss'] < 100


@pytest.mark.slow
def test_frames_are_browsed(shrunk, tmp_path):
    pytest.importorskip('moviepy', reason='the host writes films with moviepy')
    cfg = shrunk(SEGMENTS)
    config = tmp_path / 'mine.py'
    config.write_text(cfg.pretty_text)
    tool = (
        Path(mmaction.__file__).parent / '.mim/tools/visualizations/browse_dataset.py'
    )
    command = [sys.executable, '-W', 'ignore', str(tool), str(config)]
    subprocess.run([*command, str(tmp_path / 'out'), '--mode', 'pipeline'], check=True)
    assert list((tmp_path / 'out').rglob('*.mp4')) or list(
        (tmp_path / 'out').rglob('*.*')
    )
