"""Which videos decord reads wrongly, told by numbered frames whose truth is known."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmattn.prepare.decord_check import (
    VERDICTS,
    VideoCheck,
    check_videos,
    find_videos,
    summary,
)
from mmattn.synthetic.writer import write_video
from mmattn.testing.numbered_videos import Film, films, number_of, write_film

TOOL = 'data/check_videos.py'
RIGHT = Film('h264', 'mp4')
WRONG = Film('h264', 'avi')
REFUSED = Film('av1', 'mp4')


@pytest.fixture
def decord():
    return pytest.importorskip('decord')


def check(folder, *chosen, workers=1, **options):
    paths = [str(write_film(folder, film)) for film in chosen]
    return check_videos(
        paths, folder / 'j.jsonl', workers=workers, progress=False, **options
    )


def test_counts_are_those_of_the_numbers(tmp_path, decord):
    """Asking decord here and reading the numbers gives the same counts."""
    chosen = [film for film in films() if film.codec == 'mpeg4' and not film.extra]
    chosen = [film for film in chosen if film.container in ('avi', 'mp4', 'wmv')]
    wrong = {}
    for film in chosen:
        try:
            reader = decord.VideoReader(str(write_film(tmp_path, film)), num_threads=1)
        except decord.DECORDError:
            continue
        numbers = [int(len(reader) / 25 * (i + 0.5)) for i in range(25)]
        images = reader.get_batch(numbers).asnumpy()
        pairs = zip(numbers, images, strict=True)
        wrong[film.name] = sum(number != number_of(image) for number, image in pairs)
    assert 0 in wrong.values()
    assert max(wrong.values()) > 10
    for result in check(tmp_path, *chosen):
        name = Path(result.path).name
        assert result.frames == 60
        assert result.codec == 'mpeg4'
        if name in wrong:
            assert (result.wrong, result.asked) == (wrong[name], 25), name
            assert result.verdict == ('wrong' if wrong[name] else 'right')
        else:
            assert (result.verdict, result.asked) == ('refused', 0)
            assert result.reason


def test_seconds_off(tmp_path, decord):
    """A trimmed copy: decord counts hidden frames, the last stand for those missing."""
    (result,) = check(tmp_path, Film('h264', 'mp4', extra='trimmed'), clips=0)
    assert result.verdict == 'wrong'
    reader = decord.VideoReader(result.path, num_threads=1)
    found = [number_of(reader[n].asnumpy()) - 17 for n in range(len(reader))]
    off = [abs(shown - min(n, 42)) / 25 for n, shown in enumerate(found)]
    assert result.seconds_off == pytest.approx(max(off), abs=0.001)
    assert result.asked == len(reader)
    assert result.wrong == sum(shown != n for n, shown in enumerate(found))


def test_verdicts(tmp_path, monkeypatch, decord):
    broken = tmp_path / 'half.mp4'
    broken.write_bytes(write_film(tmp_path, RIGHT).read_bytes()[:2000])
    (tmp_path / 'text.avi').write_text('no video')
    paths = [broken, tmp_path / 'text.avi', tmp_path / 'none.mp4']
    results = check_videos(
        list(map(str, paths)), tmp_path / 'j.jsonl', workers=1, progress=False
    )
    assert [r.verdict for r in results] == ['broken', 'broken', 'missing']
    assert results[0].reason
    assert [r.verdict for r in check(tmp_path, RIGHT, WRONG, REFUSED)] == [
        'right',
        'wrong',
        'refused',
    ]
    text = summary(results)
    assert '2 broken' in text
    assert '1 missing' in text
    assert set(VERDICTS) >= {r.verdict for r in results}


def test_a_fault_of_our_own_reader_is_told(tmp_path, monkeypatch, decord):
    from mmattn.prepare import decord_check as video_checks

    class Other(video_checks.open_video(write_film(tmp_path, RIGHT)).__class__):
        def read(self, numbers):
            return super().read([0 for _ in numbers])

    def other(path, **options):
        reader = video_checks_open(path, **options)
        reader.__class__ = Other
        return reader

    video_checks_open = video_checks.open_video
    monkeypatch.setattr(video_checks, 'open_video', other)
    (result,) = check(tmp_path, RIGHT)
    assert result.verdict == 'misread'


def test_what_decord_does_to_the_process(tmp_path, monkeypatch, decord):
    from mmattn.prepare import decord_check as video_checks
    from mmattn.utils.processes import TimeLimited

    film = Film('h264', 'mkv')
    for error, verdict in ((TimeoutError, 'hangs'), (ChildProcessError, 'crashes')):

        class Limited(TimeLimited):
            def __call__(self, *_, error=error):
                raise error

        monkeypatch.setattr(video_checks, '_DECORD', Limited(len, seconds=1))
        (tmp_path / 'j.jsonl').unlink(missing_ok=True)
        assert [r.verdict for r in check(tmp_path, film)] == [verdict]


def test_still_videos_are_not_wrong(tmp_path, decord):
    """Frames that look the same are the same; who cares which one it is."""
    path = tmp_path / 'still.avi'
    write_video(path, np.full((30, 64, 96, 3), 90, np.uint8), fps=10)
    (result,) = check_videos([str(path)], tmp_path / 'j.jsonl', workers=1)
    assert (result.verdict, result.wrong) == ('right', 0)


def test_quick_needs_no_decord(tmp_path, monkeypatch):
    from mmattn.prepare import decord_check as video_checks

    monkeypatch.setattr(video_checks, 'find_spec', lambda name: None)
    results = check(tmp_path, RIGHT, WRONG, quick=True)
    assert [r.verdict for r in results] == ['right', 'suspect']
    assert 'avi' in results[1].reason
    with pytest.raises(ValueError, match='expected decord, got no such package'):
        check(tmp_path, RIGHT)
    with pytest.raises(ValueError, match='clips: expected 0 or more, got -1'):
        check(tmp_path, RIGHT, clips=-1)


def test_lists_of_all_layouts(tmp_path):
    for name in ('a.mp4', 'b c.avi', 'd.avi', 'e 1.mkv'):
        (tmp_path / name).touch()
    path = tmp_path / 'list.txt'
    path.write_text(
        '\ufeffa.mp4 3\nb c.avi 120 0\n\nd.avi\t1\t2\na.mp4,5,.1\ne 1.mkv\nx y.mp4\n',
        encoding='utf-8',
    )
    found, skipped = find_videos(path)
    names = ['a.mp4', 'b c.avi', 'd.avi', 'e 1.mkv', 'x']
    assert found == [str(tmp_path / name) for name in names]
    assert skipped == []
    elsewhere, _ = find_videos(path, tmp_path / 'none')
    assert elsewhere[0] == str(tmp_path / 'none' / 'a.mp4')


def test_folders_and_single_videos(tmp_path):
    (tmp_path / 'run').mkdir()
    for name in ('run/a.AVI', 'run/notes.txt', 'b.webm'):
        (tmp_path / name).touch()
    found, skipped = find_videos(tmp_path)
    assert found == [str(tmp_path / 'b.webm'), str(tmp_path / 'run/a.AVI')]
    assert skipped == [str(tmp_path / 'run/notes.txt')]
    assert find_videos(tmp_path / 'b.webm') == ([str(tmp_path / 'b.webm')], [])


def test_nothing_to_check(tmp_path):
    with pytest.raises(ValueError, match=r'got no file .*none'):
        find_videos(tmp_path / 'none')
    with pytest.raises(ValueError, match=r'expected videos \(.*\.avi.*\), got none'):
        find_videos(tmp_path)
    (tmp_path / 'list.pkl').write_bytes(b'\x80\x04\xff')
    with pytest.raises(ValueError, match=r'list\.pkl:1: expected UTF-8 text'):
        find_videos(tmp_path / 'list.pkl')


def test_tool(tmp_path, run_tool, capfd, decord):
    folder = tmp_path / 'in'
    for film in (RIGHT, WRONG):
        write_film(folder, film)
    (folder / 'notes.txt').touch()
    out = tmp_path / 'out' / 'report.csv'
    assert run_tool(TOOL, folder, '--out', out, '--workers', 1) == 1
    printed = capfd.readouterr()
    assert f'wrong: {folder / WRONG.name}: ' in printed.out
    assert f'right: {folder / RIGHT.name}' not in printed.out
    assert 'of 50 frames are others than asked for' in printed.out
    assert f'not a video by its ending: {folder / "notes.txt"}' in printed.err
    with out.open(newline='') as file:
        rows = {Path(row['path']).name: row for row in csv.DictReader(file)}
    assert rows[RIGHT.name]['verdict'] == 'right'
    assert int(rows[WRONG.name]['wrong']) > 10
    journal = out.with_suffix('.jsonl')
    before = journal.read_text()

    out = out.with_suffix('.json')
    assert run_tool(TOOL, folder / RIGHT.name, '--out', out) == 0
    assert journal.read_text() == before
    (row,) = json.loads(out.read_text())
    assert VideoCheck(**row).verdict == 'right'


def test_tool_refuses_in_one_sentence(tmp_path, run_tool, capsys):
    assert run_tool(TOOL, tmp_path / 'none') == 2
    assert 'error: expected a list, a folder or a video' in capsys.readouterr().err
    assert run_tool(TOOL, tmp_path, '--out', 'x.xlsx') == 2
    assert 'error: --out: expected a file .csv or .json' in capsys.readouterr().err


def test_packed_frames_of_real_clips(real_data, tmp_path, decord):
    """XviD with packed frames, as two persons' acts were stored: decord is two off."""
    source = real_data / 'ut_interaction_set1' / '0_1_4.avi'
    shutil.copy(source, tmp_path)
    (result,) = check_videos([str(tmp_path / source.name)], tmp_path / 'j.jsonl')
    assert result.verdict == 'wrong'
    assert result.frames == 108
    assert result.wrong > 15
