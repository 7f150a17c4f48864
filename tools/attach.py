"""Put an attention module into a trained network: writes a config to fine-tune.

python tools/attach.py slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb --out mine.py
    --attention se --before layer3 --classes 7

The module changes nothing at first: the network's first output is that of its published
weights.
"""

import argparse
import shlex
import sys

from mmattn.front.attach import CATALOGUE, attach, write_config
from mmattn.utils.command_line import run_tool, tool_parser


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    parser.add_argument('config', help="config, or the name of one of MMAction2's")
    parser.add_argument(
        '--attention',
        required=True,
        metavar='NAME',
        help=f'one of {", ".join(CATALOGUE)}; `mmattn models` says what they do',
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument('--before', metavar='PLACE', help='such as layer3')
    place.add_argument('--after', metavar='PLACE', help='such as layer3')
    parser.add_argument('--classes', type=int, help='number of a new classifier')
    parser.add_argument(
        '--weights',
        metavar='FILE|none',
        help="where training starts; by default the published weights of MMAction2's "
        'config',
    )
    parser.add_argument('--out', required=True, help='config to write')
    return parser.parse_args()


def main() -> int:
    """Run the tool."""
    args = parse_args()
    when = 'before' if args.before else 'after'
    cfg = attach(
        args.config,
        args.attention,
        args.before or args.after,
        when=when,
        num_classes=args.classes,
        weights=args.weights,
    )
    path = write_config(cfg, args.out, f'mmattn attach {shlex.join(sys.argv[1:])}')
    print(f'{path}: {args.attention} {when} {args.before or args.after}')
    print(f'starts from {cfg.load_from or "initial weights"}')
    print(f'name your lists in it, then: mim train mmattn {path}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
