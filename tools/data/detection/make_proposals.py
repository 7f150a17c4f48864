"""Make proposals of persons for annotations, with any detector of mmdet or without.

python tools/data/detection/make_proposals.py data/own/train.csv train.json
    [--detector CONFIG CHECKPOINT --videos data/own/videos]
"""

import argparse
import sys

from mmattn.apis.persons import PersonDetector, boxes_as_proposals, detect_proposals
from mmattn.datasets.annotation_check import labeled_frames
from mmattn.datasets.detection import save_proposals


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description='Write the boxes of persons in the labeled frames, which training '
        'and testing start from. Without a detector they are the labeled boxes '
        'themselves: good for training, but at test they tell where persons are.'
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
    try:
        if args.detector:
            detector = PersonDetector(
                *args.detector,
                person=args.person,
                score_thr=args.score_thr,
                device=args.device,
            )
            proposals = detect_proposals(
                args.annotations, args.videos, detector, start=args.start
            )
        else:
            proposals = boxes_as_proposals(args.annotations)
        save_proposals(proposals, args.out)
        total = len(labeled_frames(args.annotations))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    boxes = sum(map(len, proposals.values()))
    print(f'{boxes} boxes in {len(proposals)} of {total} frames: {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
