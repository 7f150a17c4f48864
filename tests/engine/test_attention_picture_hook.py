"""Pictures of fixed validation videos appear in the backends during training."""

import importlib.util

import cv2
import pytest
from mmengine.registry import HOOKS

from mmattn.testing import build_runner

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
HAS_TENSORBOARD = importlib.util.find_spec('tensorboard') is not None
FEATURES = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'


def with_hook(cfg, **options):
    hook = dict(type='mmattn.AttentionPictureHook', **options)
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]
    return cfg


@pytest.fixture
def trained(shrunk, tmp_path):
    """Function that trains four epochs, drawing two videos in every second."""

    def train(backend):
        cfg = with_hook(shrunk(VIDEO), indices=[0, 1], interval=2, num_columns=3)
        cfg.train_cfg.update(max_epochs=4, val_interval=1)
        cfg.visualizer = dict(
            type='ActionVisualizer', vis_backends=[dict(type=backend)]
        )
        runner = build_runner(cfg, tmp_path)
        runner.train()
        runner.visualizer.close()

    return train


def test_every_second_validation_as_local_files(trained, tmp_path):
    trained('LocalVisBackend')
    pictures = sorted(tmp_path.rglob('attention_*.png'))
    assert [path.name for path in pictures] == [
        'attention_clip_0_0_2.png',
        'attention_clip_0_0_4.png',
        'attention_clip_1_1_2.png',
        'attention_clip_1_1_4.png',
    ]
    assert cv2.imread(str(pictures[0])).std() > 10


@pytest.mark.skipif(not HAS_TENSORBOARD, reason='tensorboard is not installed')
def test_tensorboard(trained, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained('TensorboardVisBackend')
    (events,) = tmp_path.rglob('events.out*')
    accumulator = EventAccumulator(str(events.parent), size_guidance=dict(images=0))
    accumulator.Reload()
    assert set(accumulator.Tags()['images']) == {
        'attention_clip_0_0',
        'attention_clip_1_1',
    }


@pytest.mark.parametrize(
    ('stem', 'options', 'message'),
    [
        (VIDEO, dict(indices=[9]), r'indices: expected 0 to 3, .* got 9'),
        (FEATURES, {}, 'test_pipeline: expected sampled frames'),
    ],
)
def test_mistakes_show_before_training(shrunk, tmp_path, stem, options, message):
    runner = build_runner(with_hook(shrunk(stem), **options), tmp_path)
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert runner.iter == 0


def test_bad_option():
    hook = dict(type='mmattn.AttentionPictureHook', interval=0)
    with pytest.raises(ValueError, match='interval: expected int at least 1, got 0'):
        HOOKS.build(hook)
