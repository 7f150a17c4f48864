"""Fuse the scores of two or more streams, aligned by video.

python tools/analysis/fuse_scores.py rgb.pkl flow.pkl --weights 1 2
"""

import argparse
import json
import sys

from mmattn.apis.stream_reports import (
    add_fusion_options,
    chosen_weights,
    report_fusion,
    text_table,
)
from mmattn.evaluation.functional import load_scores


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    except ValueError as error:
        parser.error(str(error))
    print(text_table(report))
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump(report, file, indent=2)
    return 0


if __name__ == '__main__':
    sys.exit(main())
