"""Optical flow of folders of videos."""

import json
import shutil
from zipfile import ZipFile

import cv2
import numpy as np
import pytest

from mmattn.prepare import flow_extraction
from mmattn.prepare.flow_extraction import FlowOptions, extract_flow
from mmattn.prepare.video_check import check_sources, count_frames
from mmattn.synthetic.writer import write_video

H, W = 48, 64


def write_clip(path, num_frames, step=2):
    """Write a texture that moves right by `step` pixels per frame."""
    rng = np.random.default_rng(1)
    texture = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (W, H))
    frames = np.stack([np.roll(texture, step * n, axis=1) for n in range(num_frames)])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames, fps=10)


@pytest.fixture
def videos(tmp_path):
    """Two videos and a broken one, named as in HMDB51."""
    folder = tmp_path / 'videos'
    write_clip(folder / 'run' / 'a#b&(c)[d]_1.mp4', 5)
    write_clip(folder / 'walk' / 'b.mp4', 3, step=-3)
    (folder / 'walk' / 'c.mp4').write_bytes(b'no video' * 20)
    return folder


@pytest.fixture
def run(run_tool, capsys):
    tool = 'data/extract_flow.py'
    return lambda *args: (run_tool(tool, *args), capsys.readouterr())


def test_one_odd_video_ends_nothing(tmp_path, run):
    """OpenCV's dense inverse search refuses pictures of 8 x 8 pixels."""
    folder, out = tmp_path / 'videos', tmp_path / 'flow'
    write_clip(folder / 'a.mp4', 3)
    write_video(folder / 'b.mp4', np.zeros((3, 8, 8, 3), np.uint8), fps=10)
    write_clip(folder / 'c.mp4', 3)
    code, output = run(folder, out, '--method', 'dis', '--workers', 1)
    assert code == 1
    assert f'left out: {folder / "b.mp4"}: ' in output.err
    assert '2 videos done, 0 were done before, 1 cannot be read' in output.out
    assert [count_frames(out / name, 'flow_x_{:05d}.jpg') for name in 'ac'] == [2, 2]


@pytest.mark.parametrize('method, tolerance', [('farneback', 3), ('dis', 3)])
def test_folders(videos, tmp_path, method, tolerance):
    out = tmp_path / 'flow'
    report = extract_flow(videos, out, FlowOptions(method), workers=1, progress=False)
    assert (report.videos, report.skipped, report.fields) == (2, 0, 6)
    assert report.seconds > 0
    (broken,) = report.broken
    assert broken.startswith(str(videos / 'walk' / 'c.mp4'))
    for name, count, motion in (('run/a#b&(c)[d]_1', 4, 2), ('walk/b', 2, -3)):
        for axis, expected in (('x', motion), ('y', 0)):
            template = f'flow_{axis}_{{:05d}}.jpg'
            assert count_frames(out / name, template) == count
            path = str(out / name / template.format(count))
            image = cv2.imread(path, cv2.IMREAD_UNCHANGED)
            assert image.shape == (H, W)
            level = np.median(image[8:-8, 8:-8])
            assert abs(level - (expected + 20) * 255 / 40) <= tolerance
    record = json.loads((out / 'run' / 'a#b&(c)[d]_1' / 'flow.json').read_text())
    assert record == {'method': method, 'bound': 20.0, 'size': None}


def test_tvl1_at_another_size(tmp_path):
    write_clip(tmp_path / 'videos' / 'a.mp4', 2)
    options = FlowOptions('tvl1', 10, (32, 24))
    report = extract_flow(tmp_path / 'videos', tmp_path / 'flow', options, workers=1)
    assert (report.videos, report.broken) == (1, [])
    image = cv2.imread(str(tmp_path / 'flow' / 'a' / 'flow_x_00001.jpg'))
    assert image.shape == (24, 32, 3)
    assert abs(np.median(image) - (1 + 10) * 255 / 20) <= 3


def test_zips_hold_the_same_files(videos, tmp_path):
    shutil.rmtree(videos / 'walk')
    options = [FlowOptions('dis', storage=storage) for storage in ('folders', 'zip')]
    for option in options:
        extract_flow(videos, tmp_path / option.storage, option, workers=1)
    folder = tmp_path / 'folders' / 'run' / 'a#b&(c)[d]_1'
    with ZipFile(tmp_path / 'zip' / 'run' / 'a#b&(c)[d]_1.zip') as file:
        assert set(file.namelist()) == {path.name for path in folder.iterdir()}
        assert len(file.namelist()) == 9
        for name in file.namelist():
            assert file.read(name) == (folder / name).read_bytes()


@pytest.mark.parametrize('storage', ['folders', 'zip'])
def test_goes_on_where_it_was_interrupted(videos, tmp_path, storage):
    out, options = tmp_path / 'flow', FlowOptions('dis', storage=storage)
    extract_flow(videos, out, options, workers=1)
    if storage == 'folders':
        folder = out / 'walk' / 'b'
        (folder / 'flow.json').rename(folder / 'flow.json.part')
        (checked,) = check_sources(
            out, ['walk/b'], kind='flow', journal=tmp_path / 'j', workers=1
        )
        assert 'expected finished flow' in checked.error
    else:
        (out / 'walk' / 'b.zip').unlink()
        (out / 'walk' / 'b.zip.part').write_text('half')
    report = extract_flow(videos, out, options, workers=1)
    assert (report.videos, report.skipped, len(report.broken)) == (1, 1, 1)
    assert report.fields == 2
    report = extract_flow(videos, out, options, workers=1)
    assert (report.videos, report.skipped, report.fields) == (0, 2, 0)
    with pytest.raises(ValueError, match=r"expected flow of .*'bound': 15.*got .*20"):
        extract_flow(videos, out, FlowOptions('dis', 15, storage=storage))


def test_parts_are_all(videos, tmp_path):
    out = tmp_path / 'flow'
    reports = [
        extract_flow(videos, out, FlowOptions('dis'), part=(i, 2), workers=1)
        for i in (1, 2)
    ]
    assert [r.videos for r in reports] == [1, 1]
    assert [len(r.broken) for r in reports] == [1, 0]


def test_tool_in_two_processes(videos, tmp_path, run):
    args = (videos, tmp_path / 'flow', '--method', 'dis', '--workers', 2)
    code, printed = run(*args)
    assert code == 1
    assert f'left out: {videos / "walk" / "c.mp4"}: ' in printed.err
    assert '2 videos done, 0 were done before, 1 cannot be read' in printed.out
    assert 'frames per second and process' in printed.out
    (videos / 'walk' / 'c.mp4').unlink()
    code, printed = run(*args)
    assert code == 0
    assert printed.out == '0 videos done, 2 were done before, 0 cannot be read\n'
    code, printed = run(tmp_path / 'none', tmp_path / 'flow')
    assert (code, 'expected videos in' in printed.err) == (2, True)


@pytest.mark.parametrize(
    'options, message',
    [
        ({'method': 'x'}, r"method: expected one of .*got 'x'"),
        ({'bound': -1}, 'bound: expected a positive number'),
        ({'size': (0, 5)}, 'size: expected a width and a height'),
        ({'storage': 'tar'}, r"storage: expected one of .*got 'tar'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        FlowOptions(**options)


def test_wrong_folders(videos, tmp_path):
    options = FlowOptions('dis')
    with pytest.raises(ValueError, match=r'part: expected I of N parts.*got 3 of 2'):
        extract_flow(videos, tmp_path / 'flow', options, part=(3, 2))
    (videos / 'walk' / 'b.avi').touch()
    with pytest.raises(ValueError, match=r'expected one video .*b, got 2 that differ'):
        extract_flow(videos, tmp_path / 'flow', options)
    shutil.rmtree(videos)
    with pytest.raises(ValueError, match=r'expected videos in .*, got no file'):
        extract_flow(videos, tmp_path / 'flow', options)


def test_another_may_finish_the_same_folder_meanwhile(tmp_path):
    """Two runs side by side: the second finds the record that the first has made."""
    write_clip(tmp_path / 'videos' / 'a.mp4', 3)
    out, options = tmp_path / 'flow', FlowOptions('dis')
    with flow_extraction._writer(out / 'a', options) as write:
        write('flow_x_00001.jpg', b'theirs')
        report = extract_flow(
            tmp_path / 'videos', out, options, workers=1, progress=False
        )
        assert (report.videos, report.broken) == (1, [])
    names = {path.name for path in (out / 'a').iterdir()}
    fields = {f'flow_{axis}_0000{n}.jpg' for axis in 'xy' for n in (1, 2)}
    assert names == fields | {'flow.json'}
