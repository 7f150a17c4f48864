"""From the command to the end of the first training step, and where the time goes.

``tools/train.py`` with our TSN config at a small size, in fresh processes, beside
MMAction2's own ``tools/train.py`` with its plain recipe on the same backbone (made
importable as in ``import_time.py``). Prints the shares of imports, of building model,
data and runner, and of the first step, by the time of the processor. Exits with 1 if
ours takes more than 6 seconds.

    python benchmarks/start.py [--pairs 5]
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from import_time import BASELINE, OPERATORS
from timing import interleaved, report

from mmattn.compat import has_compiled_operators

ROOT = Path(__file__).resolve().parents[1]
BOUND = 6.0
PARTS = ('imports', 'model, data and runner', 'first step')
# Runs in the process that is measured: notes its time where a part ends.
NOTES = """
import runpy, sys, time
times = []
def note():
    times.append(time.process_time())
def leave(*args):
    note()
    print('TIMES', *times, flush=True)
    import os
    os._exit(0)
import mmengine.runner
from mmengine.runner import EpochBasedTrainLoop, Runner
from_cfg, run_iter = Runner.from_cfg.__func__, EpochBasedTrainLoop.run_iter
def marked(cls, cfg):
    note()
    return from_cfg(cls, cfg)
def first(loop, index, batch):
    note()
    run_iter(loop, index, batch)
    leave()
Runner.from_cfg, EpochBasedTrainLoop.run_iter = classmethod(marked), first
"""


def command(script: Path, config: Path, before: str = '') -> list[str]:
    code = f'{before}\n{NOTES}\nsys.argv[1:] = [{str(config)!r}]\n'
    code += f'sys.path.insert(0, {str(script.parent)!r})\n'
    code += f'runpy.run_path({str(script)!r}, run_name="__main__")'
    return [sys.executable, '-W', 'ignore', '-c', code]


def run(words: list[str]) -> list[float]:
    """Seconds at which each part ended."""
    result = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    lines = [x for x in result.stdout.splitlines() if x.startswith('TIMES ')]
    if len(lines) != 1:
        raise RuntimeError(f'no first step: {result.stderr[-2000:]}')
    return [float(word) for word in lines[0].split()[1:]]


def children_seconds() -> float:
    """Processor time of all ended processes of this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    from training_step import mmaction_runtime, ours, plain, write_videos

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=5, help='pairs to time')
    args = parser.parse_args()
    os.environ['PYTHONPATH'] = str(ROOT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_videos(folder)
        cfg = ours('tsn', folder)
        cfg.dump(folder / 'ours.py')
        plain('tsn', cfg, folder).dump(folder / 'plain.py')
        tools = mmaction_runtime().parents[2] / 'tools'
        before = BASELINE + ('' if has_compiled_operators() else OPERATORS)
        mine = command(ROOT / 'tools' / 'train.py', folder / 'ours.py')
        host = command(tools / 'train.py', folder / 'plain.py', before)
        run(host)  # from now on all files are cached
        run(mine)
        wall = time.perf_counter()
        ends = run(mine)
        wall = time.perf_counter() - wall
        for part, a, b in zip(PARTS, [0.0, *ends], ends, strict=False):
            print(f'{part}: {b - a:.2f} s, {(b - a) / ends[-1]:.0%}')
        fits = ends[-1] <= BOUND
        print(
            f'tools/train.py to the end of the first step: {ends[-1]:.2f} s of the '
            f'processor, {wall:.1f} s on the clock, bound <= {BOUND:g} s: '
            f'{"ok" if fits else "MISSED"}',
            flush=True,
        )
        result = interleaved(
            lambda: run(mine),
            lambda: run(host),
            pairs=args.pairs,
            warmup=0,
            clock=children_seconds,
        )
        report('start, ours / plain', result)
    return 0 if fits else 1


if __name__ == '__main__':
    sys.exit(main())
