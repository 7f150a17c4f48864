"""Print the table of all systems on labeled videos, as ``mmattn compare`` does.

python benchmarks/real/compare.py DATA --out work_dirs/real
"""

import sys

from mmattn.comparison.compare import compare
from mmattn.comparison.systems import SYSTEMS
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the benchmark."""
    parser = tool_parser(__doc__)
    parser.add_argument('data', help='labeled videos, see mmattn compare --help')
    parser.add_argument('--systems', default=','.join(SYSTEMS), help='with commas')
    parser.add_argument('--seeds', type=int, default=5, help='trainings of each model')
    parser.add_argument('--out', default='work_dirs/real', help='folder')
    args = parser.parse_args()
    found = compare(args.data, args.systems.split(','), seeds=args.seeds, out=args.out)
    print(found.table())
    found.save(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
