"""Frames stored one by one, as the picture tools read them."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from small_files import pack
from small_files import write_frames as write

from mmattn.datasets.base import BrokenVideoError
from mmattn.inference.inputs import find_rgb, find_videos, read_video, rgb_frames
from mmattn.inference.video_parts import VideoPart


def model(modality='RGB', template=None, **decode):
    steps = [
        dict(type='mmattn.SampleWindows', window_frames=3),
        dict(type='RawFrameDecode', **decode),
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='mmattn.PackClipInputs'),
    ]
    dataset = dict(modality=modality, filename_tmpl=template)
    cfg = dict(test_pipeline=steps, test_dataloader=dict(dataset=dataset))
    return SimpleNamespace(cfg=Config(cfg))


def levels(seen):
    """What the gray images show: their numbers, times ten."""
    return [round(image.mean() / 10) for image in seen.pictures().values()]


@pytest.mark.parametrize('first', [0, 1])
@pytest.mark.parametrize('storage', ['disk', 'zip'])
@pytest.mark.parametrize('told', ['disk', 'zip'])
def test_all_frames_wherever_they_are(tmp_path, first, storage, told):
    video = write(tmp_path / 'v.two', range(first, first + 6))
    if storage == 'zip':
        video = pack(video)
    (found,) = find_videos([tmp_path / 'v.two'], [model()])
    assert found == video
    seen = read_video(model(io_backend=told), found)
    assert levels(seen) == list(range(first, first + 6))
    assert list(seen.pictures()) == list(range(6))
    assert VideoPart(found).stem == 'v.two'


def test_a_step_that_cannot_take_the_video_names_no_other_cause(tmp_path):
    folder = write(tmp_path / 'clip', [1, 2, 3])
    small = model()
    small.cfg.test_pipeline.insert(2, dict(type='Resize', scale=0.01))
    with pytest.raises(BrokenVideoError, match='a step of the test_pipeline failed: '):
        read_video(small, folder)


def test_template_with_the_folder(tmp_path):
    folder = write(tmp_path / 'AB12', range(1, 5), 'AB12-{:06d}.jpg')
    seen = read_video(model(template='{folder}-{:06d}.jpg'), folder)
    assert levels(seen) == [1, 2, 3, 4]


def test_a_gap_is_named(tmp_path):
    folder = write(tmp_path / 'clip', [1, 2, 3, 5])
    with pytest.raises(BrokenVideoError, match=r'none for 1 .*first img_00004\.jpg'):
        read_video(model(), folder)


def test_a_video_file_where_the_pipeline_reads_zips(tmp_path):
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (32, 32))
    for number in range(4):
        writer.write(np.full((32, 32, 3), 10 * number, np.uint8))
    writer.release()
    assert levels(read_video(model(io_backend='zip'), path)) == [0, 1, 2, 3]


def test_stored_frames_for_a_model_on_video_files(tmp_path):
    folder = write(tmp_path / 'clip', [1, 2])
    videos = model()
    videos.cfg.test_pipeline[1].type = 'DecordDecode'
    for path in (folder, pack(write(tmp_path / 'other', [1, 2]))):
        with pytest.raises(
            ValueError, match=r'expected a video file, .*RawFrameDecode'
        ):
            read_video(videos, path)


@pytest.mark.parametrize('first', [0, 1])
def test_rgb_of_flow(tmp_path, first):
    write(tmp_path / 'rgb' / 'clip', range(first, first + 4))
    flow = write(tmp_path / 'flow' / 'clip', [1, 2], 'flow_{}_{:05d}.jpg', 'xy')
    path = find_rgb(flow, tmp_path / 'rgb')
    assert path == find_rgb(pack(flow), tmp_path / 'rgb')
    images = rgb_frames(path, [0, 2], (0, 0, 1, 1), (8, 8))
    assert [round(im.mean() / 10) for im in images] == [first, first + 2]
