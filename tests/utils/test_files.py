"""Files are written whole or not at all."""

import pytest

from mmattn.utils.files import replaced_atomically


def test_success_replaces_and_makes_folders(tmp_path):
    path = tmp_path / 'new' / 'list.txt'
    for content in ('first', 'second'):
        with replaced_atomically(path) as part:
            part.write_text(content)
            assert not path.exists() or path.read_text() == 'first'
        assert path.read_text() == content
    assert [file.name for file in path.parent.iterdir()] == ['list.txt']


def write_half_of(path):
    with replaced_atomically(path) as part:
        part.write_text('half')
        raise RuntimeError('power')


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError, match='power'):
        write_half_of(path)
    assert path.read_text() == 'old'
    assert [file.name for file in tmp_path.iterdir()] == ['list.txt']


def test_failure_leaves_no_file_where_none_was(tmp_path):
    path = tmp_path / 'list.txt'
    with pytest.raises(RuntimeError, match='power'):
        write_half_of(path)
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_path_do_not_meet(tmp_path):
    path = tmp_path / 'list.txt'
    with replaced_atomically(path) as first, replaced_atomically(path) as second:
        first.write_text('first')
        second.write_text('second')
        assert first != second
    assert path.read_text() == 'first'  # which finished last
    assert [file.name for file in tmp_path.iterdir()] == ['list.txt']
