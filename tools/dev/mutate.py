"""Change one line at a time, in a copy of the checkout, and see which test notices.

python tools/dev/mutate.py --configs 12 --code 12 --seed 0

Prints a line for each mutant: the place, the line before and after, and the first test
that failed, or SURVIVED.  The exit code is 1 if a mutant survived.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmattn.utils.command_line import run_tool, tool_parser

ROOT = Path(__file__).resolve().parents[2]
# Values that change how fast or how often something runs, never a result.
IDLE = {
    'num_workers',
    'persistent_workers',
    'interval',
    'max_keep_ckpts',
    'window_size',
}
IDLE |= {'opencv_num_threads', 'val_interval', 'val_begin', 'custom_imports', 'enable'}
CONFIG_TESTS = ('tests/test_protocols.py', 'tests/test_names.py', 'tests/reports')
CODE = ('models', 'evaluation', 'attention', 'datasets/transforms')
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """One changed line.

    Args:
        path: File, relative to the checkout.
        line: Number of the line, from 1.
        before: The line as it is.
        after: The line as it is tried.
    """

    path: Path
    line: int
    before: str
    after: str


def config_mutants(path: Path) -> Iterator[Mutant]:
    """Numbers, strings and truth values of a config, each changed in turn.

    Args:
        path: Config, relative to the checkout.
    """
    text = (ROOT / path).read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and node.arg not in IDLE:
            values = [node.value, *getattr(node.value, 'elts', ())]
            for value in values:
                if isinstance(value, ast.Constant) and value.value is not None:
                    yield from _replaced(path, text, value, repr(_other(value.value)))


def code_mutants(path: Path) -> Iterator[Mutant]:
    """Operators and numbers of a module, each changed in turn; no messages.

    Args:
        path: Module, relative to the checkout.
    """
    text = (ROOT / path).read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield from _replaced(path, text, node, repr(_other(node.value)))
        elif isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in SWAPS:
            node.op = SWAPS[type(node.op)]()  # type: ignore[assignment]
            yield from _replaced(path, text, node, f'({ast.unparse(node)})')
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            node.ops[0] = SWAPS[type(node.ops[0])]()  # type: ignore[call-overload]
            yield from _replaced(path, text, node, ast.unparse(node))


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value * 2 if value else 1
    return f'{value}x'


def _replaced(path: Path, text: str, node: ast.expr, new: str) -> Iterator[Mutant]:
    if node.lineno != node.end_lineno:
        return
    before = text.splitlines()[node.lineno - 1]
    raw = before.encode()
    after = raw[: node.col_offset] + new.encode() + raw[node.end_col_offset :]
    yield Mutant(path, node.lineno, before, after.decode())


def tests_of(path: Path) -> list[str]:
    """Files of tests that are about a file: its own, else those of its folder.

    Args:
        path: File, relative to the checkout.
    """
    if path.parts[0] == 'configs':
        return list(CONFIG_TESTS)
    folder = Path('tests', *path.parts[1:-1])
    own = folder / f'test_{path.stem}.py'
    return [str(own if (ROOT / own).exists() else folder)]


def killer_of(mutant: Mutant, copy: Path) -> str | None:
    """Change the line, run its tests and name the first that fails, None if none does.

    Args:
        mutant: The changed line.
        copy: Copy of the checkout; restored afterwards.
    """
    file = copy / mutant.path
    kept = file.read_text()
    lines = kept.splitlines(keepends=True)
    lines[mutant.line - 1] = mutant.after + '\n'
    file.write_text(''.join(lines))
    try:
        return first_failure(tests_of(mutant.path), copy)
    finally:
        file.write_text(kept)


def first_failure(tests: list[str], copy: Path) -> str | None:
    """Run tests in a copy of the checkout; return the name of the first that fails.

    Args:
        tests: Files or folders.
        copy: The copy.
    """
    command = [sys.executable, '-m', 'pytest', '-x', '-q', '-p', 'no:cacheprovider']
    command += ['-n', '0', '-m', 'not slow and not rows', *tests]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env={**os.environ, 'PYTHONPATH': str(copy)},
            capture_output=True,
            text=True,
            timeout=900,
        )
    except subprocess.TimeoutExpired:
        return 'a test that hangs'
    if done.returncode == 0:
        return None
    found = re.search(r'^(?:FAILED|ERROR) (\S+)', done.stdout, re.M)
    return found[1] if found else done.stdout.strip().splitlines()[-1]


def tracked_files(*folders: str) -> list[str]:
    """Files that git tracks, relative to the checkout.

    Args:
        folders: Folders to look in; all by default.
    """
    command = ['git', 'ls-files', *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def choose(count: int, pattern: str, folders: list[str], rng: random.Random) -> list:
    """Draw files at random, and a mutant of each.

    Args:
        count: How many.
        pattern: ``'configs'`` or ``'code'``.
        folders: Folders to draw from, relative to the checkout.
        rng: Source of chance.
    """
    paths = [
        Path(name)
        for name in tracked_files(*folders)
        if name.endswith('.py') and '__init__' not in name
    ]
    mutate = config_mutants if pattern == 'configs' else code_mutants
    drawn: list[Mutant] = []
    while len(drawn) < count:
        mutants = list(mutate(rng.choice(paths)))
        if mutants:
            drawn.append(rng.choice(mutants))
    return drawn


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    parser.add_argument('--configs', type=int, default=12, help='mutants of configs')
    parser.add_argument('--code', type=int, default=12, help='mutants of the package')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Run the tool."""
    args = parse_args()
    rng = random.Random(args.seed)
    mutants = choose(args.configs, 'configs', ['configs'], rng)
    mutants += choose(args.code, 'code', [f'mmattn/{x}' for x in CODE], rng)
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, 'checkout')
        for name in tracked_files():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
        for tests in {tuple(tests_of(mutant.path)) for mutant in mutants}:
            fault = first_failure(list(tests), copy)
            if fault:
                raise ValueError(f'expected tests that pass unchanged, got {fault}')
        for mutant in mutants:
            killer = killer_of(mutant, copy)
            survived += killer is None
            print(f'{mutant.path}:{mutant.line}: {killer or "SURVIVED"}')
            print(
                f'    - {mutant.before.strip()}\n    + {mutant.after.strip()}',
                flush=True,
            )
    print(f'{len(mutants) - survived} of {len(mutants)} mutants killed')
    return int(survived > 0)


if __name__ == '__main__':
    sys.exit(run_tool(main))
