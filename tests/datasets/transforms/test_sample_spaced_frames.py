import numpy as np
import pytest
from mmaction.datasets.transforms import SampleFrames
from mmengine.registry import TRANSFORMS

from mmattn.datasets import BrokenVideoError
from mmattn.datasets.transforms import SampleSpacedFrames


def frames_of(total, *args, start_index=0, **options):
    results = {'total_frames': total, 'start_index': start_index}
    return SampleSpacedFrames(*args, **options)(results)


@pytest.mark.parametrize('place', ['middle', 'ends'])
@pytest.mark.parametrize('total', [1, 2, 7, 29, 30, 31, 59, 60, 107, 1000])
def test_thirty_sorted_frames_of_any_video(total, place):
    """P3.7."""
    results = frames_of(total, place=place)
    indices = results['frame_inds']
    assert len(indices) == 30
    assert (np.diff(indices) >= 0).all()
    assert 0 <= indices[0] <= indices[-1] < total
    if total == 30:
        assert indices.tolist() == list(range(30))
    if total < 30:
        assert set(indices) == set(range(total))
    if total > 30:
        assert len(set(indices)) == 30


def test_places():
    """Middles of 4 parts of 10 frames: 1.25, 3.75, 6.25 and 8.75."""
    assert frames_of(10, 4)['frame_inds'].tolist() == [1, 3, 6, 8]
    assert frames_of(10, 4, place='ends')['frame_inds'].tolist() == [0, 3, 6, 9]
    assert frames_of(3, 5)['frame_inds'].tolist() == [0, 0, 1, 2, 2]


@pytest.mark.parametrize('total', [1, 11, 30, 107, 164])
def test_middles_are_those_of_the_host_in_testing(total):
    host = SampleFrames(clip_len=1, num_clips=30, test_mode=True)
    expected = host({'total_frames': total, 'start_index': 0})['frame_inds']
    assert frames_of(total)['frame_inds'].tolist() == expected.tolist()


def test_keys():
    results = frames_of(10, 4, start_index=1)
    assert results['frame_inds'].tolist() == [2, 4, 7, 9]
    assert results['frame_indices'].tolist() == [[1, 3, 6, 8]]
    assert (results['num_windows'], results['window_frames']) == (1, 4)
    assert (results['clip_len'], results['num_clips']) == (1, 4)


def test_name_and_errors():
    step = TRANSFORMS.build(dict(type='mmattn.SampleSpacedFrames', num_frames=5))
    assert repr(step) == "SampleSpacedFrames(num_frames=5, place='middle')"
    with pytest.raises(ValueError, match=r'num_frames: expected int at least 1, got 0'):
        SampleSpacedFrames(0)
    with pytest.raises(ValueError, match=r"place: expected one of .* got 'random'"):
        SampleSpacedFrames(place='random')
    with pytest.raises(BrokenVideoError, match='holds no frames'):
        frames_of(0)
