"""Evaluate a submission file of Charades' classification task.

python tools/analysis/evaluate_charades.py submission.txt Charades_v1_test.csv
"""

import sys

import numpy as np

from mmattn.datasets import read_charades
from mmattn.evaluation import charades_map, load_submission
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('submission', help='lines <video> <157 scores>')
    parser.add_argument('csv', help='Charades_v1_test.csv')
    parser.add_argument('--per-class', action='store_true', help='print all APs')
    args = parser.parse_args()
    try:
        names, scores = load_submission(args.submission)
        result = charades_map(scores, labels_of(names, args.csv, scores.shape[1]))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f'mAP {100 * result.mAP:.2f}  wAP {100 * result.wAP:.2f}')
    if args.per_class:
        for number, value in enumerate(result.per_class):
            print(f'c{number:03d} {100 * value:.2f}')
    return 0


def labels_of(names: tuple[str, ...], csv: str, num_classes: int) -> np.ndarray:
    """Return 0 and 1 per class of the named videos, which must be those of the csv."""
    truth = {video.name: video.labels for video in read_charades(csv)}
    differ = sorted(truth.keys() ^ set(names))
    if differ:
        raise ValueError(
            f'expected the videos of {csv}, got {len(differ)} in one file only, such '
            f'as {differ[0]}'
        )
    labels = np.zeros((len(names), num_classes), dtype=int)
    for row, name in zip(labels, names, strict=True):
        row[list(truth[name])] = 1
    return labels


if __name__ == '__main__':
    sys.exit(run_tool(main))
