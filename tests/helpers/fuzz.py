"""Give wrong arguments to all constructors, and damaged files to all readers.

python tests/helpers/fuzz.py [--seed 0] [--count 1000] [--only constructors]

Every input has to end in an error that says what was expected, or be read right. Prints
the counts of outcomes; exit code 1 if one is bad, which a hang and a crash are.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import mmattn  # noqa: F401  (repairs the stack first)

sys.path.insert(0, str(Path(__file__).parent))
import damaged_files
import wrong_arguments

from mmattn.testing import make_tiny_data
from mmattn.utils.processes import TimeLimited

LIMIT = 60  # seconds of one input, most of which is for a machine that is busy
SHARE = 0.5  # of the inputs that go to constructors
KINDS = {'constructors': wrong_arguments, 'readers': damaged_files}
_MADE: dict = {}


def judge(kind: str, seed: int, count: int, data: str, number: int) -> tuple[str, str]:
    """What comes of an input, and what it was; all are made in the same process."""
    key = kind, seed, count, data
    if key not in _MADE:
        sys.stderr = open(os.devnull, 'w')  # noqa: SIM115  (warnings of the stack)
        _MADE[key] = KINDS[kind].cases(seed, count, Path(data))
    case = _MADE[key][number]
    wrong_arguments.seeded_everything()
    return KINDS[kind].outcome(case), str(case)


def outcomes(kind: str, seed: int, count: int, data: Path) -> list[tuple[str, str]]:
    """Outcome and words of each of some inputs."""
    found = []
    with TimeLimited(judge, seconds=LIMIT) as limited:
        for number in range(count):
            what = f'{kind} {number}'
            try:
                found.append(limited(kind, seed, count, str(data), number))
            except TimeoutError:
                found.append(('BAD: hangs', what))
            except ChildProcessError:
                found.append(('BAD: ends the process', what))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--only', choices=KINDS)
    args = parser.parse_args()
    first = round(args.count * SHARE)
    counts = dict(constructors=first, readers=args.count - first)
    if args.only:
        counts = {args.only: args.count}
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        data = make_tiny_data(Path(folder, 'data'))
        for kind, count in counts.items():
            found = outcomes(kind, args.seed, count, data)
            print(f'{kind}: {count} inputs')
            for words, times in sorted(Counter(o[:70] for o, _ in found).items()):
                print(f'{times:6} {words}', flush=True)
            for words, what in found:
                if words.startswith('BAD'):
                    bad += 1
                    print(f'  {what}: {words}', file=sys.stderr)
    return int(bad > 0)


if __name__ == '__main__':
    sys.exit(main())
