"""Charades: its annotation files, lists of them, and data sets of the lists."""

import cv2
import numpy as np
import pytest
from small_files import H, W, write_list, write_video

from mmattn.datasets import ActionFrameDataset, ActionVideoDataset, read_charades

TOOL = 'data/charades/list_charades.py'
MULTI = {'num_classes': 157, 'multi_class': True, 'allow_unlabeled': True}
HEADER = 'id,subject,actions,length\n'


@pytest.fixture
def official(real_data):
    return real_data / 'annotations' / 'charades'


@pytest.fixture
def run(run_tool, capsys):
    return lambda *args: (run_tool(TOOL, *args), capsys.readouterr())


def test_official_annotations(official):
    train = read_charades(official / 'Charades_v1_train.csv')
    test = read_charades(official / 'Charades_v1_test.csv')
    assert (len(train), len(test)) == (7985, 1863)
    assert test[0] == ('YSKX3', (75, 76, 77, 79, 80), 16.62)
    for videos, unlabeled in ((train, 174), (test, 49)):
        assert sum(not video.labels for video in videos) == unlabeled
        assert {label for v in videos for label in v.labels} == set(range(157))


@pytest.mark.parametrize(
    'text, message',
    [
        ('id,actions\nA,\n', r'a\.csv:1: expected the columns id, .*got id, actions'),
        ('', r'a\.csv:1: expected the columns id, actions, length, got nothing'),
        (f'{HEADER}A,x,c000 0.1 2.0,3\nB,x\n', r'a\.csv:3: expected id, actions and'),
        (f'{HEADER},x,,3\n', r'a\.csv:2: expected id, actions and length'),
        (f'{HEADER}A,x,,long\n', r'a\.csv:2: expected id, actions and length'),
        (f'{HEADER}A,x,c157 0 1,3\n', r"a\.csv:2: .*c000 to c156, got 'c157 0 1'"),
        (f'{HEADER}A,x,c001 0 1;c2,3\n', r"a\.csv:2: .*c000 to c156, got 'c2'"),
        (f'{HEADER}A,x,,3\nA,x,,3\n', r'a\.csv:3: expected each video once, got A'),
    ],
)
def test_malformed_annotations(tmp_path, text, message):
    path = tmp_path / 'a.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_charades(path)


def test_list_of_videos(official, tmp_path, run):
    csv = official / 'Charades_v1_test.csv'
    videos = read_charades(csv)
    empty = next(video for video in videos if not video.labels)
    for video in (videos[0], videos[7], empty):
        write_video(tmp_path / f'{video.name}.mp4', 3)
    code, printed = run(csv, tmp_path, tmp_path / 'list.txt')
    assert code == 1
    assert printed.out == f'3 of 1863 videos: {tmp_path / "list.txt"}\n'
    assert printed.err.count('left out: expected') == 1860
    assert f'{videos[1].name}.mp4, got no file' in printed.err
    data = ActionVideoDataset(
        'list.txt',
        [],
        data_root=str(tmp_path),
        data_prefix={'video': ''},
        test_mode=True,
        serialize_data=False,
        **MULTI,
    )
    infos = {info['video_id']: info for info in map(data.get_data_info, range(3))}
    for video in (videos[0], videos[7], empty):
        labels = infos[video.name]['label']
        assert labels.shape == (157,)
        assert tuple(labels.nonzero()[:, 0].tolist()) == video.labels


def write_frames(folder, names):
    folder.mkdir()
    for number, name in enumerate(names, 1):
        cv2.imwrite(str(folder / name), np.full((H, W, 3), 8 * number, np.uint8))


def test_list_of_frames(tmp_path, run):
    csv = tmp_path / 'a.csv'
    csv.write_text(f'{HEADER}AAAAA,x,c003 0 1;c001 1 2;c003 5 6,9\nBBBBB,x,,9\n')
    write_frames(tmp_path / 'AAAAA', [f'AAAAA-{n:06d}.jpg' for n in range(1, 8)])
    write_frames(tmp_path / 'BBBBB', [f'BBBBB-{n:06d}.jpg' for n in range(1, 4)])
    code, _ = run(csv, tmp_path, tmp_path / 'list.txt', '--frames')
    assert code == 0
    assert (tmp_path / 'list.txt').read_text() == 'AAAAA 7 1 3\nBBBBB 3\n'
    pipeline = [
        {'type': 'SampleFrames', 'clip_len': 1, 'num_clips': 3, 'test_mode': True},
        {'type': 'RawFrameDecode'},
        {'type': 'FormatShape', 'input_format': 'NCHW'},
        {'type': 'PackActionInputs', 'meta_keys': ('video_id',)},
    ]
    data = ActionFrameDataset(
        'list.txt',
        pipeline,
        data_root=str(tmp_path),
        data_prefix={'img': ''},
        filename_tmpl='{folder}-{:06d}.jpg',
        serialize_data=False,
        **MULTI,
    )
    one, two = data[0], data[1]
    assert one['inputs'].shape == (3, 3, H, W)
    sample = one['data_samples']
    assert sample.video_id == 'AAAAA'
    assert sample.gt_label.nonzero()[:, 0].tolist() == [1, 3]
    assert two['data_samples'].gt_label.sum() == 0
    assert two['inputs'].float().mean((1, 2, 3)).round().tolist() == [8, 16, 24]


def test_list_of_flow(tmp_path, run):
    csv = tmp_path / 'a.csv'
    csv.write_text(f'{HEADER}AAAAA,x,c003 0 1,9\n')
    names = [f'AAAAA-{n:06d}{axis}.jpg' for n in range(1, 4) for axis in 'xy']
    write_frames(tmp_path / 'AAAAA', names)
    template = '{folder}-{:06d}x.jpg'
    run(csv, tmp_path, tmp_path / 'list.txt', '--frames', '--template', template)
    data = ActionFrameDataset(
        'list.txt',
        [
            {'type': 'SampleFrames', 'clip_len': 3},
            {'type': 'RawFrameDecode'},
            {'type': 'FormatShape', 'input_format': 'NCHW'},
            {'type': 'PackActionInputs'},
        ],
        data_root=str(tmp_path),
        data_prefix={'img': ''},
        modality='Flow',
        filename_tmpl='{folder}-{1:06d}{0}.jpg',
        serialize_data=False,
        **MULTI,
    )
    levels = data[0]['inputs'].float().mean((2, 3)).round().flatten().tolist()
    assert levels == [8, 16, 24, 32, 40, 48]


def test_gaps_between_frames_are_found(tmp_path, run):
    csv = tmp_path / 'a.csv'
    csv.write_text(f'{HEADER}AAAAA,x,,9\nBBBBB,x,,9\n')
    write_frames(tmp_path / 'AAAAA', ['AAAAA-000001.jpg', 'AAAAA-000003.jpg'])
    write_frames(tmp_path / 'BBBBB', ['BBBBB-000001.jpg'])
    code, printed = run(csv, tmp_path, tmp_path / 'list.txt', '--frames')
    assert code == 1
    assert 'AAAAA-000002.jpg, got no file' in printed.err
    assert (tmp_path / 'list.txt').read_text() == 'BBBBB 1\n'


def test_nothing_is_written_without_videos(tmp_path, run):
    csv = tmp_path / 'a.csv'
    csv.write_text(f'{HEADER}AAAAA,x,,9\n')
    code, printed = run(csv, tmp_path / 'none', tmp_path / 'list.txt')
    assert code == 2
    assert 'expected videos in' in printed.err
    assert not (tmp_path / 'list.txt').exists()
    code, printed = run(tmp_path / 'no.csv', tmp_path, tmp_path / 'list.txt')
    assert code == 2
    assert 'no.csv' in printed.err


def test_unlabeled_lines_need_permission(tmp_path, warnings_logged):
    write_list(tmp_path / 'list.txt', 'x.mp4 3', 'y.mp4')
    options = {'data_root': str(tmp_path), 'data_prefix': {'video': ''}}
    data = ActionVideoDataset('list.txt', [], **options, **MULTI)
    assert [data.get_data_info(n)['label'].sum() for n in range(2)] == [1, 0]
    assert warnings_logged == []
    with pytest.raises(ValueError, match=r"list\.txt:2: expected '<video> <label> \."):
        ActionVideoDataset(
            'list.txt', [], **options, **MULTI | {'allow_unlabeled': False}
        )
    with pytest.raises(ValueError, match='expected multi_class=True with `allow_unl'):
        ActionVideoDataset('list.txt', [], **options, allow_unlabeled=True)
