import pickle

import numpy as np
import pytest

from mmattn.datasets import BrokenVideoError, LoadFeatures
from mmattn.datasets.transforms.features import open_features


def load(path, frame_inds, clip_len=1):
    return LoadFeatures()(
        {
            'filename': str(path),
            'frame_inds': np.array(frame_inds, np.int32),
            'clip_len': clip_len,
        }
    )


@pytest.mark.parametrize('dtype', [np.float16, np.float32])
def test_rows_are_read_as_float32(tmp_path, dtype):
    features = np.random.default_rng(0).normal(size=(11, 7)).astype(dtype)
    np.save(tmp_path / 'v.npy', features)
    results = load(tmp_path / 'v.npy', [3, 3, 10, 0])
    assert type(results['imgs']) is np.ndarray
    assert results['imgs'].dtype == np.float32
    assert results['input_shape'] == (4, 7)
    np.testing.assert_array_equal(
        results['imgs'], features[[3, 3, 10, 0]].astype(np.float32)
    )


def test_rows_may_be_maps(tmp_path):
    maps = np.random.default_rng(0).normal(size=(11, 7, 3, 2)).astype(np.float16)
    np.save(tmp_path / 'v.npy', maps)
    results = load(tmp_path / 'v.npy', [10, 0])
    assert results['input_shape'] == (2, 7, 3, 2)
    np.testing.assert_array_equal(results['imgs'], maps[[10, 0]].astype(np.float32))


def test_result_can_be_changed_without_changing_the_file(tmp_path):
    np.save(tmp_path / 'v.npy', np.ones((3, 2), np.float32))
    load(tmp_path / 'v.npy', [0])['imgs'][:] = 5
    assert np.load(tmp_path / 'v.npy').tolist() == [[1, 1]] * 3


def test_clip_len_must_be_one(tmp_path):
    np.save(tmp_path / 'v.npy', np.ones((3, 2), np.float32))
    with pytest.raises(ValueError, match=r'expected `clip_len=1`.*got 5'):
        load(tmp_path / 'v.npy', [0], clip_len=5)


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_features_must_be_finite(tmp_path, value):
    features = np.ones((3, 2), np.float32)
    features[1, 1] = value
    np.save(tmp_path / 'v.npy', features)
    assert load(tmp_path / 'v.npy', [0, 2])['imgs'].tolist() == [[1, 1], [1, 1]]
    with pytest.raises(BrokenVideoError, match=r'v\.npy: expected finite features'):
        load(tmp_path / 'v.npy', [0, 1])


@pytest.mark.parametrize(
    'array, got',
    [
        (np.ones(3, np.float32), r'shape \(3,\)'),
        (np.ones((3, 2, 2), np.float32), r'shape \(3, 2, 2\)'),
        (np.ones((0, 2), np.float32), r'shape \(0, 2\)'),
        (np.ones((3, 2), np.int64), 'int64'),
        (np.ones((3, 2), np.float64), 'float64'),
    ],
)
def test_array_must_be_frames_by_channels(tmp_path, array, got):
    np.save(tmp_path / 'v.npy', array)
    with pytest.raises(BrokenVideoError, match=rf'v\.npy: expected.*got.*{got}'):
        open_features(str(tmp_path / 'v.npy'))


class Trap:
    def __reduce__(self):
        return pytest.fail, ('the file was unpickled',)


def test_objects_are_refused_and_never_unpickled(tmp_path):
    path = tmp_path / 'v.npy'
    np.save(path, np.array([[Trap()]], dtype=object), allow_pickle=True)
    with pytest.raises(BrokenVideoError, match=r'v\.npy: .*Python objects'):
        open_features(str(path))
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BrokenVideoError, match=r'v\.npy: .*magic'):
        open_features(str(path))


def test_damaged_files(tmp_path):
    path = tmp_path / 'v.npy'
    np.save(path, np.ones((30, 70), np.float32))
    whole = path.read_bytes()
    damaged = [b'', b'text', whole[:50], whole[:-1], whole + b'1234']
    damaged.append(whole.replace(b'{', b'('))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(BrokenVideoError, match=r'v\.npy: '):
            open_features(str(path))
    np.savez(tmp_path / 'v.npz', whole=np.ones((3, 2), np.float32))
    with pytest.raises(BrokenVideoError, match=r'v\.npz: '):
        open_features(str(tmp_path / 'v.npz'))
    with pytest.raises(BrokenVideoError, match=r'none\.npy: .*No such file'):
        open_features(str(tmp_path / 'none.npy'))


def test_damaged_headers_never_raise_anything_else(tmp_path):
    path = tmp_path / 'v.npy'
    np.save(path, np.ones((3, 2), np.float16))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        damaged = whole.copy()
        damaged[rng.integers(0, 128, 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            open_features(str(path))
        except BrokenVideoError:
            refused += 1
    assert refused > 200
