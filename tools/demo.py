"""From videos to a model, a prediction and a page, beside a twin without attention.

Makes a few synthetic videos, or takes yours (`make demo VIDEOS=folder`), trains
temporal attention on a frozen pretrained network, and the same without attention,
compares both, and predicts one of the test videos. Each step is printed as the command
that does it.
"""

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from mmattn.comparison.compare import compare_dumps
from mmattn.front.model import load
from mmattn.front.train import train
from mmattn.front.training import Training
from mmattn.synthetic import VideoOptions, make_videos
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.text import read_lines

WORK = Path('work_dirs', 'demo')
DATA = Path('data', 'demo')
OPTIONS = dict(preset='keyframes', num_classes=4, num_frames=30, size=(96, 96))
CLIPS = dict(train=20, val=0, test=0)  # of each class; `mmattn train` holds some out


def show(*words: object) -> None:
    """Print a command before it runs."""
    print(f'\n$ {shlex.join(map(str, words))}', flush=True)


def own_or_made(videos: str | None, seed: int) -> Path:
    """Return the folder of videos, made where none is given."""
    if videos is not None:
        return Path(videos)
    show('python', 'tools/data/synthetic/make_videos.py', DATA, '--preset', 'keyframes')
    options = VideoOptions(**OPTIONS, clips_per_class=CLIPS, seed=seed)
    make_videos(DATA, options, workers=1, overwrite=True)
    names = read_lines(DATA / 'classes.txt')
    lines = [line.split() for line in read_lines(DATA / 'train.txt')]
    rows = [f'{path},{names[int(label)]}\n' for path, label in lines]
    (DATA / 'labels.csv').write_text('path,label\n' + ''.join(rows))
    return DATA


def trained(data: Path, name: str, seed: int, **options: Any) -> Training:
    """Train one of the two models, on maps that both share."""
    out, maps = WORK / name, WORK / 'maps'
    baseline = [] if options.get('attention', True) else ['--baseline']
    show(
        *('mmattn', 'train', data, '--system', 'temporal_lstm', *baseline),
        *('--seed', seed, '--out', out, '--maps', maps),
    )
    done = train(data, 'temporal_lstm', out=out, maps=maps, seed=seed, **options)
    print(done)
    return done


def main() -> int:
    """Run every step and print the outcome."""
    parser = tool_parser(__doc__)
    parser.add_argument('--videos', help='folder of your own videos, as for train')
    parser.add_argument('--seed', type=int, default=0, help='of data and training')
    parser.add_argument('--json', help='also write the outcome to this file')
    args = parser.parse_args()
    start = time.perf_counter()
    data = own_or_made(args.videos, args.seed)
    attending = trained(data, 'attention', args.seed)
    twin = trained(data, 'twin', args.seed, attention=False)
    show('mmattn', 'compare', twin.scores, attending.scores)
    print(compare_dumps(twin.scores, attending.scores).table())
    video = data / read_lines(attending.out / 'test.tsv')[0].split('\t')[0]
    show('mmattn', 'predict', attending.out, video)
    for name, score in load(attending.out).predict(video).top(3):
        print(f'{name} {score:.2f}')
    seconds = time.perf_counter() - start
    print(f'done in {seconds:.0f} s; open {attending.page}')
    if args.json:
        outcome = dict(
            accuracy_attention=attending.outcome.accuracy,
            accuracy_twin=twin.outcome.accuracy,
            page=str(attending.page),
            seconds=seconds,
        )
        Path(args.json).write_text(json.dumps(outcome, indent=2))
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
