import io
import sys

import pytest

from mmattn.utils.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize('stream, few', [(io.StringIO, True), (Terminal, False)])
def test_log_files_get_few_lines(stream, few, monkeypatch):
    err = stream()
    monkeypatch.setattr(sys, 'stderr', err)
    clock = iter(range(10_000))
    bar = progress_bar(range(20), description='clips')
    monkeypatch.setattr(bar, '_time', lambda: next(clock))
    bar.last_print_t = bar.start_t = 0
    assert list(bar) == list(range(20))
    assert 'clips' in err.getvalue()
    assert '20/20' in err.getvalue()
    assert (err.getvalue().count('\r') <= 6) == few


def test_can_be_hidden(capsys):
    assert list(progress_bar('ab', shown=False)) == ['a', 'b']
    assert capsys.readouterr().err == ''
