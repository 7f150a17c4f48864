"""Pictures and numbers of what a model attends to."""

import json

import cv2
import numpy as np
import pytest

from mmattn.apis.attention import load_model
from mmattn.apis.timelines import draw_timelines

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'


@pytest.fixture
def model(shrunk):
    return load_model(shrunk(VIDEO), None)


@pytest.fixture
def videos(tiny_data):
    return [tiny_data / 'videos' / f'clip_{i}.mp4' for i in (0, 1)]


def write_truth(folder, key_frames):
    folder.mkdir()
    for stem, num_frames in (('clip_0', 11), ('clip_1', 7)):
        key = np.isin(np.arange(num_frames), key_frames)
        np.savez(folder / f'{stem}.npz', label=np.int64(2), key=key)
    return folder


def test_pictures_and_numbers(model, videos, tmp_path):
    pictures = draw_timelines(model, videos, tmp_path)
    assert pictures == [tmp_path / 'clip_0.png', tmp_path / 'clip_1.png']
    for picture, num_windows in zip(pictures, (4, 3), strict=True):
        image = cv2.imread(str(picture))
        assert min(image.shape[:2]) > 30
        assert image.std() > 1
        content = json.loads(picture.with_suffix('.json').read_text())
        (entry,) = content['records']
        assert entry['name'] == 'cls_head.frame_weights'
        assert content['fps'] == pytest.approx(10)
        with np.load(picture.with_suffix('.npz')) as maps:
            assert maps['map_0'].shape == (num_windows, 4, 3)
            np.testing.assert_allclose(maps['map_0'].sum(axis=2), 1, rtol=1e-5)


def test_ground_truth_and_names_are_drawn(model, videos, tmp_path):
    plain = draw_timelines(model, videos[:1], tmp_path / 'plain')
    truth = write_truth(tmp_path / 'truth', [3, 4])
    marked = draw_timelines(
        model,
        videos[:1],
        tmp_path / 'marked',
        classes=['run', 'jump', 'wave'],
        ground_truth=truth,
    )
    images = [cv2.imread(str(paths[0])) for paths in (plain, marked)]
    assert images[0].shape != images[1].shape or (images[0] != images[1]).any()


def test_unknown_record(model, videos, tmp_path):
    with pytest.raises(
        ValueError, match=r"expected a record no\.\*, got \['cls_head\.frame_weights'\]"
    ):
        draw_timelines(model, videos, tmp_path, record_name='no.*')


def test_missing_ground_truth_names_the_file(model, videos, tmp_path):
    with pytest.raises(ValueError, match=r'clip_0\.npz'):
        draw_timelines(model, videos, tmp_path, ground_truth=tmp_path / 'none')


def test_too_few_class_names(model, videos, tmp_path):
    truth = write_truth(tmp_path / 'truth', [1])
    with pytest.raises(ValueError, match='classes: expected a name for class 2'):
        draw_timelines(model, videos, tmp_path, classes=['run'], ground_truth=truth)
