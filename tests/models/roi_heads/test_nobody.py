"""Frames in which nobody is proposed, in training and test."""

import pickle

import numpy as np
import pytest

from mmattn.testing import build_runner
from mmattn.testing.ava import SECONDS, VIDEOS

CONFIG = 'slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb'
pytestmark = [pytest.mark.det, pytest.mark.slow]


@pytest.mark.parametrize('everywhere', [True, False])
def test_nobody_is_proposed(shrunk, tmp_path, everywhere):
    """Nothing is predicted there; training has the labeled persons."""
    cfg = shrunk(CONFIG)
    boxes = [[0.1, 0.2, 0.5, 0.9, 0.99]]
    proposals = {
        f'{video},{second:04d}': np.array(
            [] if everywhere or second == SECONDS[0] else boxes
        )
        for video in VIDEOS
        for second in SECONDS
    }
    path = tmp_path / 'proposals.pkl'
    path.write_bytes(pickle.dumps(proposals))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.proposal_file = str(path)
    cfg.test_evaluator.out_file = str(tmp_path / 'found.csv')
    cfg.test_evaluator.action_thr = 0.0
    runner = build_runner(cfg, tmp_path / 'work')
    runner.train()
    runner.test()
    lines = (tmp_path / 'found.csv').read_text().splitlines()
    seconds = {int(line.split(',')[1]) for line in lines}
    assert seconds == (set() if everywhere else {SECONDS[1]})
