"""Fuse the scores of two or more streams, aligned by video.

python tools/analysis/fuse_scores.py rgb.pkl flow.pkl --weights 1 2
"""

import json
import sys
from pathlib import Path

from mmattn.evaluation import load_scores
from mmattn.reports.streams import (
    add_fusion_options,
    chosen_weights,
    report_fusion,
    text_table,
)
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('scores', nargs='+', help='files of tools/test.py --dump')
    add_fusion_options(parser)
    parser.add_argument('--json', help='also write the accuracies to this file')
    parser.add_argument(
        '--out', help='folder for a table of classes and a confusion picture'
    )
    args = parser.parse_args()
    try:
        streams = [load_scores(path) for path in args.scores]
        weights = chosen_weights(streams, args.weights, args.search_on)
        report = report_fusion(streams, weights, classes=args.classes, out=args.out)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(text_table(report))
    if args.json:
        path = Path(args.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=2), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
