"""Build each environment that the README lists in turn, and run in it what must hold.

python .ci/matrix.py [CELL ...] [--python 3.14=/path/to/python3.14]

What the last commit holds is installed.  Each environment is removed afterwards.
Results lie in .matrix/; a cell that passed with the same commit is not run again, so an
interrupted matrix goes on.  Ends with the table of all results, in Markdown.  uv
installs if it is on the PATH, else pip.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / '.matrix'
CONSTRAINTS = ROOT / 'tools' / 'constraints.txt'
OLDEST = ROOT / '.ci' / 'oldest.txt'


class Cell(NamedTuple):
    """One environment.

    Args:
        python: Version of the interpreter.
        torch: Requirement of torch.
        constraints: File of versions to keep to, None for the newest of all.
    """

    python: str
    torch: str
    constraints: Path | None


CELLS = {
    'oldest': Cell('3.10', 'torch==2.6.0', OLDEST),
    'pinned': Cell('3.11', 'torch==2.13.0', CONSTRAINTS),
    '3.10': Cell('3.10', 'torch==2.13.0', CONSTRAINTS),
    '3.12': Cell('3.12', 'torch==2.13.0', CONSTRAINTS),
    '3.13': Cell('3.13', 'torch==2.13.0', CONSTRAINTS),
    'newest': Cell('3.14', 'torch', None),
}


def find_python(wanted: str, given: dict[str, str]) -> str | None:
    """Return an interpreter of a version: the one given, of the PATH, or of pyenv."""
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv')) / 'versions'
    found = [given.get(wanted), shutil.which(f'python{wanted}')]
    found += [str(path) for path in sorted(pyenv.glob(f'{wanted}.*/bin/python'))]
    ask = 'import sys; print(*sys.version_info[:2], sep=".")'
    for python in filter(None, found):
        answer = subprocess.run([python, '-c', ask], capture_output=True, text=True)
        if answer.stdout.strip() == wanted:
            return python
    return None


def fingerprint() -> str:
    """Name the files of the last commit, which are those installed."""
    command = ['git', '-C', str(ROOT), 'rev-parse', 'HEAD^{tree}']
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip()


def install(cell: Cell, python: str, venv: Path, log: Path) -> str:
    """Make the environment of a cell as docs/install.md says; return the interpreter.

    Raises:
        RuntimeError: If a command fails, with its last lines.
    """
    inside = str(venv / 'bin' / 'python')
    uv = shutil.which('uv')
    tool = [uv, 'pip', 'install', '--python', inside] if uv else None
    tool = tool or [inside, '-m', 'pip', 'install', '--disable-pip-version-check']
    keep = ['-c', str(cell.constraints)] if cell.constraints else []
    upgrade = [] if cell.constraints else ['-U']
    source = venv.parent / 'source'  # building leaves files behind
    clone = ['git', 'clone', '-q', str(ROOT), str(source)]
    steps = [
        [python, '-m', 'venv', str(venv)],
        [*tool, '-U', 'pip', 'setuptools<81', 'wheel'],
        [*tool, *keep, *upgrade, cell.torch],
        clone,
        [*tool, *keep, f'{source}[lite,export]', 'setuptools<81', 'openmim'],
    ]
    for step in steps:
        with open(log, 'a') as output:
            output.write(f'$ {" ".join(step)}\n')
            output.flush()
            code = subprocess.run(step, stdout=output, stderr=output).returncode
        if code:
            tail = log.read_text(errors='replace').splitlines()[-5:]
            raise RuntimeError(
                '\n'.join([f'{" ".join(step)}: exit code {code}', *tail])
            )
    return inside


def run_cell(name: str, python: str) -> dict:
    """Build, check and remove the environment of a cell; return the results."""
    cell, work = CELLS[name], STATE / 'work' / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    result, start = work / 'result.json', time.perf_counter()
    found: dict = dict(versions={}, checks={})
    try:
        inside = install(cell, python, work / 'venv', STATE / f'{name}.log')
        built = time.perf_counter() - start
        script = str(ROOT / '.ci' / 'cell.py')
        env = dict(os.environ, OMP_NUM_THREADS='1', MPLBACKEND='Agg')
        subprocess.run([inside, script, str(work / 'folder'), str(result)], env=env)
        found = json.loads(result.read_text()) if result.exists() else found
        found['built'] = round(built)
    except RuntimeError as error:
        found['checks']['install'] = str(error)
    finally:
        shutil.rmtree(work)
    found['seconds'] = round(time.perf_counter() - start)
    return found


def passed(result: dict) -> bool:
    """Say whether every check of a cell was run and held."""
    checks = result['checks']
    return bool(checks) and all(outcome == 'ok' for outcome in checks.values())


def table(results: dict[str, dict]) -> str:
    """Return the table of all results, in Markdown."""
    names = ('python', 'torch', 'mmcv-lite', 'mmengine', 'numpy', 'av')
    lines = [f'| cell | {" | ".join(names)} | passed | date |']
    lines.append('|---' * (len(names) + 3) + '|')
    for name, result in results.items():
        versions = [result['versions'].get(package, '') for package in names]
        failed = [key for key, value in result['checks'].items() if value != 'ok']
        outcome = 'all' if passed(result) else f'not {", ".join(failed) or "run"}'
        lines.append(f'| {" | ".join([name, *versions, outcome, result["date"]])} |')
    return '\n'.join(lines)


def main() -> int:
    """Run the cells and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('cells', nargs='*', choices=[[], *CELLS], help='all by default')
    parser.add_argument('--python', action='append', default=[], metavar='VERSION=PATH')
    args = parser.parse_args()
    given = dict(pair.split('=', 1) for pair in args.python)
    STATE.mkdir(exist_ok=True)
    files, results = fingerprint(), {}
    for name in args.cells or CELLS:
        path = STATE / f'{name}.json'
        result = json.loads(path.read_text()) if path.exists() else None
        if result is None or result['files'] != files or not passed(result):
            python = find_python(CELLS[name].python, given)
            if python is None:
                print(f'{name}: no interpreter of Python {CELLS[name].python} found')
                continue
            print(f'== {name}: {python}, {CELLS[name].torch}', flush=True)
            result = run_cell(name, python)
            result |= dict(files=files, date=str(datetime.date.today()))
            path.write_text(json.dumps(result, indent=2))
        results[name] = result
    print(table(results))
    complete = len(results) == len(args.cells or CELLS)
    return int(not complete or not all(map(passed, results.values())))


if __name__ == '__main__':
    sys.exit(main())
