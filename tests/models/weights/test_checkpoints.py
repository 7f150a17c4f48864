"""A run goes on from the newest checkpoint that is whole, and never loses one."""

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import checkpoint_hook
from tiny_runs import tiny_config

from mmattn.models.weights.checkpoints import checkpoint_fault, find_whole_checkpoint
from mmattn.testing import build_runner


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp('run') / 'finished'
    build_runner(tiny_config(steps=3), folder).train()
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of a finished run whose `last_checkpoint` names a file of the copy."""
    copy = Path(shutil.copytree(finished, tmp_path / 'copy'))
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_3.pth'))
    return copy


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    place = data.index(b'state_dict')
    data[place] ^= 1
    path.write_bytes(data)


@pytest.fixture
def warnings(monkeypatch):
    texts = []
    monkeypatch.setattr('mmattn.models.weights.checkpoints._warn', texts.append)
    return texts


def test_the_named_file_is_taken_without_a_word(folder, warnings):
    assert find_whole_checkpoint(folder) == str(folder / 'epoch_3.pth')
    assert warnings == []


@pytest.mark.parametrize('damage', [halve, flip_a_bit, os.remove])
def test_damaged_file_gives_way_to_the_one_before(folder, warnings, damage):
    damage(folder / 'epoch_3.pth')
    assert find_whole_checkpoint(folder) == str(folder / 'epoch_2.pth')
    (text,) = warnings
    assert f'going on from {folder / "epoch_2.pth"}' in text
    assert 'epoch_3.pth: ' in text


@pytest.mark.parametrize('content', ['', '/nowhere/epoch_9.pth', 'epoch_', '\x00\xff'])
def test_useless_marker(folder, warnings, content):
    (folder / 'last_checkpoint').write_bytes(content.encode('latin-1'))
    assert find_whole_checkpoint(folder) == str(folder / 'epoch_3.pth')
    assert len(warnings) == 1


def test_marker_is_lost(folder, warnings):
    (folder / 'last_checkpoint').unlink()
    assert find_whole_checkpoint(folder) == str(folder / 'epoch_3.pth')
    assert 'there is no last_checkpoint' in warnings[0]


def test_folder_was_moved_or_copied(finished, tmp_path, warnings):
    copy = Path(shutil.copytree(finished, tmp_path / 'copy'))
    assert find_whole_checkpoint(copy) == str(copy / 'epoch_3.pth')
    assert 'beside it' in warnings[0]


def test_nothing_saved_yet(tmp_path):
    assert find_whole_checkpoint(tmp_path) is None


def test_no_whole_file_is_refused(folder):
    for path in folder.glob('*.pth'):
        halve(path)
    with pytest.raises(ValueError, match=r'resume: expected a whole .*got none'):
        find_whole_checkpoint(folder)


def test_best_has_no_optimizer_and_is_not_resumed_from(folder):
    for path in folder.glob('epoch_*.pth'):
        path.unlink()
    assert list(folder.glob('best_*.pth'))
    with pytest.raises(ValueError, match='expected a whole checkpoint'):
        find_whole_checkpoint(folder)


@pytest.mark.parametrize(
    'content', [b'', b'<html>', b'PK\x03\x04' + bytes(99)], ids=['no', 'page', 'zip']
)
def test_other_files_are_no_checkpoints(tmp_path, content):
    (tmp_path / 'a.pth').write_bytes(content)
    assert 'expected a file written by torch.save' in checkpoint_fault(
        tmp_path / 'a.pth'
    )


def test_resumed_from_the_one_before_ends_equal(finished, folder):
    expected = torch.load(finished / 'epoch_3.pth')['state_dict']
    halve(folder / 'epoch_3.pth')
    cfg = tiny_config(steps=3)
    cfg.resume = True
    build_runner(cfg, folder).train()
    found = torch.load(folder / 'epoch_3.pth')['state_dict']
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def test_best_of_the_folder_copied_from_stays(tmp_path):
    source, copy = tmp_path / 'source', tmp_path / 'copy'
    build_runner(tiny_config(steps=2), source).train()
    shutil.copytree(source, copy)
    before = sorted(source.rglob('*'))
    cfg = tiny_config(steps=8, lr=0.2)
    cfg.resume = True
    build_runner(cfg, copy).train()
    assert sorted(source.rglob('*')) == before
    assert 'epoch_2' not in next(copy.glob('best_*.pth')).name


def test_file_is_whole_or_not_written(tmp_path, monkeypatch):
    path = tmp_path / 'file.pth'
    backend = LocalBackend()
    backend.put(b'old', path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=r'No space left on device.*file\.pth'):
        backend.put(b'new', path)
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_link_and_device_stay_what_they_are(tmp_path):
    backend = LocalBackend()
    link = tmp_path / 'link.pth'
    link.symlink_to(tmp_path / 'target.pth')
    backend.put(b'new', link)
    assert link.is_symlink()
    assert (tmp_path / 'target.pth').read_bytes() == b'new'
    pipe = tmp_path / 'pipe'
    pipe.symlink_to(os.devnull)
    backend.put(b'new', pipe)
    assert not Path(os.devnull).is_file()


def test_marker_is_written_whole(tmp_path):
    path = tmp_path / 'last_checkpoint'
    path.write_text('old')

    def die_writing():
        with checkpoint_hook.open(str(path), 'w') as file:
            file.write('half of a na')
            file.flush()
            raise RuntimeError('stopped')

    with pytest.raises(RuntimeError, match='stopped'):
        die_writing()
    assert path.read_text() == 'old'


@pytest.mark.parametrize('keep', [1, 2])
def test_old_checkpoints_go_after_the_new_ones(tmp_path, monkeypatch, keep):
    """At each moment, a whole checkpoint and the best one are there."""
    events = []
    put, remove = LocalBackend.put, LocalBackend.remove

    def named(path):
        return Path(path).name.split('_')[0]

    def watched_put(self, obj, path):
        put(self, obj, path)
        events.append(('put', named(path)))

    def watched_remove(self, path):
        assert Path(path).is_file()
        others = [x for x in tmp_path.glob(f'{named(path)}*.pth') if x != Path(path)]
        assert len(others) >= (keep if named(path) == 'epoch' else 1)
        remove(self, path)
        events.append(('remove', named(path)))

    monkeypatch.setattr(LocalBackend, 'put', watched_put)
    monkeypatch.setattr(LocalBackend, 'remove', watched_remove)
    build_runner(tiny_config(steps=6, keep=keep, lr=0.2), tmp_path).train()
    assert ('remove', 'best') in events
    assert events.count(('remove', 'epoch')) == 6 - keep
    assert len(list(tmp_path.glob('best_*.pth'))) == 1
    assert len(list(tmp_path.glob('epoch_*.pth'))) == keep
