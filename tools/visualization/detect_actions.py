"""Detect the actions of persons in a video: a film, a sheet of frames, and numbers.

python tools/visualization/detect_actions.py CONFIG CHECKPOINT VIDEO --out DIR
    --detector DETECTOR_CONFIG DETECTOR_CHECKPOINT
"""

import argparse
import sys

from mmattn.inference.detect import class_names, detect_actions
from mmattn.inference.models import load_model
from mmattn.inference.persons import (
    GivenPersons,
    PersonDetector,
    PersonSource,
    StoredPersons,
)
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import find_config
from mmattn.visualization.detection_pictures import save_detections


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    parser.add_argument('config', help='config of an action detector')
    parser.add_argument('checkpoint', nargs='?', help='its weights')
    parser.add_argument('video', help='video file')
    parser.add_argument('--out', required=True, help='folder for the results')
    parser.add_argument(
        '--untrained',
        action='store_true',
        help='take random weights in place of a checkpoint; the pictures say so',
    )
    persons = parser.add_mutually_exclusive_group()
    persons.add_argument(
        '--detector',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='detector of mmdet that finds the persons',
    )
    persons.add_argument('--proposals', help='file of boxes by video,second')
    persons.add_argument(
        '--boxes',
        nargs='+',
        type=_box,
        metavar='X1,Y1,X2,Y2',
        help='persons in all frames, as parts of width and height',
    )
    parser.add_argument('--person', default='person', help="detector's class")
    parser.add_argument(
        '--person-score-thr', type=float, default=0.5, help='lowest score of a person'
    )
    parser.add_argument(
        '--every', type=float, default=1.0, help='seconds between key frames'
    )
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='lowest score of an action'
    )
    parser.add_argument('--top', type=int, default=3, help='actions of one person')
    parser.add_argument(
        '--label-map', help="pbtxt of the classes; the config's if none"
    )
    parser.add_argument('--columns', type=int, default=4, help='frames on the sheet')
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    args = parser.parse_args()
    if args.untrained == (args.checkpoint is not None):
        parser.error('expected a checkpoint, or --untrained without one')
    return args


def find_persons(args: argparse.Namespace) -> PersonSource | None:
    """Return where boxes come from; None lets the model propose them."""
    if args.detector:
        return PersonDetector(
            *args.detector,
            person=args.person,
            score_thr=args.person_score_thr,
            device=args.device,
        )
    if args.proposals:
        return StoredPersons(args.proposals, args.video)
    return GivenPersons(args.boxes) if args.boxes else None


def main() -> int:
    """Run the tool."""
    args = parse_args()
    config = find_config(args.config)
    model = load_model(
        config, args.checkpoint, device=args.device, untrained=args.untrained
    )
    names = class_names(model.cfg, args.label_map)
    found = detect_actions(
        model,
        args.video,
        find_persons(args),
        every_seconds=args.every,
        score_thr=args.score_thr,
        top=args.top,
    )
    files = save_detections(
        args.video,
        found,
        names,
        args.out,
        weights=args.checkpoint,
        num_columns=args.columns,
    )
    for file in files:
        print(file)
    return 0


def _box(text: str) -> list[float]:
    return [float(value) for value in text.split(',')]


if __name__ == '__main__':
    sys.exit(run_tool(main))
