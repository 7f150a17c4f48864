"""Draw which frames of videos a model attends to, with the numbers as JSON.

python tools/visualization/timeline.py CONFIG CHECKPOINT VIDEO... --out DIR
"""

import argparse
import sys
from pathlib import Path

from mmattn.apis.attention import load_model
from mmattn.apis.timelines import draw_timelines
from mmattn.utils.host_tools import add_split_option, find_config, set_split


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of a recognizer on videos')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('videos', nargs='+', help='video files')
    parser.add_argument('--out', required=True, help='folder for png and json files')
    parser.add_argument('--classes', help='text file with a class name per line')
    parser.add_argument('--ground-truth', help='folder of npz files with key frames')
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    add_split_option(parser)
    args = parser.parse_args()
    set_split(args.split)
    classes = None
    if args.classes:
        classes = Path(args.classes).read_text(encoding='utf-8').splitlines()
    config = find_config(args.config)
    model = load_model(config, args.checkpoint, device=args.device)
    pictures = draw_timelines(
        model, args.videos, args.out, classes=classes, ground_truth=args.ground_truth
    )
    for picture in pictures:
        print(picture)
    return 0


if __name__ == '__main__':
    sys.exit(main())
