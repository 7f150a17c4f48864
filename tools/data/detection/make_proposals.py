"""Make proposals of persons for annotations, with any detector of mmdet or without.

python tools/data/detection/make_proposals.py data/own/train.csv train.json
    [--detector CONFIG CHECKPOINT --videos data/own/videos]
"""

import sys

from mmattn.datasets.proposals import save_proposals
from mmattn.inference.persons import (
    PersonDetector,
    boxes_as_proposals,
    detect_proposals,
)
from mmattn.prepare.annotation_check import labeled_frames
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool; the exit code is 1 if a video could not be read."""
    parser = tool_parser(
        __doc__,
        description='Write the boxes of persons in the labeled frames, which training '
        'and testing start from. Without a detector they are the labeled boxes '
        'themselves: good for training, but at test they tell where persons are.',
    )
    parser.add_argument('annotations', help='csv as AVA, see check_annotations.py')
    parser.add_argument('out', help='file to write, .json or .npz')
    parser.add_argument(
        '--detector',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='config and weights of a detector of mmdet',
    )
    parser.add_argument('--videos', help='folder of the videos, for a detector')
    parser.add_argument('--person', default='person', help='name of the class')
    parser.add_argument('--score-thr', type=float, default=0.5, help='lowest score')
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    parser.add_argument(
        '--start', type=int, default=0, help='second at which videos start; AVA: 900'
    )
    args = parser.parse_args()
    if bool(args.detector) != bool(args.videos):
        parser.error('expected --detector and --videos together, got one of them')
    broken: list[str] = []
    try:
        if args.detector:
            detector = PersonDetector(
                *args.detector,
                person=args.person,
                score_thr=args.score_thr,
                device=args.device,
            )
            proposals, broken = detect_proposals(
                args.annotations, args.videos, detector, start=args.start
            )
        else:
            proposals = boxes_as_proposals(args.annotations)
        save_proposals(proposals, args.out)
        total = len(labeled_frames(args.annotations))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    counts = [len(boxes) for boxes in proposals.values() if len(boxes)]
    print(f'{sum(counts)} boxes in {len(counts)} of {total} frames: {args.out}')
    for message in broken:
        print(f'left out: {message}', file=sys.stderr)
    return int(bool(broken))


if __name__ == '__main__':
    sys.exit(run_tool(main))
