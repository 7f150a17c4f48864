"""Store the optical flow of all videos in a folder.

Example: python tools/data/extract_flow.py data/ucf101/videos data/ucf101/rawframes
"""

import sys

from mmattn.datasets.optical_flow import METHODS
from mmattn.prepare.flow_extraction import STORAGES, FlowOptions, extract_flow
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool; the exit code is 1 when videos could not be read."""
    parser = tool_parser(
        __doc__,
        description='Store the optical flow of all videos in a folder as pairs of gray '
        'images. Finished videos are skipped, broken ones are named at the end.',
    )
    parser.add_argument('videos', help='folder of the videos, with subfolders')
    parser.add_argument('out', help='folder to write to, with the same subfolders')
    parser.add_argument('--method', choices=METHODS, default='tvl1')
    parser.add_argument(
        '--bound', type=float, default=20, help='pixels that become level 255'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('WIDTH', 'HEIGHT'),
        help='resize frames before; default: as they are',
    )
    parser.add_argument(
        '--storage',
        choices=STORAGES,
        default='folders',
        help='a folder of images or one file per video; default: %(default)s',
    )
    parser.add_argument(
        '--part',
        type=int,
        nargs=2,
        default=(1, 1),
        metavar=('I', 'N'),
        help='do the I-th of N parts, for N machines',
    )
    parser.add_argument('--workers', type=int, default=2, help='processes; default: 2')
    args = parser.parse_args()
    try:
        report = extract_flow(
            args.videos,
            args.out,
            FlowOptions(
                args.method, args.bound, args.size and tuple(args.size), args.storage
            ),
            part=tuple(args.part),
            workers=args.workers,
        )
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    for message in report.broken:
        print(f'left out: {message}', file=sys.stderr)
    print(
        f'{report.videos} videos done, {report.skipped} were done before, '
        f'{len(report.broken)} cannot be read'
    )
    if report.seconds:
        rate = report.fields / report.seconds
        print(f'{args.method}: {rate:.1f} frames per second and process')
    return 1 if report.broken else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
