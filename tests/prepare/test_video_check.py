"""Finding, checking and counting videos and folders of frames."""

import json
from zipfile import ZipFile

import pytest
from small_files import write_video

from mmattn.prepare.video_check import (
    ERRORS,
    Tree,
    check_sources,
    check_video,
    count_frames,
)

IMAGE = 'img_{:05d}.jpg'


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_find_videos(tmp_path):
    touch(tmp_path / 'run', 'a.AVI', 'b.txt', 'c.mp4', 'c.mkv', 'd[1](2)#&.avi')
    touch(tmp_path, 'e.webm', 'a.mp4')
    tree = Tree(tmp_path, videos=True)
    assert tree.find('run', ['a']) == 'run/a.AVI'
    assert tree.find('run', ['b']) is None
    assert tree.find('run', ['c']) == 'run/c.mkv'
    assert tree.find('run', ['d[1](2)#&']) == 'run/d[1](2)#&.avi'
    assert tree.find('run', ['x', 'e']) == 'e.webm'
    assert tree.find('none', ['a']) == 'a.mp4'


def test_find_frames(tmp_path):
    touch(tmp_path / 'run' / 'a.b')
    touch(tmp_path / 'run', 'c.d.zip')
    tree = Tree(tmp_path, videos=False)
    assert tree.find('run', ['a.b']) == 'run/a.b'
    assert tree.find('run', ['c.d']) == 'run/c.d'
    assert tree.find('run', ['c']) is None


def test_check_video(tmp_path, real_data):
    video = write_video(tmp_path / 'v.avi', 7)
    assert [check_video(video, check=c) for c in ('none', 'quick', 'full')] == [0, 7, 7]
    (tmp_path / 'empty.avi').touch()
    (tmp_path / 'text.avi').write_text('no video' * 99)
    for name in ('empty.avi', 'text.avi', 'absent.avi'):
        with pytest.raises(ERRORS):
            check_video(tmp_path / name)
    with pytest.raises(ERRORS):
        check_video(real_data / 'decode_edge_cases' / 'corrupted.mp4')


def test_count_frames(tmp_path):
    names = [IMAGE.format(n) for n in range(1, 12)]
    touch(tmp_path / 'a', *names, 'img_x.jpg', 'flow_x_00001.jpg')
    assert count_frames(tmp_path / 'a', IMAGE) == 11
    with ZipFile(tmp_path / 'b.zip', 'w') as file:
        for name in names:
            file.writestr(name, b'')
    assert count_frames(tmp_path / 'b', IMAGE) == 11
    (tmp_path / 'a' / names[4]).unlink()
    with pytest.raises(FileNotFoundError, match=r'expected .*img_00005\.jpg, got no'):
        count_frames(tmp_path / 'a', IMAGE)
    with pytest.raises(FileNotFoundError, match=r'expected .*img_00001\.jpg, got no'):
        count_frames(tmp_path / 'none', IMAGE)


def test_journal_spares_the_second_check(tmp_path):
    good, bad = write_video(tmp_path / 'a.avi', 5), tmp_path / 'b.avi'
    bad.write_text('no video')
    journal = tmp_path / 'new' / 'journal.jsonl'

    def run(**options):
        options = {'kind': 'videos', 'journal': journal, 'workers': 1, **options}
        results = check_sources(tmp_path, ['a.avi', 'b.avi'], **options)
        return {result.path: result for result in results}

    first = run()
    assert (first['a.avi'].frames, first['a.avi'].error) == (5, '')
    assert first['b.avi'].frames == 0
    assert first['b.avi'].error
    lines = journal.read_text().splitlines()
    assert len(lines) == 2
    journal.write_text('\n'.join([*lines, '[["a.avi", "qui']) + '\n')
    assert run() == first
    assert len(journal.read_text().splitlines()) == 3
    write_video(bad, 3)
    assert run()['b.avi'] == ('b.avi', 3, '')
    assert json.loads(journal.read_text().splitlines()[-1])[1] == [3, '']
    run(check='full')
    assert len(journal.read_text().splitlines()) == 6
    assert good.is_file()


def test_flow_has_both_components(tmp_path):
    pair = ['flow_x_00001.jpg', 'flow_y_00001.jpg']
    touch(tmp_path / 'a', *pair)
    touch(tmp_path / 'b', *pair, 'flow_x_00002.jpg')
    touch(tmp_path / 'c', pair[0])
    results = check_sources(
        tmp_path, ['a', 'b', 'c'], kind='flow', journal=tmp_path / 'j', workers=1
    )
    a, b, c = sorted(results)
    assert a == ('a', 1, '')
    assert 'expected as many x as y fields' in b.error
    assert 'flow_y_00001.jpg, got no file' in c.error
