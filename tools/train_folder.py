"""Train a system on videos of your own: checks, splits, trains, tests, writes a page.

python tools/train_folder.py my_videos --system temporal_lstm
"""

import argparse
import sys

from mmattn.front.splits import SHARE
from mmattn.front.systems import SYSTEMS, TUNED
from mmattn.front.train import train
from mmattn.front.trunks import DEFAULT, TRUNKS
from mmattn.utils.command_line import run_tool, tool_parser


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'data',
        help='folder with a folder of videos for each class; folder with train and val '
        'of that kind; list with lines "video label"; or csv with the columns path, '
        'label and, if videos belong together, group. A folder may hold the csv',
    )
    parser.add_argument('--system', choices=SYSTEMS, default='temporal_lstm')
    parser.add_argument('--backbone', choices=TRUNKS, default=DEFAULT)
    parser.add_argument(
        '--weights',
        metavar='FILE|NAME',
        help='weights of the backbone, in any published layout, or none; by default '
        'those that are installed with it',
    )
    parser.add_argument('--epochs', type=int, help='chosen by the number of videos')
    parser.add_argument('--frames', type=int, default=16, help='frames of a video')
    parser.add_argument('--out', help='folder; by default work_dirs/DATA-SYSTEM')
    parser.add_argument(
        '--finetune', action='store_true', help='let the backbone learn, too'
    )
    parser.add_argument(
        '--baseline',
        dest='attention',
        action='store_false',
        help="the system's twin without attention",
    )
    parser.add_argument(
        '--tuned',
        action='store_true',
        help=f'the recommended form of {", ".join(TUNED)}; without it the paper has it',
    )
    parser.add_argument(
        '--share',
        type=float,
        default=SHARE,
        help='share of the videos to test on, where there is no val',
    )
    parser.add_argument(
        '--maps',
        help='folder of what is stored of the backbone, which runs on the same videos '
        'may share; by default in the folder of --out',
    )
    parser.add_argument('--seed', type=int, default=0, help='of split and training')
    parser.add_argument(
        '--dry-run', action='store_true', help='write lists and config, and stop'
    )
    return parser.parse_args()


def main() -> int:
    """Run the tool."""
    options = vars(parse_args())
    try:
        print(train(options.pop('data'), **options))
    except KeyboardInterrupt:
        print('stopped; the same command goes on from here', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
