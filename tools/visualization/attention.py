"""Draw what models attend to in videos: overlays, timelines, scores, maps, one page.

python tools/visualization/attention.py MODEL VIDEO... --out DIR
python tools/visualization/attention.py CONFIG CHECKPOINT VIDEO... --out DIR
"""

import argparse
import sys

from mmattn.datasets.proposals import load_proposals
from mmattn.inference.find import split_command
from mmattn.inference.model_arguments import add_model_arguments
from mmattn.inference.models import load_models
from mmattn.utils.command_line import run_tool, tell_files, tool_parser
from mmattn.utils.configs import set_split
from mmattn.visualization.attention_pictures import DrawOptions, draw_attention
from mmattn.visualization.contact_sheet import FORMATS
from mmattn.visualization.heat_overlay import KINDS, SCALES, OverlayStyle


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    add_model_arguments(parser)
    parser.add_argument(
        '--compare',
        nargs='+',
        action='append',
        default=[],
        metavar=('MODEL', 'CHECKPOINT'),
        help='another model to show beside the first; may be given several times',
    )
    parser.add_argument(
        '--pick',
        nargs='+',
        default=[],
        type=_pick,
        metavar='AXIS=INDEX',
        help='one index of an axis that is averaged otherwise, such as query=2',
    )
    parser.add_argument('--overlay', choices=KINDS, default='heat')
    parser.add_argument('--scale', choices=SCALES, default='max')
    parser.add_argument('--alpha', type=float, default=0.5, help='share of the heat')
    parser.add_argument('--threshold', type=float, default=0.5, help='0 to 1')
    parser.add_argument('--format', nargs='+', choices=FORMATS, default=['png'])
    parser.add_argument(
        '--whole-frame',
        action=argparse.BooleanOptionalAction,
        help="draw on the whole frames rather than on the network's input; by default "
        'on the page alone',
    )
    parser.add_argument('--columns', type=int, default=8, help='frames on a png')
    parser.add_argument('--top', type=int, default=5, help='number of classes listed')
    parser.add_argument(
        '--ground-truth',
        help='folder of files VIDEO.npz with key frames, marked in timelines',
    )
    parser.add_argument('--no-page', action='store_true', help='write no index.html')
    args = parser.parse_args()
    try:
        args.style = OverlayStyle(args.overlay, args.threshold, args.alpha, args.scale)
    except ValueError as error:
        parser.error(str(error))
    return args


def main() -> int:
    """Run the tool."""
    args = parse_args()
    set_split(args.split)
    persons = load_proposals(args.persons) if args.persons else None
    named, videos = split_command([args.model, *args.videos])
    models = load_models([named, *args.compare], device=args.device)
    options = DrawOptions(
        names=args.map,
        picks=dict(args.pick),
        style=args.style,
        formats=args.format,
        whole_frame=args.whole_frame,
        num_columns=args.columns,
        top=args.top,
        classes=args.classes,
        ground_truth=args.ground_truth,
        page=not args.no_page,
    )
    files, broken = draw_attention(
        models, videos, args.out, persons=persons, options=options
    )
    return tell_files(files, broken)


def _pick(text: str) -> tuple[str, int]:
    axis, _, index = text.partition('=')
    return axis, int(index)


if __name__ == '__main__':
    sys.exit(run_tool(main))
