"""Parsers of tools, and how tools end."""

import argparse
import sys
import warnings
from pathlib import Path

import pytest

from mmattn.utils.command_line import (
    is_refusal,
    run_tool,
    tell_files,
    tool_parser,
)

DOC = """Count frames.

python tools/count.py VIDEO --step 2
    --out frames.csv
python tools/count.py --list

The second prints what there is.
"""


def test_examples_keep_their_lines():
    text = tool_parser(DOC, prog='count.py').format_help()
    before, _, examples = text.partition('examples:\n')
    assert examples.splitlines() == [
        '  python tools/count.py VIDEO --step 2',
        '      --out frames.csv',
        '  python tools/count.py --list',
    ]
    assert 'Count frames.\n\nThe second prints what there is.\n' in before
    assert 'tools/count.py' not in before


def test_another_description():
    text = tool_parser(DOC, description='Count them.').format_help()
    assert 'Count them.' in text
    assert 'Count frames.' not in text


def help_of(*names, **options) -> str:
    parser = tool_parser('Do.')
    parser.add_argument(*names, **options)
    return parser.format_help()


@pytest.mark.parametrize(
    'options, shown',
    [
        (dict(default=3, help='how many'), 'how many (default: 3)'),
        (dict(default=[1, 2], help='which'), 'which (default: 1 2)'),
        (dict(default='50%', help='share'), 'share (default: 50%)'),
        (dict(default=0, help='first'), 'first (default: 0)'),
        (dict(default=4, help='size; by default 4'), 'size; by default 4\n'),
        (dict(default=None, help='any'), 'any\n'),
        (dict(action='store_true', help='draw'), 'draw\n'),
        (dict(default=argparse.SUPPRESS, help='more'), 'more\n'),
    ],
)
def test_defaults(options, shown):
    assert shown in help_of('--x', **options)


def fail(error: BaseException):
    raise error


@pytest.mark.parametrize(
    'error',
    [
        ValueError('--x: expected 1, got 2'),
        TypeError('x: expected a number, got a list'),
        FileNotFoundError(2, 'No such file or directory', 'a.csv'),
        ImportError('expected onnx, got none'),
        KeyError('mmattn.X is not in the model registry'),
    ],
    ids=lambda error: type(error).__name__,
)
def test_refusals_are_one_sentence(error, capsys, monkeypatch):
    monkeypatch.delenv('MMATTN_TRACEBACK', raising=False)
    assert run_tool(lambda: fail(error)) == 2
    assert capsys.readouterr().err == f'error: {error}\n'
    monkeypatch.setenv('MMATTN_TRACEBACK', '1')
    with pytest.raises(type(error)):
        run_tool(lambda: fail(error))


@pytest.mark.parametrize(
    'error', [ValueError('shapes do not fit'), KeyError('x'), RuntimeError('got none')]
)
def test_faults_of_the_program_keep_their_traceback(error):
    assert not is_refusal(error)
    with pytest.raises(type(error)):
        run_tool(lambda: fail(error))


def test_exit_codes():
    assert run_tool(lambda: None) == 0
    assert run_tool(lambda: 3) == 3
    with pytest.raises(SystemExit, match='stopped'):
        run_tool(lambda: sys.exit('stopped'))


def test_files_and_what_is_left_out(capsys):
    assert tell_files([Path('a.png')], ['b.mp4: no frames']) == 1
    assert capsys.readouterr() == ('a.png\n', 'broken: b.mp4: no frames\n')
    assert tell_files([], []) == 0


def test_only_named_warnings_are_silenced():
    def main() -> None:
        warnings.warn('pkg_resources is deprecated as an API.')
        warnings.warn('the file is old')

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        run_tool(main)
    assert [str(one.message) for one in seen] == ['the file is old']
