"""What `import mmattn` adds to `import mmaction.models`, in fresh processes.

MMAction2's published wheel cannot import its models without a module that mmattn
provides, and mmcv-lite lacks the one that mmdet needs: the baseline provides both, in
the fewest lines.

    python benchmarks/import_time.py [--pairs 20]
"""

import argparse
import subprocess
import sys

from timing import interleaved, report

from mmattn.compat import has_compiled_operators

BASELINE = """
import sys, types
package, module = types.ModuleType('drn'), types.ModuleType('drn.drn')
package.__path__, module.DRN = [], type('DRN', (), {})
sys.modules['mmaction.models.localizers.drn'] = package
sys.modules['mmaction.models.localizers.drn.drn'] = module
"""
OPERATORS = """
from importlib.machinery import ModuleSpec
operators = types.ModuleType('mmcv._ext')
operators.__getattr__, operators.__file__ = lambda name: print, 'operators.py'
operators.__spec__ = ModuleSpec('mmcv._ext', None)
sys.modules['mmcv._ext'] = operators
"""
OURS = 'import mmattn, mmaction.models'


def run(code: str) -> None:
    """Run a program in a fresh process."""
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    args = parser.parse_args()
    baseline = BASELINE + ('' if has_compiled_operators() else OPERATORS)
    baseline += 'import mmaction.models'
    result = interleaved(lambda: run(OURS), lambda: run(baseline), pairs=args.pairs)
    passed = report('import, with mmattn / without', result, at_most=1.10)
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
