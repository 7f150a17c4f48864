"""Every command of the documentation, as printed, against the program it calls."""

import argparse
import functools
import os
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import mmaction
import pytest
from click import ClickException
from packaging.requirements import Requirement
from pages import BLOCK, ROOT, SPAN, blocks, read

from mmattn.__main__ import VERBS
from mmattn.utils.configs import configs_root

TOOLS = ROOT / 'tools'
PAGES = [
    *(ROOT / f'{name}.md' for name in ('README', 'CHANGELOG', 'CONTRIBUTING')),
    *sorted((ROOT / 'docs').glob('*.md')),
    *sorted((ROOT / 'configs').rglob('README.md')),
]
PLACEHOLDERS = {'RANK': '0', 'HOST': 'localhost'}
NAMES = {path.name for path in configs_root().rglob('*.py')}
GIVEN = re.compile(r'(NAME|mine|CONFIG|two_stream|sharded)(\.py)?|work_dirs/.+\.py')

pages = pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))


class Parsed(BaseException):
    """Ends a tool once its arguments are read."""


def commands(page: Path) -> list[list[str]]:
    """Words of each command in the shell blocks of a page."""
    found = []
    for block in blocks(page, 'shell'):
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            if words:
                found.append(words)
    return found


def in_text(page: Path) -> list[list[str]]:
    """Words of each code span that names a tool of ours."""
    spans = SPAN.findall(BLOCK.sub('', read(page)))
    start = ('python tools/', 'mim run mmattn ')
    return [shlex.split(span) for span in spans if span.startswith(start)]


def find_tool(name: str, package: str = 'mmattn') -> Path:
    host = Path(mmaction.__file__).parent / '.mim' / 'tools'
    (tool,) = (TOOLS if package == 'mmattn' else host).rglob(f'{name}.py')
    return tool


def parse(tool: Path, words: list[str]) -> None:
    """Let a tool read its arguments, and nothing more."""
    # two_stream.py hands what it does not know on to test.py
    name = 'parse_known_args' if tool.name == 'two_stream.py' else 'parse_args'
    original = getattr(argparse.ArgumentParser, name)

    def parse_and_end(self, *args, **options):
        original(self, *args, **options)
        raise Parsed

    assert tool.is_file(), tool
    run_with(name, parse_and_end, tool, words)


def run_with(name: str, method: Callable, tool: Path, words: Sequence[str]) -> None:
    """Run a tool up to a method of its parsers that ends it."""
    with (
        mock.patch.object(argparse.ArgumentParser, name, method),
        mock.patch.object(sys, 'argv', [str(tool), *words]),
        mock.patch.object(sys, 'path', [str(tool.parent), *sys.path]),
        mock.patch.dict(os.environ),
        pytest.raises(Parsed),
    ):
        runpy.run_path(str(tool), run_name='__main__')


@functools.cache
def options_of(tool: Path) -> set[str]:
    """Options of a tool, of all parsers that it uses."""
    found: set[str] = set()
    original = argparse.ArgumentParser.parse_known_args

    def parse_known_args(self, *args, **options):
        found.update(self._option_string_actions)
        if self.add_help:
            raise Parsed
        return original(self, *args, **options)  # ours, before the host's

    run_with('parse_known_args', parse_known_args, tool, ())
    return found


def check_python(words: list[str]) -> None:
    words = [word for word in words if word != '-u']
    assert words[0].startswith(('tools/', 'benchmarks/')), words
    script, rest = ROOT / words[0], words[1:]
    if rest or script.is_relative_to(TOOLS):
        parse(script, rest)
    else:  # a benchmark without options
        assert script.is_file()


def check_torchrun(words: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    text = shlex.join(words)
    for name, value in PLACEHOLDERS.items():
        text = text.replace(f'={name}', f'={value}')
    args = get_args_parser().parse_args(shlex.split(text))
    check_python([args.training_script, *args.training_script_args])


def check_config(name: str) -> None:
    assert name in NAMES or GIVEN.fullmatch(name) or (ROOT / name).is_file(), name


def check_mim(words: list[str]) -> None:
    verb, package, *rest = words
    assert package in ('mmattn', 'mmaction2'), words
    if verb == 'run':
        return parse(find_tool(rest[0], package), rest[1:])
    if verb not in ('train', 'test'):
        assert verb in ('install', 'search', 'download', 'gridsearch'), words
        return None
    reason = "openmim, of the developer's tools"
    module = pytest.importorskip(f'mim.commands.{verb}', reason=reason)
    found = module.cli.make_context(verb, words[1:]).params
    check_config(found['config'])
    checkpoint = ['FILE.pth'] if verb == 'test' else []
    parse(TOOLS / f'{verb}.py', [found['config'], *checkpoint, *found['other_args']])
    return None


def check_mmattn(words: list[str]) -> None:
    parse(TOOLS / VERBS[words[0]].script, words[1:])


def check_make(words: list[str]) -> None:
    verbs = re.findall(r'^([a-z][a-z-]*):', read(ROOT / 'Makefile'), re.M)
    goals = [word for word in words if '=' not in word]
    assert set(goals) <= set(verbs), words


def check_pip(words: list[str]) -> None:
    verb, *rest = words
    assert verb in ('install', 'uninstall'), words
    extras = re.findall(r'^(\w+) = \[', read(ROOT / 'pyproject.toml'), re.M)
    for word, before in zip(rest, [verb, *rest], strict=False):
        if before == '-c':
            assert (ROOT / word).is_file(), word
        elif word.startswith('.'):
            asked = re.findall(r'\w+', word)
            assert set(asked) <= set(extras), word
        elif not word.startswith('-'):
            Requirement(word)


def check_srun(words: list[str]) -> None:
    check_python(words[words.index('python') + 1 :])


def check_setup(words: list[str]) -> None:
    assert words[0] in ('user', 'dev', 'compiled')


CHECKS = {
    'make': check_make,
    'mim': check_mim,
    'mmattn': check_mmattn,
    'pip': check_pip,
    'python': check_python,
    'srun': check_srun,
    'tools/setup_env.sh': check_setup,
    'torchrun': check_torchrun,
}


def check(words: list[str]) -> None:
    while words and re.match('export$|[A-Z_]+=', words[0]):
        words = words[1:]
    if words:
        assert words[0] in CHECKS, f'no check of {words[0]}'
        CHECKS[words[0]](words[1:])


@pages
def test_commands_are_understood(page):
    """By the parsers of the programs; what they do is for the tests of each."""
    for words in commands(page):
        check(words)


@pages
def test_options_in_the_text_exist(page):
    for words in in_text(page):
        script = words[1] if words[0] == 'python' else find_tool(words[3])
        asked = {word.split('=')[0] for word in words if word.startswith('--')}
        assert asked <= options_of(ROOT / script), words


def test_commands_are_found():
    found = commands(ROOT / 'README.md')
    assert len(found) > 10
    assert {'mim', 'python', 'make', 'pip'} <= {words[0] for words in found}
    assert ['mim', 'run', 'mmattn', 'attention'] in [
        words for page in PAGES for words in in_text(page)
    ]


@pytest.mark.parametrize(
    'command',
    [
        'python tools/analysis/fuse_scores.py a.pkl --no-such-option',
        'python tools/train.py',
        'python tools/train.py CONFIG --split 4',
        'python tools/no_such_tool.py',
        'mim run mmattn no_such_tool',
        'mim train mmattn no-such-config.py',
        'mim train mmattn NAME.py --gpus many',
        'make nothing',
        'pip install ".[no-such-extra]"',
        'cp a b',
    ],
)
def test_mistakes_are_seen(command):
    with pytest.raises((AssertionError, SystemExit, ValueError, ClickException)):
        check(shlex.split(command))
