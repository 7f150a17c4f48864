"""Write lists of a part of HMDB51's classes, from the official files of a split.

python tools/data/hmdb51_subset.py data/hmdb51 [--classes NAME ...] [--pool all]

Reads annotations/<class>_test_split<N>.txt in the folder, and writes
hmdb51_10c_{train,val,test}_split_<N>_videos.txt beside it.
"""

import sys
from pathlib import Path

from mmattn.prepare.hmdb51_subset import (
    POOLS,
    REPORT_SIZES,
    TEN_CLASSES,
    subset_lists,
)
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('root', type=Path, help='folder of HMDB51')
    parser.add_argument('--classes', nargs='+', default=TEN_CLASSES, metavar='NAME')
    parser.add_argument('--split', type=int, choices=(1, 2, 3), default=1)
    parser.add_argument(
        '--pool',
        choices=POOLS,
        default='official',
        help="'official': training videos of the split, its test videos divided; "
        "'all': all videos divided at random",
    )
    parser.add_argument(
        '--sizes',
        type=int,
        nargs=3,
        default=REPORT_SIZES,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='ratio of the lists',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the division')
    args = parser.parse_args()
    try:
        lists = subset_lists(
            args.root / 'annotations',
            classes=args.classes,
            split=args.split,
            pool=args.pool,
            sizes=args.sizes,
            seed=args.seed,
        )
    except ValueError as error:
        parser.error(str(error))
    for name, videos in lists.items():
        path = args.root / (
            f'hmdb51_{len(args.classes)}c_{name}_split_{args.split}_videos.txt'
        )
        lines = [f'{video} {label}\n' for video, label in videos]
        path.write_text(''.join(lines), encoding='utf-8')
        print(f'{path}: {len(videos)} videos')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
