"""Draw the salient receptive fields of pyramid attention, as in its Figs. 4 and 5.

python tools/visualization/receptive_fields.py CONFIG CHECKPOINT VIDEO... --out DIR
python tools/visualization/receptive_fields.py ONE ONE.pth VIDEO... --out DIR
    --compare TWO TWO.pth --compare THREE THREE.pth --absolute
"""

import argparse
import sys

from mmattn.inference.models import load_model
from mmattn.utils.command_line import run_tool, tell_files, tool_parser
from mmattn.utils.configs import add_split_option, find_config, set_split
from mmattn.visualization.receptive_fields import FieldOptions, draw_receptive_fields


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    parser.add_argument('config', help='config of a recognizer with pyramid attention')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('videos', nargs='+', help='video files or folders of them')
    parser.add_argument('--out', required=True, help='folder for the pictures')
    parser.add_argument(
        '--threshold',
        type=float,
        help='share of the largest attention from which on a place is salient, 0.5 by '
        'default',
    )
    parser.add_argument(
        '--absolute',
        action='store_true',
        help="thresholds are of the attention itself: the paper's 0.5 for frames and "
        '0.7 for output positions, or --threshold',
    )
    parser.add_argument(
        '--compare',
        nargs=2,
        action='append',
        default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a model with another number of scales, a row of its own',
    )
    parser.add_argument(
        '--scales', type=int, nargs='+', help='such as 1 3; 1 to all by default'
    )
    parser.add_argument(
        '--position',
        type=int,
        nargs=2,
        default=(0, 0),
        metavar=('Y', 'X'),
        help='output position of which the frames are drawn',
    )
    parser.add_argument(
        '--frame',
        type=int,
        default=0,
        help='which of the sampled frames is drawn for several output positions',
    )
    parser.add_argument('--columns', type=int, default=5, help='frames and positions')
    parser.add_argument('--alpha', type=float, default=0.5, help='share of the color')
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    add_split_option(parser)
    return parser.parse_args()


def main() -> int:
    """Run the tool."""
    args = parse_args()
    set_split(args.split)
    options = FieldOptions(
        threshold=args.threshold,
        absolute=args.absolute,
        scales=args.scales,
        position=tuple(args.position),
        frame=args.frame,
        num_columns=args.columns,
        alpha=args.alpha,
    )
    model = load_model(find_config(args.config), args.checkpoint, device=args.device)
    others = [
        load_model(find_config(config), checkpoint, device=args.device)
        for config, checkpoint in args.compare
    ]
    files, broken = draw_receptive_fields(
        model, args.videos, args.out, others=others, options=options
    )
    return tell_files(files, broken)


if __name__ == '__main__':
    sys.exit(run_tool(main))
