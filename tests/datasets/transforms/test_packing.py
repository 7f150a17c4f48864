import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import TRANSFORMS

from mmattn.datasets.transforms import PackClipInputs, SampleWindows
from mmattn.utils.configs import configs_root


def packed(sample, **options):
    sample = {'imgs': np.zeros((3, 4, 5), np.uint8), 'label': 2} | sample
    return PackClipInputs(**options)(sample)['data_samples']


def test_frames_count_from_0_where_files_count_from_1():
    before = [3, 6, 13, 16, 23, 26, 33, 36]
    sample = {'frame_inds': np.array(before), 'start_index': 1}
    sample |= {'num_clips': 4, 'clip_len': 2, 'frame_interval': 3}
    found = packed(sample)
    assert found.frame_inds.tolist() == [2, 5, 12, 15, 22, 25, 32, 35]
    assert found.frame_indices.tolist() == [2, 12, 22, 32]
    assert (found.num_clips, found.clip_len, found.frame_interval) == (4, 2, 3)
    assert sample['frame_inds'].tolist() == before  # not changed


def test_frames_count_from_0_where_nothing_is_said():
    found = packed({'frame_inds': np.array([[0, 4], [3, 7]]), 'clip_len': 2})
    assert found.frame_inds.tolist() == [0, 4, 3, 7]
    assert found.frame_indices.tolist() == [0, 3]


def test_keeps_the_windows_of_a_sampler():
    sample = {'total_frames': 9, 'start_index': 1}
    found = packed(SampleWindows(4, clip_len=3)(sample))
    windows = [[0, 1, 2, 3], [4, 5, 6, 7], [5, 6, 7, 8]]
    assert found.frame_indices.tolist() == windows
    assert found.frame_inds.reshape(3, 4, 3)[1, 2].tolist() == [6, 7, 8]
    assert (found.num_windows, found.window_frames) == (3, 4)


def test_keeps_what_is_there_and_what_is_asked_for():
    sample = {'video_id': 'a', 'timestamp': 902, 'img_key': 'a,902', 'source': 'x.mp4'}
    found = packed(sample, meta_keys=['source', 'video_id'])
    assert sorted(found.metainfo) == ['img_key', 'source', 'timestamp', 'video_id']
    assert found.source == 'x.mp4'
    assert torch.equal(found.gt_label, torch.tensor([2]))
    with pytest.raises(
        TypeError, match="meta_keys: expected sequence of str, got 'sou"
    ):
        PackClipInputs(meta_keys='source')


def test_all_configs_use_it():
    found = set()
    for path in configs_root().rglob('*.py'):
        cfg = Config.fromfile(path)
        pipelines = [cfg[name] for name in cfg if name.endswith('_pipeline')]
        for pipeline in pipelines:
            assert TRANSFORMS.get(pipeline[-1].type) is PackClipInputs, path
            found.add(path)
    assert len(found) > 50
