"""Write a data set of synthetic videos with exact ground truth.

Example: python tools/data/synthetic/make_videos.py data/keyframes --preset keyframes
"""

import argparse
import sys

from mmattn.synthetic import (
    PRESET_DEFAULTS,
    SPLITS,
    VideoOptions,
    make_videos,
)
from mmattn.utils.command_line import run_tool, tool_parser


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(
        __doc__,
        description='Write a data set of synthetic videos with exact ground truth.',
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument('out', help='output folder, absent or empty')
    parser.add_argument(
        '--preset', choices=list(PRESET_DEFAULTS), help='default: keyframes'
    )
    parser.add_argument('--num-classes', type=int, help='default: 10, interaction 6')
    parser.add_argument(
        '--clips-per-class',
        type=int,
        nargs=3,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='clips of each class in each split; default: 60 15 15, '
        'interaction 40 10 10',
    )
    parser.add_argument('--num-frames', type=int, help='default: 30')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('WIDTH', 'HEIGHT'),
        help='pixels, even; default: 64 64, small 96 96, interaction 144 96',
    )
    parser.add_argument('--hardness', type=float, help='0 to 1; default: 0.5')
    parser.add_argument('--seed', type=int, help='default: 0')
    parser.add_argument(
        '--key-fraction',
        type=float,
        help='largest fraction of key frames, preset keyframes; default: 0.2',
    )
    parser.add_argument('--fps', type=int, help='default: 15')
    parser.add_argument(
        '--save-flow', action='store_true', help='store the exact optical flow'
    )
    parser.add_argument('--workers', type=int, default=2, help='processes; default: 2')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        default=False,
        help='replace the data set in a folder that is not empty',
    )
    return parser.parse_args()


def main() -> None:
    """Write the data set that the command line describes."""
    options = vars(parse_args())
    out, workers, overwrite = (options.pop(k) for k in ('out', 'workers', 'overwrite'))
    if 'clips_per_class' in options:
        clips = zip(SPLITS, options['clips_per_class'], strict=True)
        options['clips_per_class'] = dict(clips)
    make_videos(out, VideoOptions(**options), workers=workers, overwrite=overwrite)


if __name__ == '__main__':
    sys.exit(run_tool(main))
