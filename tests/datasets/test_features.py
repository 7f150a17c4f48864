import numpy as np
import pytest
from small_files import write_list

from mmattn.datasets import BrokenVideoError, FeatureDataset

PIPELINE = [
    {'type': 'mmattn.SampleWindows', 'window_frames': 5},
    {'type': 'mmattn.LoadFeatures'},
    {
        'type': 'PackActionInputs',
        'meta_keys': ('video_id', 'num_windows', 'frame_indices'),
    },
]


@pytest.fixture
def features(tmp_path):
    """Feature files of 7 and 3 frames and their list."""
    (tmp_path / 'a').mkdir()
    rng = np.random.default_rng(0)
    np.save(tmp_path / 'a' / 'v_one.npy', rng.normal(size=(7, 11)).astype(np.float16))
    np.save(tmp_path / 'v.two.npy', rng.normal(size=(3, 11)).astype(np.float32))
    write_list(tmp_path / 'list.txt', 'a/v_one.npy 2', 'v.two 0')
    return tmp_path


def dataset(folder, **kwargs):
    kwargs.setdefault('serialize_data', False)  # which collects garbage: slow
    return FeatureDataset('list.txt', PIPELINE, data_root=str(folder), **kwargs)


def test_windows_of_features(features):
    data = dataset(features, num_classes=3)
    one, two = data[0], data[1]
    stored = np.load(features / 'a' / 'v_one.npy').astype(np.float32)
    inds = [0, 1, 2, 3, 4, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(one['inputs'], stored[inds])
    sample = one['data_samples']
    assert (sample.video_id, sample.gt_label.item()) == ('a/v_one', 2)
    assert sample.num_windows == 2
    assert sample.frame_indices.tolist() == [inds[:5], inds[5:]]
    stored = np.load(features / 'v.two.npy')
    np.testing.assert_array_equal(two['inputs'], stored[[0, 1, 2, 2, 2]])
    assert two['data_samples'].video_id == 'v.two'


def test_broken_files(features, warnings_logged):
    path = features / 'a' / 'v_one.npy'
    path.write_bytes(path.read_bytes()[:-3])
    data = dataset(features)
    for _ in range(3):
        assert data[0]['data_samples'].video_id == 'v.two'
    (message,) = warnings_logged
    assert 'a/v_one.npy (line 1 of ' in message
    for options in ({'test_mode': True}, {'on_broken': 'raise'}):
        with pytest.raises(BrokenVideoError, match=r'a/v_one\.npy'):
            dataset(features, **options)[0]
    path.unlink()
    with pytest.raises(BrokenVideoError, match='No such file'):
        dataset(features, test_mode=True)[0]


def test_feature_that_is_not_finite_is_broken(features, warnings_logged):
    path = features / 'a' / 'v_one.npy'
    np.save(path, np.full((7, 11), np.nan, np.float32))
    assert dataset(features)[0]['data_samples'].video_id == 'v.two'
    assert 'expected finite features' in warnings_logged[0]


def test_lists_are_checked(features):
    with pytest.raises(ValueError, match=r'txt:1: expected a label in 0\.\.1 .*got 2'):
        dataset(features, num_classes=2)
    write_list(features / 'list.txt', 'v.two')
    with pytest.raises(ValueError, match=r"txt:1: expected '<file> <label>'"):
        dataset(features)
    assert dataset(features, test_mode=True).get_data_info(0)['label'] == -1
    write_list(features / 'list.txt', 'v.two 0 2')
    data = dataset(features, num_classes=3, multi_class=True)
    assert data.get_data_info(0)['label'].tolist() == [1, 0, 1]


def test_prefix(features):
    write_list(features / 'list.txt', 'v_one 1')
    data = dataset(features, data_prefix={'feature': 'a'})
    assert data[0]['inputs'].shape == (10, 11)
    with pytest.raises(ValueError, match=r'expected `data_prefix=dict\(feature=...\)`'):
        dataset(features, data_prefix={'video': 'a'})
