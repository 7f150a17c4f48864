"""Fuse the scores of two or more streams, aligned by video.

python tools/analysis/fuse_scores.py rgb.pkl flow.pkl --weights 1 2
"""

import argparse
import json
import sys

from mmattn.evaluation.functional import accuracies, fuse_scores, load_scores


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('scores', nargs='+', help='files of tools/test.py --dump')
    parser.add_argument(
        '--weights', nargs='+', type=float, help='one per file; equal by default'
    )
    parser.add_argument('--json', help='also write the accuracies to this file')
    args = parser.parse_args()
    weights = args.weights or [1.0] * len(args.scores)
    try:
        streams = [load_scores(path) for path in args.scores]
        fused = fuse_scores(streams, weights)
    except ValueError as error:
        parser.error(str(error))

    report = {stream.name: accuracies(stream) for stream in [*streams, fused]}
    print(f'{"top-1":>8}{"top-5":>8}{"class":>8}')
    for name, figures in report.items():
        print(''.join(f'{100 * value:8.2f}' for value in figures.values()), name)
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump(report, file, indent=2)
    return 0


if __name__ == '__main__':
    sys.exit(main())
