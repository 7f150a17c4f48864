"""Lists of benchmarks from generated videos with the real names."""

import shutil
from zipfile import ZipFile

import numpy as np
import pytest

from mmattn.datasets import ActionFrameDataset, ActionVideoDataset
from mmattn.prepare.official_splits import BENCHMARKS
from mmattn.prepare.video_lists import write_lists
from mmattn.synthetic.writer import write_video


@pytest.fixture(scope='session')
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp('clip') / 'clip.mp4'
    write_video(path, np.zeros((4, 34, 46, 3), np.uint8), fps=10)
    return path


@pytest.fixture
def run(run_tool, capsys):
    def run_one(name, *args):
        code = run_tool(f'data/{name}/prepare_{name}.py', *args)
        return code, capsys.readouterr()

    return run_one


def annotate(real_data, name, root):
    source = real_data / 'annotations' / name.removesuffix('400')
    shutil.copytree(source, root / 'annotations')
    return BENCHMARKS[name].read_splits(root / 'annotations', partial=True)


def some(videos, labels, each=2):
    """A few videos of some classes."""
    chosen = []
    for label in labels:
        chosen += [video for video in videos if video.label == label][:each]
    return chosen


def place(clip, folder, videos, suffix='.avi'):
    for video in videos:
        path = folder / video.folder / f'{video.stems[0]}{suffix}'
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, path)


@pytest.mark.parametrize('name', ['ucf101', 'hmdb51'])
def test_lists_of_three_splits(name, real_data, tmp_path, clip, run):
    splits = annotate(real_data, name, tmp_path)
    videos = some(splits['train_split_1'], (0, 7, 50)) + some(
        splits['val_split_1'], (0, 50)
    )
    place(clip, tmp_path / 'videos', videos)
    code, printed = run(name, tmp_path, '--partial', '--workers', 1)
    assert (code, printed.err.count('missing:')) == (0, 0)
    for split, count in BENCHMARKS[name].counts.items():
        path = tmp_path / f'{name}_{split}_videos.txt'
        expected = [
            f'{video.folder}/{video.stems[0]}.avi {video.label}'
            for video in splits[split]
            if video in videos
        ]
        assert f'{path}: {len(expected)} of {count} videos' in printed.out
        lines = path.read_text().splitlines() if path.exists() else []
        assert lines == expected
    data = ActionVideoDataset(
        str(tmp_path / f'{name}_train_split_1_videos.txt'),
        [{'type': 'DecordInit'}],
        data_prefix={'video': str(tmp_path / 'videos')},
        num_classes=len({video.label for video in splits['train_split_1']}),
    )
    assert [data[n]['total_frames'] for n in range(len(data))] == [4] * 6


def test_what_is_missing_or_broken_is_named(real_data, tmp_path, clip, run):
    splits = annotate(real_data, 'ucf101', tmp_path)
    videos = some(splits['train_split_1'], (3,)) + some(splits['val_split_1'], (4,))
    place(clip, tmp_path / 'videos', videos)
    broken = tmp_path / 'videos' / videos[0].folder / f'{videos[0].stems[0]}.avi'
    broken.write_bytes(b'no video' * 50)
    code, printed = run('ucf101', tmp_path, '--workers', 1)
    assert code == 1
    assert printed.err.count('missing: ') == 13320 - 4
    assert 'missing: Archery/v_Archery_g01_c01' in printed.err
    assert printed.err.count('cannot be read: ') == 1
    assert f'cannot be read: {videos[0].folder}/{broken.name}: ' in printed.err
    assert '13316 videos missing, 1 cannot be read' in printed.out
    code, printed = run('ucf101', tmp_path, '--partial', '--workers', 1)
    assert (code, printed.err.count('missing: ')) == (1, 0)
    assert printed.err.count('cannot be read: ') == 1
    code, _ = run('ucf101', tmp_path, '--partial', '--check', 'none')
    assert code == 0
    assert broken.name in (tmp_path / 'ucf101_train_split_1_videos.txt').read_text()


def test_kinetics(real_data, tmp_path, clip, run):
    splits = annotate(real_data, 'kinetics400', tmp_path)
    videos = some(splits['val_list'], (0, 1, 399))
    place(clip, tmp_path / 'videos_val', videos[1:], '.mp4')
    shutil.copy(clip, tmp_path / 'videos_val' / f'{videos[0].stems[1]}.mkv')
    code, printed = run('kinetics400', tmp_path, '--partial', '--workers', 1)
    assert code == 0
    path = tmp_path / 'kinetics400_val_list_videos.txt'
    assert f'{path}: 6 of 19906 videos' in printed.out
    lines = path.read_text().splitlines()
    assert lines[0] == f'{videos[0].stems[1]}.mkv 0'
    assert lines[2] == f'air_drumming/{videos[2].stems[0]}.mp4 1'
    code, printed = run('kinetics400', tmp_path)
    assert code == 2
    assert 'expected videos in train_list of kinetics400' in printed.err
    (tmp_path / 'videos_val' / 'bee keeping').mkdir()
    code, printed = run('kinetics400', tmp_path, '--partial')
    assert code == 2
    assert 'expected folders without blanks, which separate' in printed.err


def test_lists_of_flow_and_of_frames(real_data, tmp_path, run):
    splits = annotate(real_data, 'hmdb51', tmp_path)
    one, two, three = some(splits['val_split_1'], (8,), each=3)
    folder = tmp_path / 'rawframes' / one.folder
    for video, count in ((one, 5), (two, 3)):
        (folder / video.stems[0]).mkdir(parents=True)
        for n in range(1, count + 1):
            names = [f'flow_x_{n:05d}.jpg', f'flow_y_{n:05d}.jpg', f'img_{n:05d}.jpg']
            for name in names:
                (folder / video.stems[0] / name).touch()
    with ZipFile(folder / f'{three.stems[0]}.zip', 'w') as file:
        file.writestr('flow_x_00001.jpg', b'')
        file.writestr('flow_y_00001.jpg', b'')
    code, _ = run(
        'hmdb51', tmp_path, '--partial', '--kinds', 'flow', 'rawframes', '--workers', 1
    )
    assert code == 1  # the zip holds no RGB
    path = tmp_path / 'hmdb51_val_split_1_flow.txt'
    names = [f'{video.folder}/{video.stems[0]}' for video in (one, two, three)]
    assert path.read_text().splitlines() == [
        f'{name} {count} 8' for name, count in zip(names, (5, 3, 1), strict=True)
    ]
    raw = (tmp_path / 'hmdb51_val_split_1_rawframes.txt').read_text().splitlines()
    assert raw == [f'{names[0]} 5 8', f'{names[1]} 3 8']
    data = ActionFrameDataset(str(path), [], modality='Flow', num_classes=51)
    assert [data.get_data_info(n)['total_frames'] for n in range(3)] == [5, 3, 1]


def test_from_archives(real_data, tmp_path, clip, run):
    splits = annotate(real_data, 'ucf101', tmp_path / 'official')
    videos = some(splits['train_split_1'], (3, 5))
    place(clip, tmp_path / 'UCF-101', videos)
    for name, folder in (('v.zip', 'UCF-101'), ('a.zip', 'official/annotations')):
        with ZipFile(tmp_path / name, 'w') as file:
            for path in (tmp_path / folder).rglob('*.*'):
                file.write(path, path.relative_to((tmp_path / folder).parent))
    args = [tmp_path / 'data', '--partial', '--check', 'none', '--unpack', 'videos']
    args += [tmp_path / 'v.zip', '--unpack', 'annotations', tmp_path / 'a.zip']
    assert run('ucf101', *args)[0] == 0
    path = tmp_path / 'data' / 'ucf101_train_split_1_videos.txt'
    assert len(path.read_text().splitlines()) == 4
    code, printed = run('ucf101', *args)
    assert (code, printed.out.count('was unpacked before')) == (0, 2)
    code, printed = run('ucf101', tmp_path / 'data', '--unpack', 'videos')
    assert (code, '--unpack: expected a folder and archives' in printed.err) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    'name, options, message',
    [
        ('ucf10', {}, r"name: expected one of .*got 'ucf10'"),
        ('ucf101', {'kind': 'audio'}, r"kind: expected one of .*got 'audio'"),
        ('ucf101', {'check': 'all'}, r"check: expected one of .*got 'all'"),
        ('ucf101', {}, r'expected one file classInd\.txt, got 0'),
    ],
)
def test_wrong_options(name, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_lists(name, tmp_path, **options)


def test_nothing_is_there(real_data, tmp_path):
    annotate(real_data, 'ucf101', tmp_path)
    with pytest.raises(ValueError, match=r'expected videos of ucf101 in .*, got none'):
        write_lists('ucf101', tmp_path)
    assert not list(tmp_path.glob('*.txt'))
