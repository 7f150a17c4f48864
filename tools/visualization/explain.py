"""Ask whether maps explain the model: take away what they rate highest, and see.

python tools/visualization/explain.py MODEL VIDEO... --out DIR
python tools/visualization/explain.py CONFIG CHECKPOINT VIDEO... --out DIR
"""

import argparse
import sys

from mmattn.datasets.proposals import load_proposals
from mmattn.explain.faithfulness import FaithfulnessOptions
from mmattn.explain.maps import DEFAULTS, METHODS, map_source
from mmattn.explain.replacements import REPLACEMENTS
from mmattn.explain.run import explain_videos
from mmattn.explain.units import OVERS
from mmattn.inference.find import split_command
from mmattn.inference.model_arguments import add_model_arguments
from mmattn.inference.models import load_models
from mmattn.utils.command_line import run_tool, tell_files, tool_parser
from mmattn.utils.configs import set_split


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    add_model_arguments(parser)
    parser.add_argument(
        '--maps',
        nargs='+',
        choices=METHODS,
        default=list(DEFAULTS),
        help='maps to judge',
    )
    parser.add_argument('--layer', default='backbone', help='layer of the class maps')
    parser.add_argument('--over', nargs='+', choices=OVERS, default=list(OVERS))
    parser.add_argument('--replace', choices=REPLACEMENTS, default='blur')
    parser.add_argument('--steps', type=int, default=10, help='steps of each curve')
    parser.add_argument('--cells', type=int, default=7, help='along the shorter side')
    parser.add_argument('--randoms', type=int, default=3, help='random maps')
    parser.add_argument(
        '--sets', type=int, default=24, help='sets for the sensitivity, 0 for none'
    )
    parser.add_argument(
        '--class',
        dest='class_index',
        type=int,
        help='number of the class to explain; by default the one that is predicted',
    )
    parser.add_argument('--limit', type=int, help='take only so many videos')
    parser.add_argument(
        '--no-redraw', action='store_true', help='do not draw weights anew to compare'
    )
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Run the tool."""
    args = parse_args()
    set_split(args.split)
    named, videos = split_command([args.model, *args.videos])
    (model,) = load_models([named], device=args.device).values()
    options = FaithfulnessOptions(
        overs=args.over,
        replace=args.replace,
        steps=args.steps,
        randoms=args.randoms,
        cells=args.cells,
        sets=args.sets,
        redraw=not args.no_redraw,
        seed=args.seed,
    )
    sources = {
        method: map_source(method, names=args.map, layer=args.layer)
        for method in args.maps
    }
    report = explain_videos(
        model,
        videos,
        args.out,
        sources=sources,
        options=options,
        persons=load_proposals(args.persons) if args.persons else None,
        class_index=args.class_index,
        classes=args.classes,
        limit=args.limit,
    )
    print(report.text)
    return tell_files(report.files, report.broken)


if __name__ == '__main__':
    sys.exit(run_tool(main))
