"""Write the frames of AVA's movies, and check what the configs read.

Example: python tools/data/ava/prepare_ava.py data/ava --workers 8
"""

import sys
from pathlib import Path

from mmattn.prepare.ava_frames import FrameOptions, extract_frames, read_movies
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool; the exit code is 1 when movies are missing or broken."""
    parser = tool_parser(
        __doc__,
        description='Check the official files in the folder annotations, and write the '
        "frames of the movies in the folder videos to rawframes. Finished movies' "
        'frames are kept. What is missing or cannot be read is named, and the exit '
        'code is 1.',
    )
    parser.add_argument('root', type=Path, nargs='?', default=Path('data/ava'))
    parser.add_argument(
        '--versions', nargs='+', default=['2.1', '2.2'], help='default: 2.1 2.2'
    )
    parser.add_argument(
        '--start',
        type=float,
        default=900,
        help='second of frame 1; 0 for movies that are cut; default: %(default)s',
    )
    parser.add_argument(
        '--seconds', type=int, default=900, help='stored time; default: %(default)s'
    )
    parser.add_argument(
        '--short-side', type=int, help='pixels of a frame; default: as the movie'
    )
    parser.add_argument(
        '--partial',
        action='store_true',
        help='take csv files of any number of movies',
    )
    parser.add_argument('--workers', type=int, default=2, help='processes; default: 2')
    args = parser.parse_args()
    options = FrameOptions(args.start, args.seconds, short_side=args.short_side)
    try:
        movies: dict[str, None] = {}
        for version in args.versions:
            splits = read_movies(
                args.root / 'annotations', version, partial=args.partial
            )
            for split, names in splits.items():
                print(f'{split} {version}: {len(names)} movies')
                movies.update(dict.fromkeys(names))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    problems = extract_frames(
        args.root / 'videos',
        args.root / 'rawframes',
        list(movies),
        options,
        workers=args.workers,
    )
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f'{len(movies) - len(problems)} of {len(movies)} movies are complete')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
