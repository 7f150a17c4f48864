"""The command ``mmattn`` runs our tools by verbs."""

import shlex
import subprocess
import sys

import pytest
from pages import BLOCK, ROOT, read

from mmattn.__main__ import VERBS, help_text, main, tools_root
from mmattn.version import __version__


def test_help_is_one_screen(capsys):
    assert main([]) == main(['--help']) == 0
    text = help_text()
    assert capsys.readouterr().out == f'{text}\n{text}\n'
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize('verb', VERBS)
def test_every_verb_is_a_tool(verb, monkeypatch, capsys):
    assert (tools_root() / VERBS[verb].script).is_file()
    monkeypatch.setattr(sys, 'argv', sys.argv)
    with pytest.raises(SystemExit) as error:
        main([verb, '--help'])
    assert not error.value.code
    assert capsys.readouterr().out.startswith(f'usage: mmattn {verb} ')


def test_unknown_verb(capsys):
    assert main(['reprot', 'x.pkl']) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: expected one of ')
    assert error.endswith("got 'reprot'; did you mean report?\n")


def test_version(capsys):
    assert main(['--version']) == 0
    assert capsys.readouterr().out == f'{__version__}\n'


def test_refusal_of_a_tool_is_one_sentence(tmp_path):
    command = [sys.executable, '-m', 'mmattn', 'check', str(tmp_path / 'none')]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    assert str(tmp_path / 'none') in result.stderr


def printed_commands():
    """Each line of a shell block of the documentation that calls the command."""
    for page in (ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))):
        for kind, code in BLOCK.findall(read(page)):
            for line in code.splitlines() if kind == 'shell' else ():
                words = shlex.split(line, comments=True)
                if words[:1] == ['mmattn']:
                    yield pytest.param(words[1:], id=f'{page.stem}: {" ".join(words)}')


@pytest.mark.parametrize('words', list(printed_commands()))
def test_printed_commands_have_verbs_and_options(words, monkeypatch, capsys):
    verb, *rest = words
    monkeypatch.setattr(sys, 'argv', sys.argv)
    with pytest.raises(SystemExit):
        main([verb, '--help'])
    text = capsys.readouterr().out
    for option in (word for word in rest if word.startswith('--')):
        assert option in text
