"""The command line of our tools: a parser made of the docstring, and refusals."""

import argparse
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

# Of the installed stack, about itself; a user cannot act on them.
STACK_WARNINGS = (
    'pkg_resources is deprecated',
    'Fail to import ``MultiScaleDeformableAttention``',
    '``MultiScaleDeformableAttention`` has been moved',
    'The torchvision.datapoints and torchvision.transforms.v2 namespaces',
    '`torch.jit',
    'torch.meshgrid: in an upcoming release',
)
TRACEBACK = 'MMATTN_TRACEBACK'
COMMAND = re.compile(r'^(?:Example: )?(python \S+\.py.*(?:\n +\S.*)*)$', re.M)


class _Formatter(argparse.HelpFormatter):
    """Wraps text as usual, keeps the examples' lines, and shows defaults."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith('example'):
            return text
        fill = super()._fill_text
        return '\n\n'.join(fill(part, width, indent) for part in text.split('\n\n'))

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ''
        value = action.default
        is_none = (
            value is None or value is False or value in (argparse.SUPPRESS, [], ())
        )
        if is_none or not action.option_strings or 'default' in text:
            return action.help
        if isinstance(value, (list, tuple)):
            value = ' '.join(map(str, value))
        return f'{text} (default: {str(value).replace("%", "%%")})'


def tool_parser(
    doc: str | None, *, description: str | None = None, **options: Any
) -> argparse.ArgumentParser:
    r"""Make the parser of a tool.

    Args:
        doc: The tool's docstring. Its lines ``python tools/... `` become the examples
            at the end of the help, each on a line of its own; the rest is the text
            above the arguments.
        description: Stands above the arguments in place of the docstring's text.
        **options: More arguments of ``argparse.ArgumentParser``.

    Returns:
        A parser whose help shows the default of each option that has one.

    Example:
        >>> parser = tool_parser('Do it.\n\npython tools/do.py IN --times 3\n')
        >>> _ = parser.add_argument('--times', type=int, default=1, help='how often')
        >>> print(parser.format_help().partition('options:')[2])
        <BLANKLINE>
          -h, --help     show this help message and exit
          --times TIMES  how often (default: 1)
        <BLANKLINE>
        example:
          python tools/do.py IN --times 3
        <BLANKLINE>
    """
    doc = doc or ''
    commands = [match[1] for match in COMMAND.finditer(doc)]
    lines = textwrap.indent('\n'.join(commands), '  ')
    title = 'example:' if len(commands) == 1 else 'examples:'
    text = description or re.sub(r'\n{3,}', '\n\n', COMMAND.sub('', doc))
    return argparse.ArgumentParser(
        description=text.strip(),
        epilog=f'{title}\n{lines}' if commands else None,
        formatter_class=_Formatter,
        **options,
    )


def run_tool(main: Callable[[], int | None]) -> int:
    """Run a tool, which ends with one sentence where it refuses its input.

    Refusals are errors of files and of missing packages, and those that read
    "expected ..., got ..."; any other error is a fault of the program and keeps its
    traceback, as all do where the environment variable ``MMATTN_TRACEBACK`` is set.

    Args:
        main: The tool; returns its exit code, None for 0.

    Returns:
        The exit code, 2 for a refusal.

    Example:
        >>> def refuse():
        ...     raise ValueError('--size: expected 2 numbers, got 3')
        >>> run_tool(refuse)
        2
    """
    silence_stack()
    try:
        return main() or 0
    except Exception as error:
        if os.environ.get(TRACEBACK) or not is_refusal(error):
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2


def tell_files(files: Iterable[object], broken: Sequence[str]) -> int:
    """Print the files that a tool wrote, and what it could not read.

    Args:
        files: Paths of the files.
        broken: A message for each input that is left out.

    Returns:
        The exit code, 1 if something is left out.

    Example:
        >>> tell_files(['a.png', 'b.png'], [])
        a.png
        b.png
        0
    """
    for file in files:
        print(file)
    for message in broken:
        print(f'broken: {message}', file=sys.stderr)
    return 1 if broken else 0


def is_refusal(error: BaseException) -> bool:
    """Say whether an error tells users what is wrong with their input."""
    if isinstance(error, (ImportError, OSError)):
        return True
    text = str(error)
    ours = isinstance(error, (TypeError, ValueError)) and ' got ' in text
    return ours or (isinstance(error, KeyError) and 'is not in the' in text)


def silence_stack() -> None:
    """Silence, by name, the warnings of the installed stack about itself."""
    for message in STACK_WARNINGS:
        warnings.filterwarnings('ignore', message=f'.*{re.escape(message)}')
