"""Running a model on videos and reading what it attends to."""

import numpy as np
import pytest
import torch

from mmattn.attention.records import AttentionRecord
from mmattn.inference.attend import attend_to_videos, frame_weights
from mmattn.inference.models import load_model

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'


def record(maps, frames, axes=('row', 'frame')):
    frames = None if frames is None else torch.tensor(frames)
    return AttentionRecord(
        'head.w', torch.tensor(maps, dtype=torch.float32), axes, frames=frames
    )


def test_overlapping_windows_by_hand():
    """Frame 2 stands in both windows and gets both weights, halved."""
    maps = [[0.5, 0.3, 0.2], [0.6, 0.1, 0.3]]
    numbers, weights = frame_weights(record(maps, [[0, 1, 2], [2, 3, 4]]))
    assert numbers.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(weights, [0.25, 0.15, 0.4, 0.05, 0.15], atol=1e-6)
    assert weights.sum() == pytest.approx(1)


def test_crops_of_a_window_are_averaged():
    maps = [[0.5, 0.5], [0.1, 0.9]]
    numbers, weights = frame_weights(record(maps, [[4, 6], [4, 6]]))
    assert numbers.tolist() == [4, 6]
    np.testing.assert_allclose(weights, [0.3, 0.7], atol=1e-6)


def test_repeated_last_frame_of_a_short_video_adds_up():
    numbers, weights = frame_weights(record([[0.2, 0.3, 0.5]], [[0, 1, 1]]))
    assert numbers.tolist() == [0, 1]
    np.testing.assert_allclose(weights, [0.2, 0.8], atol=1e-6)


@pytest.mark.parametrize(
    'last_steps, expected', [(1, [0.1, 0.9]), (2, [0.2, 0.8]), (None, [0.4, 0.6])]
)
def test_last_steps(last_steps, expected):
    maps = [[[0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]]
    drawn = record(maps, [[0, 1]], ('row', 'step', 'frame'))
    _, weights = frame_weights(drawn, last_steps=last_steps)
    np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_other_axes_and_missing_numbers():
    with pytest.raises(ValueError, match=r'head\.w: expected weights of frames'):
        frame_weights(record([[0.5, 0.5]], [[0, 1]], ('row', 'channel')))
    with pytest.raises(ValueError, match=r'head\.w: expected frame numbers, got none'):
        frame_weights(record([[0.5, 0.5]], None))


def test_videos_give_predictions_and_weights(shrunk, tiny_data):
    model = load_model(shrunk(VIDEO), None)
    videos = [tiny_data / 'videos' / f'clip_{i}.mp4' for i in (1, 0)]
    results = list(attend_to_videos(model, videos, progress=False))
    assert [path for path, _, _ in results] == videos
    for (_, sample, records), num_frames in zip(results, (7, 11), strict=True):
        assert sample.pred_score.sum() == pytest.approx(1, abs=1e-5)
        (weights,) = records
        assert weights.name == 'cls_head.frame_weights'
        numbers, shares = frame_weights(weights, last_steps=2)
        assert numbers.tolist() == list(range(num_frames))
        assert shares.sum() == pytest.approx(1)


def test_missing_video(shrunk):
    model = load_model(shrunk(VIDEO), None)
    with pytest.raises(ValueError, match=r"expected a video file, got 'none\.mp4'"):
        next(attend_to_videos(model, ['none.mp4']))


def test_checkpoint_round_trip_and_refusal(shrunk, tmp_path):
    first = load_model(shrunk(VIDEO), None)
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=first.state_dict()), path)
    second = load_model(shrunk(VIDEO), str(path))
    for key, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[key], value, rtol=0, atol=0)
    backbone = {k: v for k, v in first.state_dict().items() if 'backbone' in k}
    torch.save(dict(state_dict=backbone), path)
    with pytest.raises(ValueError, match=r'a\.pth: .*cls_head\.'):
        load_model(shrunk(VIDEO), str(path))
