"""Write the list of the Charades videos, or folders of frames, that are there.

Example: python tools/data/charades/list_charades.py Charades_v1_train.csv data/videos
"""

import argparse
import sys
from pathlib import Path

from mmattn.datasets import CharadesVideo, read_charades
from mmattn.prepare.video_check import count_frames
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.files import write_text

VIDEO, FRAME = '{folder}.mp4', '{folder}-{:06d}.jpg'


def main() -> int:
    """Run the tool; the exit code is 1 when videos are missing."""
    parser = tool_parser(
        __doc__,
        description='Write the list of the Charades videos, or folders of frames, that '
        "are there, with all classes of each: for mmattn's ActionVideoDataset "
        'or ActionFrameDataset with num_classes=157, multi_class=True and '
        'allow_unlabeled=True, as some videos show no action.',
    )
    parser.add_argument('csv', help='Charades_v1_train.csv or Charades_v1_test.csv')
    parser.add_argument('folder', type=Path, help='folder of videos or of folders')
    parser.add_argument('out', type=Path, help='list to write')
    parser.add_argument(
        '--frames', action='store_true', help='the folder has a folder of each video'
    )
    parser.add_argument(
        '--template',
        help=f'file of a video, {VIDEO} by default, or with --frames of a frame from '
        f'1, {FRAME} by default (RGB); {{folder}}-{{:06d}}x.jpg for flow',
    )
    args = parser.parse_args()
    try:
        lines, missing = make_lines(args)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    write_text(args.out, ''.join(f'{line}\n' for line in lines))
    for message in missing:
        print(f'left out: {message}', file=sys.stderr)
    print(f'{len(lines)} of {len(lines) + len(missing)} videos: {args.out}')
    return 1 if missing else 0


def make_lines(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the lines of the list, and what was not found."""
    lines, missing = [], []
    for video in read_charades(args.csv):
        try:
            source = frames_of(video, args) if args.frames else file_of(video, args)
        except FileNotFoundError as error:
            missing.append(str(error))
        else:
            lines.append(' '.join([source, *map(str, video.labels)]))
    if not lines:
        raise ValueError(f'expected videos in {args.folder}, got none of {args.csv}')
    return lines, missing


def file_of(video: CharadesVideo, args: argparse.Namespace) -> str:
    """Return the name of a video's file."""
    name = (args.template or VIDEO).replace('{folder}', video.name)
    if not (args.folder / name).is_file():
        raise FileNotFoundError(f'expected {args.folder / name}, got no file')
    return name


def frames_of(video: CharadesVideo, args: argparse.Namespace) -> str:
    """Return the name of a folder of frames and their number."""
    template = (args.template or FRAME).replace('{folder}', video.name)
    return f'{video.name} {count_frames(args.folder / video.name, template)}'


if __name__ == '__main__':
    sys.exit(run_tool(main))
