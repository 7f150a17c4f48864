"""Say what videos show: classes by name, over time, for each frame or person.

python tools/predict.py work_dirs/mine video.mp4
python tools/predict.py work_dirs/mine film.mp4 --every 2 --out labels.csv

MODEL is a work folder, a checkpoint that carries its config, an exported .onnx file, or
a config (or its name) followed by its weights.
"""

import argparse
import sys

from mmattn.front.predict import Request, predict_all
from mmattn.inference.steps import CROPS
from mmattn.utils.command_line import run_tool, tool_parser


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = tool_parser(__doc__)
    parser.add_argument('model', help='see above')
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='input',
        help='video files, folders of them, patterns such as "clips/*.mp4", or the '
        'number of a camera; before them the weights, where the model is a config',
    )
    parser.add_argument('--top', type=int, default=5, help='classes of each video')
    parser.add_argument(
        '--out',
        help='also write .csv or .json of all, .mp4 of one video with its classes, or '
        'a folder with scores, attention and pictures',
    )
    parser.add_argument(
        '--every', type=float, metavar='SECONDS', help='from one part to the next'
    )
    parser.add_argument(
        '--window',
        type=float,
        metavar='SECONDS',
        help='length of a part; by default as --every, or as a clip of the model spans',
    )
    parser.add_argument('--classes', help='text file with a class name per line')
    parser.add_argument(
        '--crops',
        choices=CROPS,
        help='of the frames; by default those of the test, and the center with --every',
    )
    parser.add_argument(
        '--persons',
        metavar='FILE|frame',
        help='for detectors: file with boxes by "video,second", or frame for one box '
        'of the whole frame',
    )
    parser.add_argument('--batch-size', type=int, default=8, help='clips at once')
    parser.add_argument('--device', help='such as cuda:0; a GPU if there is one')
    parser.add_argument('--bf16', action='store_true', help='compute in bfloat16')
    return parser.parse_args()


def main() -> int:
    """Run the tool."""
    try:
        return predict_all(Request(**vars(parse_args())))
    except KeyboardInterrupt:
        print('stopped', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(run_tool(main))
