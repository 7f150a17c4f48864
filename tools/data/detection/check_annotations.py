"""Check annotations of your own for action detection, and name every bad line.

python tools/data/detection/check_annotations.py data/own/train.csv data/own/val.csv
    --videos data/own/videos --label-map data/own/labels.pbtxt
"""

import sys

from mmattn.prepare.annotation_check import check_annotations
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool; the exit code is 1 if a line is bad."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'annotations',
        nargs='+',
        help='csv as AVA: video,second,x1,y1,x2,y2,class,person',
    )
    parser.add_argument('--videos', required=True, help='folder of the videos')
    parser.add_argument('--label-map', required=True, help='pbtxt of the classes')
    parser.add_argument(
        '--start', type=int, default=0, help='second at which videos start; AVA: 900'
    )
    parser.add_argument(
        '--decode', action='store_true', help='decode each labeled frame, too'
    )
    args = parser.parse_args()
    bad = 0
    for path in args.annotations:
        try:
            report = check_annotations(
                path, args.videos, args.label_map, start=args.start, decode=args.decode
            )
        except (OSError, ValueError) as error:
            parser.error(str(error))
        for problem in report.problems:
            print(problem)
        print(f'{path}: {report.summary()}')
        bad += len(report.problems)
        highest = max(report.names)
    print(f'export MMATTN_CLASSES={highest}' if not bad else 'correct these lines')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
