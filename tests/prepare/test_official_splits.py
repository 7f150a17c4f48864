"""The official files of UCF101, HMDB51 and Kinetics-400, and their counts."""

import shutil

import pytest

from mmattn.prepare.official_splits import BENCHMARKS

KINETICS_HEADER = 'label,youtube_id,time_start,time_end,split,is_cc\n'


def copied(real_data, name, folder):
    shutil.copytree(real_data / 'annotations' / name, folder, dirs_exist_ok=True)
    return folder


def test_ucf101(real_data):
    splits = BENCHMARKS['ucf101'].read_splits(real_data / 'annotations' / 'ucf101')
    counts = {split: len(videos) for split, videos in splits.items()}
    assert counts == BENCHMARKS['ucf101'].counts
    assert sum(counts.values()) == 3 * 13320
    first, last = splits['val_split_1'][0], splits['train_split_3'][-1]
    assert first == ('ApplyEyeMakeup', ('v_ApplyEyeMakeup_g01_c01',), 0)
    assert (last.folder, last.label) == ('YoYo', 100)
    for n in (1, 2, 3):
        train, val = (
            {v.stems for v in splits[f'{split}_split_{n}']}
            for split in ('train', 'val')
        )
        assert len(train | val) == 13320


def test_hmdb51(real_data):
    splits = BENCHMARKS['hmdb51'].read_splits(real_data / 'annotations' / 'hmdb51')
    classes = (real_data / 'annotations/hmdb51/class_list.txt').read_text().split()
    classes = sorted(classes)  # the list of TSN has two pairs of classes the other way
    assert len(classes) == 51
    for split, videos in splits.items():
        assert len(videos) == BENCHMARKS['hmdb51'].counts[split]
        assert all(classes[video.label] == video.folder for video in videos)
        per_class = 70 if 'train' in split else 30
        labels = [video.label for video in videos]
        assert {labels.count(label) for label in range(51)} == {per_class}


def test_kinetics400(real_data):
    folder = real_data / 'annotations' / 'kinetics'
    benchmark = BENCHMARKS['kinetics400']
    with pytest.raises(ValueError, match='expected videos in train_list of kinetics40'):
        benchmark.read_splits(folder)
    splits = benchmark.read_splits(folder, partial=True)
    assert {split: len(videos) for split, videos in splits.items()} == {
        'val_list': benchmark.counts['val_list']
    }
    names = (folder / 'label_map_400.txt').read_text().splitlines()
    assert splits['val_list'][0] == (
        'abseiling',
        ('0wR5jVB-WPk_000417_000427', '0wR5jVB-WPk'),
        0,
    )
    for video in splits['val_list']:
        assert names[video.label].replace(' ', '_') == video.folder


def test_lengths_are_checked(real_data, tmp_path):
    folder = copied(real_data, 'ucf101', tmp_path / 'ucfTrainTestlist')
    lines = (folder / 'testlist02.txt').read_text().splitlines()
    (folder / 'testlist02.txt').write_text('\n'.join(lines[:-1]) + '\n')
    benchmark = BENCHMARKS['ucf101']
    with pytest.raises(ValueError, match=r'3734 videos in val_split_2.*got 3733'):
        benchmark.read_splits(tmp_path)
    splits = benchmark.read_splits(tmp_path, partial=True)
    assert len(splits['val_split_2']) == 3733


@pytest.mark.parametrize(
    'name, text, message',
    [
        (
            'classInd.txt',
            'ApplyEyeMakeup 1\n',
            r"classInd\.txt:1: expected '<number> <",
        ),
        ('trainlist01.txt', '\nNo/v.avi 1\n', r"trainlist01\.txt:2: .*got 'No/v\.avi'"),
        ('trainlist01.txt', 'Archery 1\n', r"trainlist01\.txt:1: .*got 'Archery'"),
        ('testlist03.txt', None, r'expected one file testlist03\.txt, got 0'),
    ],
)
def test_malformed_files_of_ucf101(real_data, tmp_path, name, text, message):
    folder = copied(real_data, 'ucf101', tmp_path)
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        BENCHMARKS['ucf101'].read_splits(folder, partial=True)


def test_hmdb51_needs_all_classes(real_data, tmp_path):
    folder = copied(real_data, 'hmdb51', tmp_path)
    (folder / 'wave_test_split1.txt').unlink()
    with pytest.raises(ValueError, match='of 51 classes, got 50'):
        BENCHMARKS['hmdb51'].read_splits(folder, partial=True)


@pytest.mark.parametrize(
    'files, message',
    [
        ({}, 'expected a split of kinetics400, got none'),
        ({'val.csv': 'label,youtube_id\n'}, r'val\.csv:1: expected the columns label'),
        ({'val.csv': f'{KINETICS_HEADER}a,b,1,x,val,0\n'}, r'val\.csv:2: expected who'),
        (
            {'val.csv': f'{KINETICS_HEADER}a,b,1,2,val,0\n'},
            'expected 400 classes, got 1',
        ),
        (
            {'val.csv': KINETICS_HEADER, 'validate.csv': KINETICS_HEADER},
            'expected one csv of val, got two',
        ),
    ],
)
def test_malformed_files_of_kinetics(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        BENCHMARKS['kinetics400'].read_splits(tmp_path, partial=True)
