"""Pickles of plain data are read, nothing in them is executed."""

import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pickle_attacks
import pytest
import torch

from mmattn.utils.safe_pickle import ARRAYS, PLAIN, load_pickle

CONTENT = dict(
    array=np.arange(6, dtype=np.float32).reshape(2, 3),
    fortran=np.asfortranarray(np.arange(6).reshape(2, 3)),
    empty=np.zeros((0, 3)),
    scalar=np.float64(2.5),
    flag=np.bool_(True),
    tensor=torch.arange(5, dtype=torch.int64),
    view=torch.arange(12.0).reshape(3, 4)[1:, ::2],
    half=torch.ones(3, dtype=torch.bfloat16),
    swapped=np.arange(3, dtype='>f4'),
    complex=np.array([1j], dtype=np.complex64),
    nested=[(1, 2.5, None, True), {('a', 1): [b'bytes', b'']}, 'text', 2**70],
    ordered=OrderedDict(z=1, a=2),
    size=torch.Size([2, 3]),
)


class Calls:
    """Pickles as a call of ``function`` with ``args``."""

    def __init__(self, function, *args):
        self.function = function
        self.args = args

    def __reduce__(self):
        return self.function, self.args


def assert_same(actual, expected):
    if isinstance(expected, np.ndarray):
        assert isinstance(actual, np.ndarray)
        assert actual.dtype.newbyteorder('=') == expected.dtype.newbyteorder('=')
        np.testing.assert_array_equal(actual, expected)
    elif isinstance(expected, torch.Tensor):
        torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    else:
        assert type(actual) is type(expected)
        assert actual == expected


@pytest.mark.parametrize('protocol', range(2, 6))
@pytest.mark.parametrize('key', CONTENT)
def test_round_trip(tmp_path, key, protocol):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps({key: CONTENT[key]}, protocol))
    assert_same(load_pickle(path)[key], CONTENT[key])


def test_module_names_of_both_numpy_generations(tmp_path):
    path = tmp_path / 'a.pkl'
    content = pickle.dumps([np.arange(3), np.float64(1.5)], 2)
    new, old = b'numpy._core.multiarray', b'numpy.core.multiarray'
    for text in (content.replace(new, old), content.replace(old, new)):
        path.write_bytes(text)
        array, number = load_pickle(path)
        assert array.tolist() == [0, 1, 2]
        assert number == 1.5


@pytest.mark.parametrize(
    'gadget',
    [
        Calls(os.system, 'touch executed'),
        Calls(eval, "open('executed', 'w')"),
        Calls(exec, "open('executed', 'w')"),
        Calls(getattr, os, 'system'),
        Calls(os.mkdir, 'executed'),
        Calls(open, 'executed', 'w'),
        Calls(torch.load, 'executed'),
        Calls(np.save, 'executed', 1),
        Calls(__import__, 'antigravity'),
    ],
    ids=lambda gadget: gadget.function.__name__,
)
@pytest.mark.parametrize('protocol', range(6))
def test_code_is_refused_not_executed(tmp_path, monkeypatch, gadget, protocol):
    monkeypatch.chdir(tmp_path)
    if gadget.function is getattr:
        gadget = Calls(getattr, 'text', 'upper')  # modules cannot be pickled
    (tmp_path / 'bad.pkl').write_bytes(pickle.dumps([gadget], protocol))
    with pytest.raises(ValueError, match=r'bad\.pkl: expected a pickle of plain data'):
        load_pickle('bad.pkl')
    assert not (tmp_path / 'executed').exists()
    assert not (tmp_path / 'executed.npy').exists()


def test_pickle_inside_a_storage_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(Calls(os.system, 'touch executed'), 'inner.pth')
    inner = (tmp_path / 'inner.pth').read_bytes()
    outer = Calls(torch.storage._load_from_bytes, inner)
    (tmp_path / 'bad.pkl').write_bytes(pickle.dumps(outer))
    with pytest.raises(ValueError, match=r'bad\.pkl: expected a pickle of plain data'):
        load_pickle('bad.pkl')
    assert not (tmp_path / 'executed').exists()


def test_text_codecs_are_not_reachable(tmp_path):
    """Protocol 2 writes bytes as a call of ``_codecs.encode``; no other codec runs."""
    import _codecs

    path = tmp_path / 'bad.pkl'
    path.write_bytes(pickle.dumps(Calls(_codecs.encode, 'text', 'utf-16'), 2))
    with pytest.raises(ValueError, match=r'bad\.pkl: expected a pickle of plain data'):
        load_pickle(path)


@pytest.mark.parametrize('protocol', range(2, 6))
def test_arrays_are_written_again_as_the_usual_ones(tmp_path, protocol):
    """What was read can be pickled for workers and saved, without our names in it."""
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(np.arange(3.0), protocol))
    again = pickle.dumps(load_pickle(tmp_path / 'a.pkl'), protocol)
    assert again == pickle.dumps(np.arange(3.0), protocol)


def test_gradients_and_hooks_are_left_out(tmp_path):
    tensor = torch.ones(3, requires_grad=True)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(tensor))
    assert load_pickle(tmp_path / 'a.pkl').numpy().tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    'path',
    ['tiny_dataset/ava_proposals_sample.pkl', 'tiny_eval/proposal.pkl'],
)
def test_published_proposals(real_data, path):
    path = real_data / 'annotations' / 'ava' / path
    expected = pickle.loads(path.read_bytes())
    actual = load_pickle(path)
    assert actual.keys() == expected.keys()
    for key, boxes in expected.items():
        assert_same(actual[key], boxes)


@pytest.fixture(scope='module', params=pickle_attacks.ATTACKS)
def outcomes(request, tmp_path_factory):
    """What became of each hostile file, each read in a process of its own."""
    folder = tmp_path_factory.mktemp('attacks')
    script = [pickle_attacks.__file__, request.param, str(folder)]
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', *script],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr
    assert not (folder / 'executed').exists()
    return request.param, json.loads(result.stdout)


def test_attacks_are_refused_and_end_no_process(outcomes):
    _, results = outcomes
    assert len(results) > 100
    wrong = {
        title: text
        for title, text in results.items()
        if not text.startswith('accepted' if title.startswith('fine: ') else 'refused')
    }
    assert wrong == {}


def test_every_name_that_is_served_is_attacked(outcomes):
    reader, results = outcomes
    served = set(PLAIN)
    if reader == 'torch.load':
        history = 'mmengine.logging.history_buffer.HistoryBuffer'
        served = {*ARRAYS, 'builtins.getattr', history}
        entries = torch.serialization.get_safe_globals()
        added = {entry[1] for entry in entries if isinstance(entry, tuple)}
        assert served <= added
    titles = [title for title in results if not title.startswith('fine: ')]
    missing = [name for name in served if not any(t.startswith(name) for t in titles)]
    assert missing == []


def test_every_truncation_names_the_file(tmp_path):
    path = tmp_path / 'part.pkl'
    content = pickle.dumps([{'scores': np.arange(3.0), 'id': 'clip'}] * 2, 2)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r'part\.pkl: expected a pickle'):
            load_pickle(path)


@pytest.mark.parametrize('content', [b'', b'not a pickle', b'\x80\x04\xff', b'(R.'])
def test_other_files(tmp_path, content):
    path = tmp_path / 'other.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'other\.pkl: expected a pickle'):
        load_pickle(path)


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r'none\.pkl: expected a pickle'):
        load_pickle(tmp_path / 'none.pkl')
