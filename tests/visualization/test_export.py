"""Records come back from their files as they were."""

import json

import numpy as np
import pytest
import torch

from mmattn.attention.records import AttentionRecord
from mmattn.visualization.export import load_records, save_records


def forbid(constant):
    raise AssertionError(f'{constant} is no JSON')


def read_json(path):
    return json.loads(path.read_text(), parse_constant=forbid)


@pytest.fixture
def records():
    return [
        AttentionRecord(
            'cls_head.frame_weights',
            torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]),
            ('row', 'frame'),
            sample=(0, 3),
            crop=(1, 0),
            frames=torch.tensor([[0, 15, 30], [6, 7, 8]]),
            window=(0, 2),
        ),
        AttentionRecord(
            'roi_head.pixels',
            torch.rand(2, 5, 3, 7, dtype=torch.float64),
            ('row', 'frame', 'y', 'x'),
            sample=(0, 0),
            roi=(0, 1),
            boxes=torch.tensor([[0.1, 0.2, 0.5, 0.9], [0, 0, 1, 1]]),
        ),
    ]


@pytest.mark.parametrize('name', ['maps', 'maps.json', 'maps.npz', 'deep/er/maps.json'])
def test_round_trip(records, tmp_path, name):
    file = save_records(records, tmp_path / name)
    assert file.is_file()
    assert file.with_suffix('.npz').is_file()
    for source in (file, file.with_suffix('.npz'), tmp_path / name):
        loaded = load_records(source)
        for old, new in zip(records, loaded, strict=True):
            assert torch.equal(old.map, new.map)
            assert old.map.dtype == new.map.dtype
            for key in ('name', 'axes', 'sample', 'crop', 'roi', 'window'):
                assert getattr(old, key) == getattr(new, key)
        assert torch.equal(loaded[0].frames, records[0].frames)
        assert loaded[1].frames is None
        assert loaded[0].boxes is None
        assert torch.equal(loaded[1].boxes, records[1].boxes)
        assert torch.equal(loaded.by_sample(3)[0].map, records[0].map[1:])


def test_names_of_the_files(records, tmp_path):
    assert save_records(records, tmp_path / 'out').name == 'attention.json'
    assert save_records(records, tmp_path / 'v.npz') == tmp_path / 'v.json'
    content = read_json(tmp_path / 'v.json')
    assert content['maps'] == 'v.npz'


def test_json_is_readable(records, tmp_path):
    content = read_json(save_records(records, tmp_path, fps=30, max_values=6))
    small, large = content['records']
    assert small['values'] == [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]
    assert small['frames'] == [[0, 15, 30], [6, 7, 8]]
    assert small['times'] == [[0, 0.5, 1], [0.2, 0.233333, 0.266667]]
    assert small['axes'] == ['row', 'frame']
    assert small['sample'] == [0, 3]
    assert large['shape'] == [2, 5, 3, 7]
    assert large['roi'] == [0, 1]
    assert 'values' not in large
    assert 'times' not in large
    assert content['fps'] == 30


def test_no_times_without_fps(records, tmp_path):
    content = read_json(save_records(records, tmp_path))
    assert all('times' not in entry for entry in content['records'])


def test_what_is_no_number_is_null_in_json_and_kept_in_npz(tmp_path):
    maps = torch.tensor([[float('nan'), float('inf'), -1.5]])
    record = AttentionRecord('w', maps, ('row', 'frame'))
    content = read_json(save_records([record], tmp_path))
    assert content['records'][0]['values'] == [[None, None, -1.5]]
    loaded = load_records(tmp_path)[0].map
    torch.testing.assert_close(loaded, maps, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.int64])
def test_types_come_back(tmp_path, dtype):
    maps = (10 * torch.rand(2, 3)).to(dtype)
    save_records([AttentionRecord('w', maps, ('row', 'frame'))], tmp_path)
    loaded = load_records(tmp_path)[0].map
    assert loaded.dtype == dtype
    assert torch.equal(loaded, maps)


def test_no_records(tmp_path):
    save_records([], tmp_path)
    assert load_records(tmp_path) == []


@pytest.mark.parametrize('fps', [0, -1.0, float('nan'), float('inf')])
def test_fps_must_be_positive(records, tmp_path, fps):
    with pytest.raises(ValueError, match='expected fps above 0'):
        save_records(records, tmp_path, fps=fps)


def test_files_that_do_not_fit(records, tmp_path):
    file = save_records(records, tmp_path)
    np.savez(file.with_suffix('.npz'), map_0=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"expected 'map_1' of shape .* got None"):
        load_records(tmp_path)
    np.savez(file.with_suffix('.npz'), map_0=np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"'map_0' of shape \[2, 3\].*got \(3, 2\)"):
        load_records(tmp_path)
    pickled = np.array([[{}] * 3] * 2)
    np.savez(file.with_suffix('.npz'), map_0=pickled)
    with pytest.raises(ValueError, match='allow_pickle'):
        load_records(tmp_path)
    file.with_suffix('.npz').unlink()
    with pytest.raises(FileNotFoundError, match=r'attention\.npz'):
        load_records(tmp_path)
    file.write_text('{"format": "other"}')
    with pytest.raises(
        ValueError, match=r"'mmattn.attention', 1\) in .*attention.json"
    ):
        load_records(tmp_path)
