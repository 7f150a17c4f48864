"""Say which videos decord, and so any MMAction2 config, reads wrongly.

Example: python tools/data/check_videos.py data/ucf101/videos --out checked.csv
"""

import sys
from pathlib import Path

from mmattn.prepare.decord_check import check_videos, find_videos, summary, write_report
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool; the exit code is 1 when a video is read wrongly, or not at all."""
    parser = tool_parser(
        __doc__,
        description='Say which videos decord, and so any MMAction2 config that decodes '
        'with it, reads wrongly, and which are broken: its frames are compared with '
        'those of decoding in order. The exit code is 0 if decord reads every video '
        'right, 1 if not, 2 if there is nothing to check.',
    )
    parser.add_argument(
        'sources',
        nargs='+',
        metavar='LIST|FOLDER|VIDEO',
        help='lists of videos, with labels or other fields behind the paths, folders, '
        'which are searched with their subfolders, or videos',
    )
    parser.add_argument(
        '--prefix', help="folder before the paths of lists; default: the list's own"
    )
    parser.add_argument(
        '--clips',
        type=int,
        default=25,
        help='spaced frames to ask decord for, as a test pipeline does; 0 asks for '
        'every frame; default: %(default)s',
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='judge by the kind of file alone and decode nothing; needs no decord',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('checked_videos.csv'),
        help='report on every video, .csv or .json; beside it a .jsonl remembers what '
        'was checked, so that an interrupted run goes on; default: %(default)s',
    )
    parser.add_argument('--workers', type=int, default=2, help='processes; default: 2')
    args = parser.parse_args()
    if args.out.suffix.lower() not in ('.csv', '.json'):
        parser.error(f'--out: expected a file .csv or .json, got {args.out}')
    paths: list[str] = []
    try:
        for source in args.sources:
            found, skipped = find_videos(source, args.prefix)
            paths += found
            for path in skipped:
                print(f'not a video by its ending: {path}', file=sys.stderr)
        checks = check_videos(
            paths,
            args.out.with_suffix('.jsonl'),
            clips=args.clips,
            quick=args.quick,
            workers=args.workers,
        )
        write_report(args.out, checks)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    bad = [check for check in checks if check.verdict != 'right']
    for check in bad:
        print(check)
    print(summary(checks))
    print(f'every video: {args.out}')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
