"""Lists of a part of HMDB51."""

from pathlib import Path

import pytest

from mmattn.prepare.hmdb51_subset import TEN_CLASSES, read_split, subset_lists


def videos(lists, name):
    return {video for video, _ in lists[name]}


def sizes(lists):
    return [len(lists[name]) for name in ('train', 'val', 'test')]


@pytest.fixture
def small(tmp_path):
    """Two classes of 20 training, 10 test and 2 other videos."""
    folder = tmp_path / 'annotations'
    folder.mkdir()
    for name in ('run', 'climb stairs'):
        uses = ['1'] * 20 + ['2'] * 10 + ['0'] * 2
        lines = [f'{name} a&b ({n}).avi {use} \n' for n, use in enumerate(uses)]
        (folder / f'{name}_test_split1.txt').write_text(''.join(lines))
    return folder


def test_official_split_of_real_lists(real_data):
    folder = real_data / 'annotations' / 'hmdb51'
    for split in (1, 2, 3):
        lists = subset_lists(folder, split=split)
        assert sizes(lists) == [700, 220, 80]  # each class divides its 30 as 22 and 8
        for label, name in enumerate(TEN_CLASSES):
            uses = read_split(folder / f'{name}_test_split{split}.txt')
            own = {
                key: {Path(video).name for video, k in lists[key] if k == label}
                for key in lists
            }
            assert own['train'] == {video for video in uses if uses[video] == 1}
            test = {video for video in uses if uses[video] == 2}
            assert own['val'] | own['test'] == test
            assert not own['val'] & own['test']


def test_all_videos_in_the_reports_ratio(real_data):
    lists = subset_lists(real_data / 'annotations' / 'hmdb51', pool='all')
    total = sum(sizes(lists))
    assert total == len(set.union(*(videos(lists, key) for key in lists))) == 1150
    for size, wanted in zip(sizes(lists), (730, 220, 78), strict=True):
        assert abs(size - total * wanted / 1028) <= 5


def test_seed_and_classes(small):
    classes = ['climb stairs', 'run']
    lists = subset_lists(small, classes=classes)
    assert sizes(lists) == [40, 14, 6]
    assert ('climb stairs/climb stairs a&b (0).avi', 0) in lists['train']
    assert {video.split('/')[0] for video, label in lists['val'] if label} == {'run'}
    assert subset_lists(small, classes=classes) == lists
    other = subset_lists(small, classes=classes, seed=1)
    assert other['train'] == lists['train']
    assert other['val'] != lists['val']
    even = subset_lists(small, classes=classes, sizes=(3, 1, 1))
    assert sizes(even) == [40, 10, 10]


def test_tool_writes_what_the_configs_read(small, run_tool, capsys):
    root = small.parent
    args = [root, '--classes', 'run', '--pool', 'all']
    assert run_tool('data/hmdb51_subset.py', *args) == 0
    lists = subset_lists(small, classes=['run'], pool='all')
    for name, pairs in lists.items():
        path = root / f'hmdb51_1c_{name}_split_1_videos.txt'
        lines = path.read_text().splitlines()
        assert lines == [f'{video} {label}' for video, label in pairs]
        assert (
            f'{path}: {len(pairs)} videos' in capsys.readouterr().out or name != 'train'
        )


@pytest.mark.parametrize(
    'options, message',
    [
        ({'pool': 'some'}, "pool: expected one of .*, got 'some'"),
        ({'sizes': (1, 2)}, r'sizes: expected three positive numbers, got \(1, 2\)'),
        ({'sizes': (1, 0, 2)}, 'sizes: expected three positive numbers'),
        ({'classes': []}, r'classes: expected different names, got \[\]'),
        ({'classes': ['run', 'run']}, 'classes: expected different names'),
        ({'classes': ['jump']}, r'got no file .*jump_test_split1\.txt'),
        ({'classes': ['run'], 'split': 2}, r'got no file .*run_test_split2\.txt'),
    ],
)
def test_wrong_options(small, options, message):
    with pytest.raises(ValueError, match=message):
        subset_lists(small, **options)


@pytest.mark.parametrize('line', ['a.avi 3', 'a.avi', '1'])
def test_malformed_line(tmp_path, line):
    path = tmp_path / 'x_test_split1.txt'
    path.write_text(f'\nb.avi 1\n{line}\n')
    with pytest.raises(ValueError, match=r"split1\.txt, line 3: expected '<video>"):
        read_split(path)
