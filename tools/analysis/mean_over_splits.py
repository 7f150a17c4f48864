"""Gather the runs of a model on the three splits and print the row of the paper.

python tools/analysis/mean_over_splits.py CONFIG
python tools/analysis/mean_over_splits.py RGB_CONFIG FLOW_CONFIG --runs OUT1 OUT2 OUT3
"""

import sys

from mmattn.reports.splits import find_runs, read_run, rows_of, split_table
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('configs', nargs='+', help='config, or one per fused stream')
    parser.add_argument(
        '--runs',
        nargs=3,
        help='results of splits 1, 2 and 3: work dirs, folders of two_stream or dumps; '
        'by default the work dirs that --split names',
    )
    parser.add_argument('--work-dirs', default='work_dirs', help='where to look')
    args = parser.parse_args()
    if len(args.configs) > 1 and not args.runs:
        parser.error('expected --runs with the fused results of several configs')
    try:
        runs = args.runs or find_runs(args.configs[0], args.work_dirs)
        print(split_table([read_run(run) for run in runs]))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for row in rows_of(args.configs):
        print(
            f'paper: {row.figure:.1f} ({row.metric}; {row.key} table {row.table}, '
            f'{row.row}, {row.dataset})'
        )
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
