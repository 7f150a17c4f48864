"""Test two streams, fuse their scores by video and report each and the fusion.

python tools/analysis/two_stream.py --rgb CONFIG CHECKPOINT --flow CONFIG CHECKPOINT
    --weights 1 1.5 --out DIR

A stream may also be a dump of an earlier test (--rgb rgb.pkl). Options that are not
listed here go to tools/test.py, for both streams.
"""

import sys
from pathlib import Path

from mmattn.evaluation import fuse_scores
from mmattn.reports.streams import (
    add_fusion_options,
    chosen_weights,
    renamed,
    report_fusion,
    text_table,
)
from mmattn.reports.two_streams import stream_source, tested_scores
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import add_split_option, set_split

TEST = Path(__file__).resolve().parents[1] / 'test.py'


def main() -> int:
    """Run the tool."""
    parser = tool_parser(
        __doc__,
        allow_abbrev=False,
    )
    for option in ('--rgb', '--flow'):
        parser.add_argument(
            option,
            nargs='+',
            required=True,
            metavar=('CONFIG', 'CHECKPOINT'),
            help='a stream: config and checkpoint, or one dump',
        )
    add_fusion_options(parser)
    parser.add_argument('--out', required=True, help='folder for dumps and reports')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='for both configs, key=value'
    )
    add_split_option(parser)
    args, rest = parser.parse_known_args()
    set_split(args.split)
    out = Path(args.out)
    streams = dict(rgb=args.rgb, flow=args.flow)
    if args.cfg_options:
        rest += ['--cfg-options', *args.cfg_options]
    try:
        sources = [stream_source(s, args.cfg_options) for s in streams.values()]
        weights = chosen_weights(sources, args.weights, args.search_on)
        fuse_scores(sources, weights)  # refuses what does not fit, before the tests
        scores = [
            renamed(tested_scores(TEST, stream, out / name, rest), name)
            for name, stream in streams.items()
        ]
        report = report_fusion(scores, weights, classes=args.classes, out=out)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    shares = ' : '.join(f'{weight:g}' for weight in weights)
    print(f'{len(scores[0].video_ids)} videos, weights {shares}')
    print(text_table(report))
    picture = '' if scores[0].multi_label else ', confusion.png'
    print(f'{out}: report.json, classes.csv{picture}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
