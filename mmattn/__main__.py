"""The command ``mmattn``: a verb, and what its tool takes.

A verb is one of our tools: ``mmattn report ...``, ``mim run mmattn report ...`` and, in
a checkout, ``python tools/analysis/report.py ...`` are the same.
"""

import difflib
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from mmattn.version import __version__


class Verb(NamedTuple):
    """What a verb stands for.

    Args:
        script: The tool, in the folder ``tools``.
        does: What it does, in one line of the help.
    """

    script: str
    does: str


VERBS = {
    'train': Verb('train_folder.py', 'train on a folder of videos, test, write a page'),
    'predict': Verb('predict.py', 'say what videos show, also over time'),
    'attach': Verb('attach.py', 'put attention into a trained network of MMAction2'),
    'models': Verb('models.py', 'list systems, networks and attention modules'),
    'show': Verb('visualization/attention.py', 'draw what models attend to in videos'),
    'explain': Verb('visualization/explain.py', 'say whether maps explain the model'),
    'report': Verb('analysis/report.py', 'write a page about a test'),
    'compare': Verb(
        'analysis/compare.py', 'train systems and their twins without attention'
    ),
    'export': Verb('deployment/export.py', 'write a model as ONNX or as a program'),
    'check': Verb('data/check_videos.py', 'find videos that decord reads wrongly'),
    'rows': Verb('paper_rows.py', "list the rows of the papers' tables as commands"),
}


def tools_root() -> Path:
    """Return the folder of our tools, in a checkout or an installed package."""
    package = Path(__file__).resolve().parent
    installed = package / '.mim' / 'tools'
    return installed if installed.is_dir() else package.parent / 'tools'


def help_text() -> str:
    """Return the help, one screen."""
    width = max(map(len, VERBS)) + 2
    lines = [f'  {name:<{width}}{verb.does}' for name, verb in VERBS.items()]
    return '\n'.join(
        [
            'usage: mmattn VERB ...',
            '',
            'Attention for video action recognition.',
            '',
            *lines,
            '',
            '`mmattn VERB --help` says what a verb takes. `mim train mmattn` and',
            '`mim test mmattn` run any config.',
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool of a verb.

    Args:
        argv: Arguments; those of the process where it is None.

    Returns:
        The exit code where no tool is run; a tool ends the process itself.
    """
    verb, *rest = (sys.argv[1:] if argv is None else list(argv)) or ['--help']
    if verb in ('-h', '--help', 'help'):
        print(help_text())
        return 0
    if verb == '--version':
        print(__version__)
        return 0
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f'; did you mean {near[0]}?' if near else ''
        expected = f'expected one of {", ".join(VERBS)}, got {verb!r}{hint}'
        print(f'error: {expected}', file=sys.stderr)
        return 2
    sys.argv = [f'mmattn {verb}', *rest]  # usage lines name the command
    path = str(tools_root() / VERBS[verb].script)
    SourceFileLoader('__main__', path).exec_module(ModuleType('__main__'))
    return 0


if __name__ == '__main__':
    sys.exit(main())
