"""AVA's frames from generated movies."""

import shutil

import cv2
import decord
import numpy as np
import pytest

from mmattn.prepare.ava_frames import (
    LABELS,
    PROPOSALS,
    FrameOptions,
    extract_frames,
    read_movies,
)
from mmattn.synthetic.writer import write_video

NAMES = ('0f39OWEqJ24', '_-Z6wFjXtGQ')


def write_movie(path, num_frames, fps):
    """Write a movie whose frame n has the gray level 2 n."""
    levels = np.arange(num_frames, dtype=np.uint8)[:, None, None, None] * 2
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, np.broadcast_to(levels, (num_frames, 34, 46, 3)), fps=fps)
    return path


def levels(folder):
    paths = sorted(folder.glob('img_*.jpg'))
    return [int(np.rint(cv2.imread(str(path)).mean())) for path in paths]


@pytest.fixture
def annotations(tmp_path, real_data):
    """The official files in small: two movies for training, one for validation."""
    source, folder = real_data / 'annotations' / 'ava', tmp_path / 'annotations'
    folder.mkdir()
    shutil.copy(source / LABELS['2.1'], folder / LABELS['2.2'])
    rows = (source / 'tiny_dataset' / 'ava_sample.csv').read_text()
    (folder / 'ava_train_v2.2.csv').write_text(rows)
    kept = [row for row in rows.splitlines() if row.startswith(NAMES[0])]
    (folder / 'ava_val_v2.2.csv').write_text('\n'.join(kept) + '\n')
    for split in ('train', 'val'):
        (folder / f'ava_{split}_excluded_timestamps_v2.2.csv').touch()
        shutil.copy(
            source / 'tiny_dataset' / 'ava_proposals_sample.pkl',
            folder / PROPOSALS.format(split=split),
        )
    return folder


def test_movies(annotations):
    movies = read_movies(annotations, '2.2', partial=True)
    assert movies == {'train': list(NAMES), 'val': [NAMES[0]]}
    with pytest.raises(ValueError, match='expected 235 movies, got 2; `partial`'):
        read_movies(annotations, '2.2')
    with pytest.raises(ValueError, match=r"version: expected one of .*got '2\.3'"):
        read_movies(annotations, '2.3')
    (annotations / 'ava_val_v2.2.csv').unlink()
    with pytest.raises(ValueError, match=r'expected ava_val_v2\.2\.csv, got no such'):
        read_movies(annotations, '2.2', partial=True)


@pytest.mark.parametrize(
    'fps, expected',
    [
        (30, range(30, 60)),
        (15, np.repeat(np.arange(15, 30), 2)),
        (60, range(60, 120, 2)),
    ],
)
def test_frames_at_30_per_second(fps, expected, tmp_path):
    path = write_movie(tmp_path / 'in' / 'a.mp4', min(2 * fps + 2, 124), fps)
    stored = [frame.asnumpy().mean() for frame in decord.VideoReader(str(path))]
    options = FrameOptions(start_seconds=1, seconds=1)
    out = tmp_path / 'out'
    assert extract_frames(tmp_path / 'in', out, ['a'], options, workers=1) == []
    found = levels(out / 'a')
    assert len(found) == options.frames == 30
    np.testing.assert_allclose(found, np.array(stored)[list(expected)], atol=0.9)


def test_size_resuming_and_short_movies(tmp_path):
    write_movie(tmp_path / 'a.mp4', 31, 30)
    write_movie(tmp_path / 'b.mp4', 12, 30)
    options = FrameOptions(start_seconds=0, seconds=1, short_side=17)

    def run(names):
        out = tmp_path / 'out'
        return extract_frames(tmp_path, out, names, options, workers=1, progress=False)

    missing, short = run(['a', 'b', 'c'])
    assert missing == f'c: expected a movie in {tmp_path}, got none'
    assert short.startswith('b: expected 1 seconds, got 0.4')
    folder = tmp_path / 'out' / 'a'
    assert cv2.imread(str(folder / 'img_00030.jpg')).shape == (17, 23, 3)
    (tmp_path / 'a.mp4').unlink()
    assert run(['a']) == []
    (folder / 'img_00007.jpg').unlink()
    assert 'img_00007.jpg, got no file' in run(['a'])[0]


def test_tool(annotations, run_tool, capsys):
    root = annotations.parent

    def run(*args):
        given = ['--versions', 2.2, '--start', 0, '--seconds', 1, '--workers', 1]
        code = run_tool('data/ava/prepare_ava.py', root, *given, *args)
        return code, capsys.readouterr()

    write_movie(root / 'videos' / f'{NAMES[0]}.mp4', 31, 30)
    (root / 'videos' / f'{NAMES[1]}.mkv').write_text('no video')
    code, printed = run('--partial')
    assert code == 1
    assert 'train 2.2: 2 movies' in printed.out
    assert f'{NAMES[1]}: ' in printed.err
    assert '1 of 2 movies are complete' in printed.out
    write_movie(root / 'videos' / f'{NAMES[1]}.mp4', 31, 30)
    (root / 'videos' / f'{NAMES[1]}.mkv').unlink()
    assert run('--partial')[0] == 0
    code, printed = run()
    assert (code, 'expected 235 movies' in printed.err) == (2, True)
