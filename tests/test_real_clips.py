"""Training and testing on real RGB clips: avi, mp4 and mkv."""

import numpy as np
import pytest
from mmaction.registry import DATASETS

from mmattn.evaluation import load_scores
from mmattn.testing import build_runner

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
CONVNET = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb'
CLIPS = {  # frames of each
    'v_ApplyEyeMakeup_g01_c01.avi': 164,
    'v_BaseballPitch_g01_c01.avi': 107,
    'part_0.mp4': 32,
    'flipping_a_pancake.mkv': 310,
}
NAMES = [clip.rsplit('.', 1)[0] for clip in CLIPS]


@pytest.fixture
def on_real_clips(shrunk, real_data, tmp_path):
    """Function that loads one of our configs, shrunk, on the real clips."""
    lines = [f'{clip} {i % 3}\n' for i, clip in enumerate(CLIPS)]
    (tmp_path / 'list.txt').write_text(''.join(lines))

    def load(stem):
        cfg = shrunk(stem)
        for split in ('train', 'val', 'test'):
            dataset = cfg[f'{split}_dataloader'].dataset
            dataset.ann_file = str(tmp_path / 'list.txt')
            dataset.data_prefix = dict(video=str(real_data / 'clips'))
        return cfg

    return load


@pytest.mark.parametrize('stem', [VIDEO, CONVNET], ids=['recurrent', 'convnet'])
def test_trains_and_tests(on_real_clips, tmp_path, stem):
    cfg = on_real_clips(stem)
    dump = tmp_path / 'scores.pkl'
    dump_results = dict(type='DumpResults', out_file_path=str(dump))
    cfg.test_evaluator = [cfg.test_evaluator, dump_results]
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    runner = build_runner(cfg, tmp_path / 'work')
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert 0 <= runner.test()['acc/top1'] <= 1
    if stem == VIDEO:  # the ConvNet's pipeline keeps no video_id
        scores = load_scores(dump)
        assert list(scores.video_ids) == NAMES
        np.testing.assert_allclose(scores.scores.sum(axis=1), 1, atol=1e-5)


def test_windows_cover_every_frame(on_real_clips):
    dataset = DATASETS.build(on_real_clips(VIDEO).test_dataloader.dataset)
    for i, (clip, num_frames) in enumerate(CLIPS.items()):
        item = dataset[i]
        numbers = item['data_samples'].frame_indices
        assert numbers.shape == (-(-num_frames // 3), 3), clip
        assert set(numbers.flatten()) == set(range(num_frames)), clip
        assert item['inputs'].shape == (numbers.size, 3, 32, 32)
        assert item['inputs'].float().std() > 5  # decoded, not blank
