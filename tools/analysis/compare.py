"""Compare systems with their twins without attention on labeled videos.

python tools/analysis/compare.py DATA --systems temporal_lstm,pyramid --seeds 5
python tools/analysis/compare.py FIRST.pkl SECOND.pkl

DATA is a folder with a folder of videos for each class, or a csv with the columns
path, label and, optionally, group (or a folder with such a labels.csv). The network
that looks at the frames is frozen; its maps are computed once and kept. Clips of one
group are never in training and test. Two dumps of one test are compared video by video.
"""

import sys

from mmattn.comparison.compare import compare, compare_dumps
from mmattn.comparison.stored import Trunk
from mmattn.comparison.systems import FORMS, SYSTEMS
from mmattn.front.trunks import DEFAULT, TRUNKS, find_trunk
from mmattn.utils.command_line import run_tool, tool_parser


def frozen(name: str, weights: str | None) -> Trunk:
    """Return a network of `mmattn train`, frozen."""
    trunk, path = find_trunk(name, weights, finetune=False)
    backbone = trunk.config('', weights=path, frozen=False)
    backbone['out'] = (*trunk.taps[:-1], trunk.last)
    return Trunk(
        backbone=backbone,
        mean=tuple(trunk.mean),
        std=tuple(trunk.std),
        reversed_channels=trunk.reversed_channels,
        size=trunk.size,
    )


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('data', help='labeled videos, or the first dump (.pkl)')
    parser.add_argument('second', nargs='?', help='the second dump (.pkl)')
    parser.add_argument(
        '--systems',
        default=','.join(SYSTEMS),
        help='names with commas between them',
    )
    parser.add_argument(
        '--forms',
        default=','.join(FORMS),
        help="the paper's form, the recommended one, or both",
    )
    parser.add_argument(
        '--backbone', default=DEFAULT, choices=TRUNKS, help='network of the frames'
    )
    parser.add_argument('--weights', help='file of its weights')
    parser.add_argument('--seeds', type=int, default=5, help='trainings of each model')
    parser.add_argument(
        '--search',
        action='store_true',
        help="let the paper's forms choose their learning rate, too, inside of the "
        'training groups',
    )
    parser.add_argument(
        '--out', default='work_dirs/compare', help='folder for table, page and features'
    )
    args = parser.parse_args()
    if args.second is not None:
        found = compare_dumps(args.data, args.second)
    elif args.data.endswith('.pkl'):
        raise ValueError(f'expected two dumps, got {args.data} alone')
    else:
        found = compare(
            args.data,
            args.systems.split(','),
            seeds=args.seeds,
            forms=args.forms.split(','),
            out=args.out,
            search=args.search,
            trunk=frozen(args.backbone, args.weights),
        )
    print(found.table())
    print(*found.save(args.out), sep='\n')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
