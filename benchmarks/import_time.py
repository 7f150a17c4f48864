"""What `import mmattn` adds to `import mmaction.models`, in fresh processes.

MMAction2's published wheel cannot import its models without the module that mmattn
provides, so the baseline provides it too, in three lines.

    python benchmarks/import_time.py [--pairs 20]
"""

import argparse
import subprocess
import sys

from timing import interleaved, report

BASELINE = """
import sys, types
package, module = types.ModuleType('drn'), types.ModuleType('drn.drn')
package.__path__, module.DRN = [], type('DRN', (), {})
sys.modules['mmaction.models.localizers.drn'] = package
sys.modules['mmaction.models.localizers.drn.drn'] = module
import mmaction.models
"""
OURS = 'import mmattn, mmaction.models'


def run(code: str) -> None:
    """Run a program in a fresh process."""
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    args = parser.parse_args()
    result = interleaved(lambda: run(OURS), lambda: run(BASELINE), pairs=args.pairs)
    passed = report('import, with mmattn / without', result, at_most=1.10)
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
