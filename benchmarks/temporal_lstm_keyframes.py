"""Temporal attention against mean pooling on the `keyframes` videos, over seeds.

Runs tools/demo.py once per seed (data and training) in a folder of its own and prints
means and spreads. A run takes about five minutes on two cores.

    python benchmarks/temporal_lstm_keyframes.py [--seeds 0 1 2]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent / 'tools' / 'demo.py'
FIGURES = {
    'top1_attention': 'top-1 with attention, %',
    'top1_mean_pooling': 'top-1 with mean pooling, %',
    'mass_on_key_frames': 'attention mass on key frames',
    'uniform_mass': 'the same for uniform weights',
    'seconds': 'seconds',
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    args = parser.parse_args()
    outcomes = []
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / 'outcome.json'
            command = [sys.executable, str(DEMO), '--seed', str(seed), '--json', out]
            print(f'seed {seed} ...', flush=True)
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if run.returncode:
                raise SystemExit(f'{run.stdout[-2000:]}\n{run.stderr[-2000:]}')
            outcomes.append(json.loads(out.read_text()))
    print(f'{len(args.seeds)} seeds: {args.seeds}')
    for key, name in FIGURES.items():
        values = [outcome[key] for outcome in outcomes]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        each = ', '.join(f'{value:.3f}' for value in values)
        print(f'{name}: {statistics.mean(values):.3f} +- {spread:.3f} ({each})')
    passed = all(
        outcome['top1_attention'] >= 90
        and outcome['top1_mean_pooling'] <= 70
        and outcome['mass_on_key_frames'] >= 2 * outcome['uniform_mass']
        for outcome in outcomes
    )
    print('every seed within the bounds' if passed else 'a bound is MISSED')
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
