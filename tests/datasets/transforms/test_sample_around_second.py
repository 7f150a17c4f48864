"""Clips around a labeled second."""

import numpy as np
import pytest

from mmattn.datasets import BrokenVideoError, VideoInit
from mmattn.datasets.transforms import SampleAroundSecond
from mmattn.registry import TRANSFORMS


def sample(**changes):
    given = dict(total_frames=600, avg_fps=30.0, timestamp=10, start_index=0)
    return given | changes


def frames(step, **changes):
    results = TRANSFORMS.build(dict(type='mmattn.SampleAroundSecond', **step))(
        sample(**changes)
    )
    return results['frame_inds']


def test_clips_of_ava_are_those_of_the_host():
    """At 30 frames per second, 32 frames of every second one."""
    from mmaction.datasets.transforms import SampleAVAFrames

    host = SampleAVAFrames(32, frame_interval=2, test_mode=True)(
        dict(fps=30, timestamp=10, timestamp_start=0, total_frames=600)
    )
    ours = frames(dict(test_mode=True))
    np.testing.assert_array_equal(ours, host['frame_inds'])


@pytest.mark.parametrize('fps', [6.0, 29.97, 60.0])
def test_clips_last_equally_long(fps):
    step = dict(clip_len=9, clip_seconds=3.0, test_mode=True)
    found = frames(step, avg_fps=fps, total_frames=2000)
    assert found[4] == int(10 * fps)  # the one that is shown
    expected = (np.arange(9) - 4) / 3  # seconds from the labeled one
    np.testing.assert_allclose(found / fps - 10, expected, atol=1 / fps)


@pytest.mark.parametrize('ending', ['mp4', 'mkv'])
def test_variable_rates_go_by_the_times_of_frames(shared_cases, ending):
    path = str(shared_cases / 'vfr' / f'vfr.{ending}')
    step = SampleAroundSecond(3, 3.0, test_mode=True)
    for second, expected in [
        (2, [5, 10, 15]),
        (12, [55, 60, 65]),
        (20, [95, 100, 150]),
        (21, [100, 150, 199]),
    ]:
        results = VideoInit()(sample(filename=path, timestamp=second))
        assert step(results)['frame_inds'].tolist() == expected
    for second in (-1, 22):
        results = VideoInit()(sample(filename=path, timestamp=second))
        with pytest.raises(BrokenVideoError, match=rf'22.000 seconds, got {second}'):
            step(results)


def test_clips_end_with_the_video():
    found = frames(dict(clip_len=5, clip_seconds=5.0, test_mode=True), timestamp=0)
    assert found.tolist() == [0, 0, 0, 30, 60]
    found = frames(dict(clip_len=5, clip_seconds=5.0, test_mode=True), timestamp=19)
    assert found.tolist() == [510, 540, 570, 599, 599]


def test_videos_that_start_later_and_frames_from_1():
    changes = dict(timestamp=903, timestamp_start=900, start_index=1)
    step = dict(clip_len=1, clip_seconds=1.0, test_mode=True)
    assert frames(step, **changes).tolist() == [91]


def test_training_shifts_each_frame_by_up_to_half_a_distance():
    step = dict(clip_len=5, clip_seconds=5.0)
    rows = np.stack([frames(step) for _ in range(200)]) - 300
    middles = (np.arange(5) - 2) * 30
    assert (np.abs(rows - middles) <= 15).all()
    assert (rows.max(axis=0) - rows.min(axis=0) > 20).all()
    assert (np.diff(rows) >= 0).all()


@pytest.mark.parametrize('timestamp', [-1, 20])
def test_seconds_outside(timestamp):
    with pytest.raises(BrokenVideoError, match=f'600 frames, .*got {timestamp}'):
        frames({}, timestamp=timestamp)


@pytest.mark.parametrize(
    'option, message',
    [
        ({'clip_len': 0}, 'clip_len: expected int at least 1, got 0'),
        ({'clip_seconds': 0}, 'clip_seconds: expected above 0, got 0'),
    ],
)
def test_wrong_options(option, message):
    with pytest.raises(ValueError, match=message):
        frames(option)


def test_repr():
    step = dict(type='mmattn.SampleAroundSecond', clip_len=3, clip_seconds=1.0)
    expected = 'SampleAroundSecond(clip_len=3, clip_seconds=1.0, test_mode=False)'
    assert repr(TRANSFORMS.build(step)) == expected
