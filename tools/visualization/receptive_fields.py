"""Draw the salient receptive fields of pyramid attention, as in its Figs. 4 and 5.

python tools/visualization/receptive_fields.py CONFIG CHECKPOINT VIDEO... --out DIR
"""

import argparse
import sys

from mmattn.apis.attention import load_model
from mmattn.apis.receptive_field_pictures import FieldOptions, draw_receptive_fields
from mmattn.utils.host_tools import add_split_option, find_config, set_split


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of a recognizer with pyramid attention')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('videos', nargs='+', help='video files or folders of them')
    parser.add_argument('--out', required=True, help='folder for the pictures')
    parser.add_argument(
        '--threshold',
        type=float,
        default=0.5,
        help='share of the largest attention from which on a place is salient',
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
        scales=args.scales,
        position=tuple(args.position),
        frame=args.frame,
        num_columns=args.columns,
        alpha=args.alpha,
    )
    model = load_model(find_config(args.config), args.checkpoint, device=args.device)
    files, broken = draw_receptive_fields(model, args.videos, args.out, options=options)
    for file in files:
        print(file)
    for message in broken:
        print(f'broken: {message}', file=sys.stderr)
    return 1 if broken else 0


if __name__ == '__main__':
    sys.exit(main())
