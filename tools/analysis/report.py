"""Write one HTML page about a test: confusion, classes, and the worst videos.

python tools/analysis/report.py SCORES.pkl --out report.html [--config CONFIG]
"""

import sys

from mmengine.config import Config

from mmattn.evaluation import load_scores
from mmattn.reports.runs import write_report
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import add_split_option, find_config, set_split
from mmattn.utils.text import read_class_names


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('scores', help='file of tools/test.py --dump')
    parser.add_argument('--out', required=True, help='HTML file to write')
    parser.add_argument(
        '--config', help='config of the test, for thumbnails of the worst videos'
    )
    parser.add_argument('--classes', help='text file with a class name per line')
    parser.add_argument('--worst', type=int, default=20, help='number of videos shown')
    add_split_option(parser)
    args = parser.parse_args()
    set_split(args.split)
    try:
        scores = load_scores(args.scores)
        names = read_class_names(args.classes, scores.scores.shape[1])
        cfg = Config.fromfile(find_config(args.config)) if args.config else None
        path = write_report(
            scores, args.out, classes=names, cfg=cfg, num_worst=args.worst
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(path)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
