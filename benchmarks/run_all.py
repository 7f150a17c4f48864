"""Run every benchmark of this folder and say which missed a bound.

python benchmarks/run_all.py [NAME ...]
"""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HELPERS = ('evidence', 'gpu', 'originals', 'run_all', 'timing')


def main() -> int:
    names = sys.argv[1:] or sorted(
        path.stem for path in FOLDER.glob('*.py') if path.stem not in HELPERS
    )
    missed = []
    for name in names:
        print(f'== {name}', flush=True)
        start = time.perf_counter()
        command = [sys.executable, '-W', 'ignore', str(FOLDER / f'{name}.py')]
        if subprocess.run(command).returncode:
            missed.append(name)
        print(f'   {time.perf_counter() - start:.0f} s', flush=True)
    print('missed: ' + ', '.join(missed) if missed else 'every bound holds')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
