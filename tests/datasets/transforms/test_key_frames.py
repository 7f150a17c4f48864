"""The labeled frame is in the middle of the clip."""

import numpy as np
import pytest
from mmengine.config import Config

from mmattn.datasets import BrokenVideoError
from mmattn.registry import TRANSFORMS
from mmattn.utils.configs import configs_root

AVA = dict(fps=30, timestamp_start=900, shot_info=(0, 27000), start_index=1)


def step(**options):
    options = dict(clip_len=32, frame_interval=2, test_mode=True) | options
    return TRANSFORMS.build(dict(type='mmattn.SampleAVAFrames', **options))


@pytest.mark.parametrize('second, frame', [(902, 61), (900, 1), (1798, 26941)])
def test_the_middle_is_the_labeled_frame(second, frame):
    """Second 902.000 of frames from img_00001.jpg at second 900 is img_00061.jpg."""
    found = step()(dict(AVA, timestamp=second))
    assert found['frame_inds'][16] == frame
    assert found['start_index'] == 1
    assert found['clip_len'] == 32


def test_frames_stay_within_the_folder():
    first = step()(dict(AVA, timestamp=900))['frame_inds']
    last = step()(dict(AVA, timestamp=1799))['frame_inds']
    assert (first.min(), first.max()) == (1, 31)
    assert (last.min(), last.max()) == (26939, 27000)
    assert last[16] == 26971


def test_training_shifts_by_up_to_half_an_interval():
    middles = [
        step(test_mode=False)(dict(AVA, timestamp=902))['frame_inds'][16]
        for _ in range(50)
    ]
    assert set(middles) == {60, 61}


def test_frames_that_count_from_zero():
    sample = dict(AVA, start_index=0, timestamp=3, timestamp_start=0, fps=10)
    assert step()(dict(sample, total_frames=40))['frame_inds'][16] == 30
    with pytest.raises(BrokenVideoError, match=r'its 30 frames at 10 .*, got 3'):
        step()(dict(sample, total_frames=30))


@pytest.mark.parametrize('second', [899, 1800, 2])
def test_seconds_outside_of_the_frames(second):
    with pytest.raises(
        BrokenVideoError, match=rf'27000 frames .* from second 900, got {second}'
    ):
        step()(dict(AVA, timestamp=second))


def test_every_config_takes_this_step():
    pipelines = 0
    for path in sorted(configs_root().rglob('detection/*/*.py')):
        cfg = Config.fromfile(path)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            kind = loader.dataset.pipeline[0]['type']
            if 'Init' not in kind:
                assert kind == 'mmattn.SampleAVAFrames', path
                found = step()(dict(AVA, timestamp=902))
                assert np.diff(found['frame_inds']).tolist() == [2] * 31
                pipelines += 1
    assert pipelines > 10
