"""Work that goes on where an interrupted run has stopped."""

from mmattn.utils.journal import file_state, remembered


def test_only_new_keys_are_computed(tmp_path):
    journal = tmp_path / 'folder' / 'journal.jsonl'

    def run(*keys):
        results = remembered(sorted, keys, journal, workers=1)
        return {tuple(key): result for key, result in results}

    assert run([3, 1], [2, 0]) == {(3, 1): [1, 3], (2, 0): [0, 2]}
    first = journal.read_text()
    assert run([2, 0]) == {(2, 0): [0, 2]}
    assert journal.read_text() == first
    journal.write_text(first.replace('[1, 3]', '["remembered"]'))
    assert run([3, 1], [5, 4]) == {(3, 1): ['remembered'], (5, 4): [4, 5]}


def test_the_half_line_of_an_interrupted_run(tmp_path):
    journal = tmp_path / 'journal.jsonl'
    journal.write_text('[[2, 1], [1, 2]]\n[[4, 3], [3,')
    for _ in range(2):
        found = remembered(sorted, [[4, 3], [2, 1]], journal, workers=1)
        assert sorted(found) == [([2, 1], [1, 2]), ([4, 3], [3, 4])]
    assert len(journal.read_text().splitlines()) == 3


def test_the_state_of_a_file_changes_with_it(tmp_path):
    path = tmp_path / 'a'
    path.write_text('a')
    before = file_state(path)
    path.write_text('ab')
    assert file_state(path) != before
