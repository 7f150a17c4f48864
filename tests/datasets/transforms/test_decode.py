"""Steps that decode: the named frames, and memory that follows the network."""

import copy
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from mmaction.datasets.transforms import CenterCrop, DecordDecode, DecordInit, Resize
from mmengine.dataset import Compose

from mmattn.datasets import BrokenVideoError, VideoDecode, VideoInit
from mmattn.datasets.base import join_steps, run_steps
from mmattn.testing.numbered_videos import Film, number_of, write_film

STEPS = [
    dict(type='mmattn.VideoInit'),
    dict(type='SampleFrames', clip_len=1, num_clips=25, test_mode=True),
    dict(type='mmattn.VideoDecode'),
]


@pytest.fixture
def plain(films_folder):
    return str(write_film(films_folder, Film('h264', 'mp4', b_frames=True)))


def sample(path, **more):
    return dict(filename=str(path), start_index=0, modality='RGB', **more)


@pytest.mark.parametrize(
    'name, first',
    [
        ('h264_b.avi', 0),
        ('mpeg4_b.avi', 0),
        ('xvid_b_g250.avi', 0),
        ('wmv.wmv', 0),
        ('trim_copy.mp4', 33),
    ],
)
def test_a_test_pipeline_hands_on_the_named_frames(shared_cases, name, first):
    results = Compose(STEPS)(sample(shared_cases / 'frames' / name))
    shown = [number_of(image) for image in results['imgs']]
    assert len(set(shown)) == 25
    assert shown == (results['frame_inds'] + first).tolist()


def test_results_are_those_of_the_host_where_it_is_right(plain):
    boxes = np.array([[0.25, 0, 0.5, 1]])
    info = sample(plain, gt_bboxes=boxes, proposals=boxes / 2)
    frames = dict(frame_inds=np.array([[3], [3], [40], [1]]))
    host = DecordInit()(copy.deepcopy(info)) | frames
    ours = VideoInit()(copy.deepcopy(info)) | frames
    assert ours.keys() == host.keys()
    assert (ours['total_frames'], ours['avg_fps']) == (60, 25)
    host, ours = DecordDecode()(host), VideoDecode()(ours)
    assert ours.keys() == host.keys()
    assert ours.pop('video_reader') is None
    for key, value in ours.items():
        np.testing.assert_array_equal(value, host[key], err_msg=key)
        assert type(value) is type(host[key]), key
    assert not np.shares_memory(ours['imgs'][0], ours['imgs'][1])


def test_frames_count_from_the_start_index(plain):
    results = VideoInit()(sample(plain)) | dict(frame_inds=np.array([1, 9]))
    results['start_index'] = 1
    assert [number_of(image) for image in VideoDecode()(results)['imgs']] == [0, 8]


@pytest.mark.parametrize(
    'resize',
    [
        dict(scale=(-1, 37)),
        dict(scale=(45, 31), keep_ratio=False),
        dict(scale=(-1, 100), interpolation='bicubic'),
    ],
)
def test_frames_resized_one_by_one_are_the_same(plain, resize):
    boxes = np.array([[0.25, 0, 0.5, 1]], np.float32)
    info = sample(plain, gt_bboxes=boxes, proposals=boxes / 2)
    steps = [VideoInit(), VideoDecode(), Resize(**resize), CenterCrop(crop_size=29)]
    frames = dict(frame_inds=np.array([5, 5, 31]))
    whole, joined = (copy.deepcopy(info) | frames for _ in range(2))
    for step in steps:
        whole = step(whole)
    assert len(join_steps(steps)) == 2
    joined = run_steps(steps, joined)
    assert joined.keys() == whole.keys()
    for key, value in whole.items():
        np.testing.assert_array_equal(joined[key], value, err_msg=key)


def test_memory_of_many_frames_is_that_of_small_ones(tmp_path):
    from mmattn.synthetic.writer import write_video

    path = tmp_path / 'large.mp4'
    write_video(path, np.zeros((60, 720, 1280, 3), np.uint8), fps=30)
    info = sample(path, frame_inds=np.arange(60))
    tracemalloc.start()
    run_steps([VideoInit(), VideoDecode(), Resize(scale=(-1, 36))], info)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6 < 60 * 720 * 1280 * 3


def test_a_lazy_resize_is_left_alone():
    steps = [VideoDecode(), Resize(scale=(-1, 36), lazy=True), Resize(scale=(8, 8))]
    assert join_steps(steps) == steps


def test_names_without_an_ending_mean_mp4(plain):
    assert VideoInit()(sample(plain.removesuffix('.mp4')))['total_frames'] == 60


def test_content_comes_from_a_backend(plain):
    from mmengine.fileio import LocalBackend, register_backend

    class Far(LocalBackend):
        def __init__(self, folder):
            self.folder = folder

        def get(self, filepath):
            return Path(self.folder, filepath).read_bytes()

    register_backend('test_far', Far, force=True)
    folder, name = plain.rsplit('/', 1)
    step = VideoInit(io_backend='test_far', folder=folder)
    results = step(sample(name, frame_inds=np.array([7])))
    assert [number_of(image) for image in VideoDecode()(results)['imgs']] == [7]


def test_broken_files_and_frames(real_data, tmp_path):
    with pytest.raises(BrokenVideoError, match=r'gone\.mp4: .* got no file'):
        VideoInit()(sample(tmp_path / 'gone.mp4'))
    path = real_data / 'decode_edge_cases' / 'corrupted.mp4'
    results = VideoInit()(sample(path, frame_inds=np.arange(50)))
    with pytest.raises(BrokenVideoError, match=r'frame \d+ that cannot be decoded'):
        VideoDecode()(results)


def test_frames_that_do_not_exist_are_a_mistake_of_the_pipeline(plain):
    steps = [VideoInit(), VideoDecode()]
    with pytest.raises(ValueError, match='frames from 0 to 59, got 60'):
        run_steps(steps, sample(plain, frame_inds=np.array([60])))
