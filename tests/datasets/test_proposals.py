"""Boxes of persons in every file format, and their keys in every spelling."""

import json
import pickle

import numpy as np
import pytest

from mmattn.datasets import proposals as module
from mmattn.datasets.proposals import load_proposals, match_proposals, save_proposals

KEY = 'person_0,0901'


def write(path, content):
    arrays = {key: np.array(boxes, dtype=float) for key, boxes in content.items()}
    if path.suffix == '.npz':
        np.savez(path, **arrays)
    elif path.suffix == '.json':
        path.write_text(json.dumps(content), encoding='utf-8-sig')
    else:
        path.write_bytes(pickle.dumps(arrays))
    return path


@pytest.mark.parametrize('kind', ['npz', 'json', 'pkl'])
def test_every_kind(kind, tmp_path):
    content = {
        KEY: [[0.1, 0.2, 0.5, 0.9, 0.75]],
        'a, b.mp4,3': [[0.0, 0.0, 1.0, 1.0]],
        ' clip , 0004.0': [],
    }
    loaded = load_proposals(write(tmp_path / f'p.{kind}', content))
    assert list(loaded) == [KEY, 'a, b.mp4,0003', 'clip,0004']
    np.testing.assert_array_equal(loaded[KEY], content[KEY])
    assert loaded['a, b.mp4,0003'].shape == (1, 4)
    assert loaded['clip,0004'].shape == (0, 5)


def test_proposals_of_ava(real_data):
    folder = real_data / 'annotations' / 'ava' / 'tiny_dataset'
    loaded = load_proposals(folder / 'ava_proposals_sample.pkl')
    assert sorted(loaded) == [
        '0f39OWEqJ24,0902',
        '0f39OWEqJ24,0903',
        '_-Z6wFjXtGQ,0902',
    ]
    assert all(boxes.shape[1] in (4, 5) for boxes in loaded.values())


BOX = [0.1, 0.2, 0.5, 0.9]


@pytest.mark.parametrize(
    'content, message',
    [
        ({KEY: BOX}, rf"expected an array \(n, 4\) .* of '{KEY}', got \(4,\)"),
        ({KEY: [[0.1, 0.2]]}, rf"expected an array .* of '{KEY}', got \(1, 2\)"),
        ({KEY: [BOX, BOX[:3]]}, rf"expected rows of 4 or 5 numbers of '{KEY}', got"),
        ({KEY: [['a', 'b', 'c', 'd']]}, rf"expected rows of .* of '{KEY}', got"),
        (
            {KEY: [[10, 20, 50, 90]]},
            rf"of '{KEY}' in parts .* \[10\.0.*divide pix",
        ),
        ({KEY: [BOX, [-0.1, 0, 1, 1]]}, rf"of '{KEY}' in parts of the frame, .*-0\.1"),
        (
            {KEY: [[0.5, 0.2, 0.1, 0.9]]},
            rf"x1 <= x2 .* of '{KEY}', got \[0\.5",
        ),
        ({KEY: [[*BOX, 99]]}, rf"expected scores from 0 to 1 of '{KEY}', got \[99"),
        ({KEY: [[*BOX, float('nan')]]}, rf"finite numbers of '{KEY}', got nan"),
        ({'clip': [BOX]}, r"expected keys 'video,second', got 'clip'"),
        ({'clip_0003': [BOX]}, r"expected keys 'video,second', got 'clip_0003'"),
        ({'clip,1.5': [BOX]}, r"expected keys 'video,second', got 'clip,1\.5'"),
        ({',3': [BOX]}, r"expected keys 'video,second', got ',3'"),
        ({'a,3': [BOX], 'a,0003': [BOX]}, r"each frame once, got 'a,0003' again"),
    ],
)
def test_bad_entries_are_named(content, message, tmp_path):
    path = tmp_path / 'p.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'p\.json: .*{message}'):
        load_proposals(path)


def test_files_that_are_none(tmp_path):
    (tmp_path / 'p.json').write_text('[1]')
    with pytest.raises(ValueError, match=r'p\.json: expected boxes by frame, got'):
        load_proposals(tmp_path / 'p.json')
    whole = write(tmp_path / 'p.npz', {KEY: [BOX]}).read_bytes()
    (tmp_path / 'p.npz').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r'p\.npz: expected a whole npz'):
        load_proposals(tmp_path / 'p.npz')
    np.savez(tmp_path / 'o.npz', **{KEY: np.array([{}], dtype=object)})
    with pytest.raises(ValueError, match=r'o\.npz: .* npz of arrays of numbers'):
        load_proposals(tmp_path / 'o.npz')


class Evil:
    def __reduce__(self):
        return (print, ('executed',))


def test_pickles_execute_nothing(tmp_path, capsys):
    path = tmp_path / 'proposals.pkl'
    path.write_bytes(pickle.dumps({KEY: Evil()}))
    with pytest.raises(ValueError, match=r'expected a pickle of plain data'):
        load_proposals(path)
    assert 'executed' not in capsys.readouterr().out


@pytest.fixture
def logged(monkeypatch):
    messages = []
    monkeypatch.setattr(
        module, 'print_log', lambda text, logger, level: messages.append((level, text))
    )
    return messages


@pytest.mark.parametrize(
    'video', ['clip.mp4', 'clip', 'videos/clip.mp4', r'x\clip', 'clip.MP4', 'clip.avi']
)
def test_spellings_of_the_video(video, logged, tmp_path):
    path = write(tmp_path / 'p.json', {f'{video},3': [BOX], 'other,1': [BOX]})
    found = match_proposals(
        load_proposals(path), [('clip.mp4', 3)], path='p.json', ann_file='a.csv'
    )
    assert {key: boxes.tolist() for key, boxes in found.items()} == {
        'clip.mp4,0003': [BOX]
    }
    assert logged == [(20, 'p.json: boxes for 1 of 1 frames')]


def test_frames_without_an_entry_are_counted(logged):
    stored = {'clip,0003': np.zeros((0, 5))}
    frames = [('clip', 3), ('clip', 4), ('clip', 7), ('b', 3)]
    found = match_proposals(stored, frames, path='p', ann_file='a.csv')
    assert list(found) == ['clip,0003']
    ((level, message),) = logged
    assert level == 30
    assert message.startswith('p: boxes for 1 of 4 frames; 3 have no entry, such as')


@pytest.mark.parametrize(
    'stored, frames, message',
    [
        (
            {'b,0003': BOX},
            [('a', 3)],
            r"p: .* of a\.csv, .* 'a,0003', .*'b,0003'",
        ),
        (
            {'a,0903': BOX},
            [('a', 3)],
            r"as 'a,0003', got none of them, but 'a,0903'",
        ),
        ({}, [('a', 3)], 'got none of them, but no frame at all'),
    ],
)
def test_files_of_other_frames_are_refused(stored, frames, message):
    with pytest.raises(ValueError, match=message):
        match_proposals(stored, frames, path='p', ann_file='a.csv')


def test_no_pickles_are_written(tmp_path):
    with pytest.raises(ValueError, match=r'ending in \.json or \.npz, got .*a\.pkl'):
        save_proposals({}, tmp_path / 'a.pkl')
