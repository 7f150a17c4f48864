"""Make generated videos and compare systems on them, as on any labeled videos.

python benchmarks/real/generated.py keyframes --systems none
python benchmarks/real/generated.py keyframes --hardness 0.25 --systems temporal_lstm

Hardness is to be chosen with ``--systems none``, the mean of the frames, between 40 and
75 %, before any system is run. ``interaction`` shows the surroundings of one person,
and its four classes are what stands beside: a wheel, a crate, or a person who moves
slowly or fast.
"""

import csv
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np

from mmattn.comparison.compare import compare
from mmattn.comparison.systems import FORMS, SYSTEMS
from mmattn.synthetic import Clip, VideoOptions, render_clip
from mmattn.synthetic.writer import write_video
from mmattn.utils.command_line import run_tool, tool_parser

PRESETS = ('keyframes', 'motion', 'small', 'trimmed', 'interaction')
BESIDE = ('use', 'join')  # classes of `interaction` that say what stands beside
AROUND = 2.2  # side of the surroundings, in heights of the person


def surroundings(clip: Clip, size: int = 96) -> np.ndarray:
    """Square of the frames around the first person.

    Args:
        clip: Clip of the preset 'interaction'.
        size: Most rows and columns.

    Shape:
        - Output: (T, side, side, 3), an even number of rows and columns.
    """
    x1, y1, x2, y2 = clip.persons[0].boxes.mean(axis=0)
    height, width = clip.frames.shape[1:3]
    side = int(min(AROUND * (y2 - y1), height, width, size)) // 2 * 2
    left = int(np.clip((x1 + x2 - side) / 2, 0, width - side))
    top = int(np.clip((y1 + y2 - side) / 2, 0, height - side))
    return clip.frames[:, top : top + side, left : left + side]


def rendered(options: VideoOptions) -> Iterator[tuple[np.ndarray, str]]:
    """Frames and class of one clip after the other, of each class in turn."""
    for index in count():
        name = options.classes[index % len(options.classes)]
        if options.preset != 'interaction':
            yield render_clip(options, 'train', index).frames, name
        elif name.startswith(BESIDE):
            yield surroundings(render_clip(options, 'train', index)), name


def write_clips(folder: Path, options: VideoOptions, num_clips: int) -> None:
    """Write the first clips, and ``labels.csv``, which lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for k, (frames, name) in enumerate(islice(rendered(options), num_clips)):
        write_video(folder / f'{k:05}.mp4', frames, fps=options.fps)
        rows.append((f'{k:05}.mp4', name))
    with (folder / 'labels.csv').open('w', newline='', encoding='utf-8') as stream:
        csv.writer(stream).writerows([('path', 'label'), *rows])


def main() -> int:
    """Run the benchmark."""
    parser = tool_parser(__doc__)
    parser.add_argument('preset', choices=PRESETS)
    parser.add_argument('--hardness', type=float, default=0.25, help='0 to 1')
    parser.add_argument('--classes', type=int, default=4, help='number of classes')
    parser.add_argument('--clips', type=int, default=16, help='clips of each class')
    parser.add_argument('--data-seed', type=int, default=0, help='seed of the clips')
    parser.add_argument('--systems', default=','.join(SYSTEMS), help='with commas')
    parser.add_argument('--forms', default=','.join(FORMS), help='with commas')
    parser.add_argument('--seeds', type=int, default=5, help='trainings of each model')
    parser.add_argument('--out', default='work_dirs/generated', help='folder')
    args = parser.parse_args()
    options = VideoOptions(
        preset=args.preset,
        num_classes=None if args.preset == 'interaction' else args.classes,
        hardness=args.hardness,
        seed=args.data_seed,
    )
    classes = 4 if args.preset == 'interaction' else args.classes
    name = f'{args.preset}_{args.hardness:g}_{classes}x{args.clips}_{args.data_seed}'
    folder = Path(args.out) / name
    if not (folder / 'labels.csv').is_file():
        write_clips(folder, options, classes * args.clips)
    found = compare(
        folder,
        args.systems.split(','),
        seeds=args.seeds,
        forms=args.forms.split(','),
        out=folder / 'compare',
    )
    print(found.table())
    found.save(folder / 'compare')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
