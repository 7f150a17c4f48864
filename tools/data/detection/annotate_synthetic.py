"""Write annotations for action detection of synthetic videos, as an example.

python tools/data/synthetic/make_videos.py data/own --preset motion
python tools/data/detection/annotate_synthetic.py data/own
"""

import sys
from pathlib import Path

import numpy as np

from mmattn.datasets.video_reader import open_video
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.files import write_text
from mmattn.utils.text import read_lines

SPLITS = ('train', 'val')


def lines_of(video: Path, label: int) -> list[str]:
    """Return a line for each whole second at which the actor is in view."""
    truth = video.parent.parent / 'ground_truth' / f'{video.stem}.npz'
    with np.load(truth) as content:
        boxes = content['boxes']
    with open_video(video) as reader:
        fps, height, width = reader.fps, reader.height, reader.width
    lines = []
    for second in range(int(np.ceil(len(boxes) / fps))):
        size = np.array([width, height] * 2)
        box = (boxes[round(second * fps)] / size).clip(0, 1)
        if np.isfinite(box).all() and (box[:2] < box[2:]).all():
            corners = ','.join(f'{value:.4f}' for value in box)
            lines.append(f'{video.name},{second},{corners},{label},0')
    return lines


def main() -> int:
    """Run the tool."""
    parser = tool_parser(
        __doc__,
        description='Write train.csv, val.csv and labels.pbtxt for videos of '
        'tools/data/synthetic/make_videos.py, each of which has one actor.',
    )
    parser.add_argument('folder', type=Path, help='folder of the data set')
    folder = parser.parse_args().folder
    for split in SPLITS:
        lines = []
        for line in read_lines(folder / f'{split}.txt'):
            path, label = line.split()
            lines += lines_of(folder / path, int(label) + 1)
        write_text(folder / f'{split}.csv', '\n'.join(lines) + '\n')
    names = read_lines(folder / 'classes.txt')
    items = [
        f'item {{\n  name: "{name}"\n  id: {number}\n}}\n'
        for number, name in enumerate(names, start=1)
    ]
    write_text(folder / 'labels.pbtxt', ''.join(items))
    print(f'{folder}: {", ".join(f"{split}.csv" for split in SPLITS)}, labels.pbtxt')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
