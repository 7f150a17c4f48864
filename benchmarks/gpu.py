"""Check and time everything on one GPU, within eight minutes; what `make gpu` does.

    python benchmarks/gpu.py [--wheels FOLDER] [--out gpu.json]

Runs every test under the marker `gpu` and the benchmarks with this Python, and writes
device, versions, the outcome of every test and every ratio with its interval into one
JSON file. Installs nothing but the wheels in the given folder, without an index, into
an environment beside the report that sees the packages of this Python. Where there is
no GPU it says what it would run. Exit code 1 if a test fails, a step breaks off or its
time is up; bounds that are missed stand in the file.

Needs only the standard library until it calls the steps.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 480  # for everything
PROBE = """
import json, sys
try:
    import torch
except ImportError:
    sys.exit(print('null'))
if not torch.cuda.is_available():
    sys.exit(print('null'))
from importlib.metadata import PackageNotFoundError, version
versions = {'python': sys.version.split()[0], 'cuda': torch.version.cuda}
versions['cudnn'] = torch.backends.cudnn.version()
versions['nccl'] = '.'.join(map(str, torch.cuda.nccl.version()))
for name in ('torch', 'triton', 'torchvision', 'mmengine', 'mmcv', 'mmcv-lite',
             'mmaction2', 'mmdet'):
    try:
        versions[name] = version(name)
    except PackageNotFoundError:
        versions[name] = None
properties = torch.cuda.get_device_properties(0)
print(json.dumps(dict(device=properties.name, memory=properties.total_memory,
                      versions=versions)))
"""
OUTCOME = re.compile(r'^(\S+::.+?) (PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)\b')


class Step(NamedTuple):
    """What runs in a process of its own.

    Args:
        name: Its name in the report.
        seconds: Most that it may take.
        arguments: Of Python.
    """

    name: str
    seconds: float
    arguments: tuple[str, ...]


def benchmark(script: str, seconds: float, *arguments: str) -> Step:
    """Step that runs a script of the folder of benchmarks."""
    return Step(
        script, seconds, ('-W', 'ignore', f'benchmarks/{script}.py', *arguments)
    )


CUDA = ('--device', 'cuda', '--pairs', '20')
TESTS = ('-m', 'pytest', '-m', 'gpu', '-p', 'no:cacheprovider', '-p', 'no:cov')
STEPS = (
    Step('tests', 140, (*TESTS, '-v', '--tb=short', 'tests')),
    benchmark('training_step', 100, '--pairs', '20', '--compile'),
    benchmark('temporal_lstm_head', 20, *CUDA),
    benchmark('convlstm_head', 35, *CUDA),
    benchmark('pyramid', 25, *CUDA),
    benchmark('slowfast_attention', 35, *CUDA),
    benchmark('stbta', 50, *CUDA),
    benchmark('bf16', 35),
    benchmark('backbones', 40, *CUDA, '--archs', 'bninception', 'i3d', 'resnext3d'),
)


def run(step: Step, python: str, limit: float) -> dict:
    """Run a step; its outcome, tests, ratios and the end of what it printed."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ratios = Path(folder) / 'ratios'
        ratios.touch()
        path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
        process = subprocess.Popen(
            [python, *step.arguments],
            cwd=ROOT,
            env={**os.environ, 'PYTHONPATH': path, 'MMATTN_RATIOS': str(ratios)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            start_new_session=True,  # so that its own processes end with it
        )
        try:
            text, _ = process.communicate(timeout=limit)
            outcome = f'exit code {process.returncode}'
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
            outcome = 'time is up'
        found = [json.loads(line) for line in ratios.read_text().splitlines()]
    tests = [OUTCOME.match(line) for line in text.splitlines()]
    return dict(
        name=step.name,
        seconds=round(time.monotonic() - start, 1),
        limit=limit,
        outcome=outcome,
        tests={match[1]: match[2].lower() for match in tests if match},
        ratios=found,
        tail=text[-4000:],
    )


def good(done: dict) -> bool:
    """Whether a step ran to its end; a benchmark that misses a bound has done so."""
    missed = any(not ratio['passed'] for ratio in done['ratios'])
    codes = {'exit code 0'} | ({'exit code 1'} if missed else set())
    return done['outcome'] in codes


def run_all(steps: tuple[Step, ...], python: str, seconds: float) -> list[dict]:
    """Run the steps in turn, as far as the time goes."""
    end, report = time.monotonic() + seconds, []
    for step in steps:
        done = run(step, python, max(min(step.seconds, end - time.monotonic()), 1))
        report.append(done)
        print(
            f'{step.name}: {done["outcome"]}, {done["seconds"]} s, '
            f'{len(done["tests"])} tests, {len(done["ratios"])} ratios',
            flush=True,
        )
    return report


def install(wheels: Path, folder: Path) -> str:
    """Python of an environment that has the wheels over the packages of this one."""
    files = sorted(map(str, wheels.glob('*.whl')))
    if not files:
        raise SystemExit(f'--wheels: expected a folder of wheels, got {wheels}')
    environment = folder / '.gpu-environment'
    create = [sys.executable, '-m', 'venv', '--system-site-packages', '--clear']
    subprocess.run([*create, str(environment)], check=True)
    python = str(environment / 'bin' / 'python')
    # An environment's own environment would not see the packages of the first.
    here = [path for path in sys.path if path.endswith('site-packages')]
    (site,) = environment.glob('lib/python*/site-packages')
    (site / 'parent.pth').write_text('\n'.join(here))
    pip = [python, '-m', 'pip', 'install', '-q', '--no-index', '--no-deps']
    subprocess.run([*pip, *files], check=True)
    return python


def dry_run(steps: tuple[Step, ...]) -> None:
    """Print what a GPU would run."""
    print(f'no GPU here; on one this would run, in at most {SECONDS} s:')
    for step in steps:
        print(f'  {step.name}, at most {step.seconds} s: python', *step.arguments)
    listing = [sys.executable, *TESTS, '--collect-only', '-q', 'tests']
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    found = subprocess.run(
        listing, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    names = [line for line in found.stdout.splitlines() if '::' in line]
    print(f'{len(names)} tests:' if names else 'tests cannot be listed by this Python')
    print(*(f'  {name}' for name in names), sep='\n')


def main(steps: tuple[Step, ...] = STEPS) -> int:
    """Run the steps and write the report, or say what would run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--wheels', type=Path, help='folder of wheels to install')
    parser.add_argument('--out', type=Path, default=Path('gpu.json'), help='report')
    args = parser.parse_args()
    start = time.monotonic()
    folder = args.out.resolve().parent
    python = install(args.wheels, folder) if args.wheels else sys.executable
    probe = subprocess.run(
        [python, '-W', 'ignore', '-c', PROBE], capture_output=True, text=True
    )
    if probe.returncode:
        raise SystemExit(f'{python} cannot tell its GPU: {probe.stderr[-1000:]}')
    machine = json.loads(probe.stdout.splitlines()[-1])
    if machine is None:
        dry_run(steps)
        return 0
    done = run_all(steps, python, SECONDS - (time.monotonic() - start))
    tests = {name: outcome for step in done for name, outcome in step['tests'].items()}
    ratios = [
        dict(benchmark=step['name'], **ratio)
        for step in done
        for ratio in step['ratios']
    ]
    parts = ('name', 'seconds', 'limit', 'outcome', 'tail')
    listed = [{part: step[part] for part in parts} for step in done]
    report = dict(machine, steps=listed, tests=tests, ratios=ratios)
    args.out.write_text(json.dumps(report, indent=1), encoding='utf-8')
    failed = [name for name, outcome in tests.items() if outcome in ('failed', 'error')]
    stopped = [step['name'] for step in done if not good(step)]
    print(
        f'{args.out}: {len(tests)} tests, {len(ratios)} ratios; '
        f'failed: {", ".join(failed) or "none"}; '
        f'broken off: {", ".join(stopped) or "none"}'
    )
    return 1 if failed or stopped else 0


if __name__ == '__main__':
    sys.exit(main())
