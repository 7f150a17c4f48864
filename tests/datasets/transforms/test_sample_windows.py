import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

from mmattn.datasets import BrokenVideoError, SampleWindows


def sample(num_frames, *args, start_index=0, **kwargs):
    results = {'total_frames': num_frames, 'start_index': start_index}
    return SampleWindows(*args, **kwargs)(results)


def expected_windows(num_frames, window, stride, tail):
    """List the windows one by one."""
    windows, start = [], 0
    while start + window <= num_frames:
        windows.append(list(range(start, start + window)))
        start += stride
    if not windows:
        frames = list(range(num_frames))
        return [frames + [num_frames - 1] * (window - num_frames)]
    if windows[-1][-1] < num_frames - 1 and start < num_frames:
        if tail == 'last':
            windows.append(list(range(num_frames - window, num_frames)))
        if tail == 'pad':
            frames = list(range(start, num_frames))
            windows.append(frames + [num_frames - 1] * (window - len(frames)))
    return windows


@pytest.mark.parametrize('tail', ['last', 'drop', 'pad'])
@pytest.mark.parametrize('stride', [3, 7, 11])
@pytest.mark.parametrize('num_frames', [1, 6, 7, 8, 13, 14, 15, 23, 41])
def test_windows_of_whole_video(num_frames, stride, tail):
    results = sample(num_frames, 7, stride=stride, tail=tail)
    expected = expected_windows(num_frames, 7, stride, tail)
    assert results['frame_indices'].tolist() == expected
    assert results['frame_inds'].tolist() == np.concatenate(expected).tolist()
    assert results['frame_inds'].dtype == np.int32
    assert results['num_windows'] == len(expected)
    assert results['num_clips'] == 7 * len(expected)
    assert (results['clip_len'], results['frame_interval']) == (1, 1)
    assert results['window_frames'] == 7


def test_defaults_are_those_of_the_paper():
    starts = sample(164)['frame_indices'][:, 0].tolist()
    assert starts == [0, 30, 60, 90, 120, 134]
    assert sample(90)['frame_indices'][:, 0].tolist() == [0, 30, 60]
    short = sample(11)['frame_indices']
    assert short.tolist() == [[*range(11), *[10] * 19]]


def test_every_frame_is_covered_exactly_once_without_tail():
    assert sorted(sample(35, 7)['frame_inds']) == list(range(35))


def test_short_video_loops():
    looped = sample(3, 7, short='loop')['frame_indices']
    assert looped.tolist() == [[0, 1, 2, 0, 1, 2, 0]]
    padded = sample(9, 7, short='loop', tail='pad')['frame_indices']
    assert padded[1].tolist() == [7, 8, 0, 1, 2, 3, 4]


def test_flow_stacks_are_clamped_at_the_last_field():
    results = sample(5, 3, clip_len=3, start_index=1)
    stacks = results['frame_inds'].reshape(2, 3, 3).tolist()
    assert stacks[0] == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert stacks[1] == [[3, 4, 5], [4, 5, 5], [5, 5, 5]]
    assert results['frame_indices'].tolist() == [[0, 1, 2], [2, 3, 4]]
    assert (results['num_clips'], results['clip_len']) == (6, 3)


@pytest.mark.parametrize(
    'kept, starts', [(1, [15]), (2, [6, 24]), (3, [3, 15, 27]), (99, None)]
)
def test_max_windows_are_spread_evenly(kept, starts):
    # 11 windows start at 0, 3, ..., 30
    found = sample(33, 3, max_windows=kept)['frame_indices'][:, 0].tolist()
    assert found == (starts or list(range(0, 33, 3)))


def test_random_window_is_drawn_uniformly_from_all():
    counts = dict.fromkeys([0, 7, 14, 16], 0)
    for _ in range(400):
        drawn = sample(23, 7, mode='random')['frame_indices']
        assert drawn.shape == (1, 7)
        counts[drawn[0, 0]] += 1
    assert min(counts.values()) > 60


def test_random_window_of_stride_one_starts_anywhere():
    drawn = {
        sample(9, 7, stride=1, mode='random')['frame_indices'][0, 0] for _ in range(50)
    }
    assert drawn == {0, 1, 2}


def test_center_window():
    assert sample(12, 7, mode='center')['frame_indices'].tolist() == [[*range(2, 9)]]
    assert sample(2, 3, mode='center')['frame_indices'].tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    'args, match',
    [
        ({'window_frames': 0}, 'window_frames: expected int at least 1'),
        ({'stride': -1}, 'stride: expected int at least 1 or None, got -1'),
        ({'clip_len': 1.5}, 'clip_len: expected int at least 1, got 1.5'),
        ({'max_windows': 0}, 'max_windows: expected int at least 1 or None'),
        ({'mode': 'every'}, "mode: expected one of .*got 'every'"),
        ({'tail': 'keep'}, "tail: expected one of .*got 'keep'"),
        ({'short': 'zero'}, "short: expected one of .*got 'zero'"),
        ({'mode': 'center', 'max_windows': 2}, "mode='all' with `max_windows`"),
    ],
)
def test_wrong_arguments(args, match):
    with pytest.raises((TypeError, ValueError), match=match):
        SampleWindows(**args)


def test_video_without_frames():
    with pytest.raises(BrokenVideoError, match='no frames'):
        sample(0)


def test_builds_from_config():
    cfg = {'type': 'mmattn.SampleWindows', 'window_frames': 7, 'tail': 'drop'}
    step = TRANSFORMS.build(cfg)
    assert repr(step) == (
        "SampleWindows(window_frames=7, stride=7, clip_len=1, mode='all', "
        "tail='drop', short='repeat_last', max_windows=None)"
    )
