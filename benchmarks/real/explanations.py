"""Train systems on labeled videos, and ask whether their maps explain them.

python benchmarks/real/explanations.py keyframes temporal_lstm
python benchmarks/real/explanations.py keyframes,small stbta,pyramid --over time
python benchmarks/real/explanations.py FOLDER pyramid --limit 6

A preset names generated videos, 16 of each of 4 classes as ``generated.py`` makes them.
Maps are judged on the videos that training has not seen, those of every class in turn.
What each system shows is printed as soon as it is known, and in the end the tables of
all of them on all data, which also stand in ``tables.md``.
"""

import csv
import sys
from argparse import Namespace
from pathlib import Path

from explained_cells import Cell, details, overview
from generated import PRESETS, write_clips

from mmattn.explain.faithfulness import FaithfulnessOptions
from mmattn.explain.maps import map_source
from mmattn.explain.run import explain_videos
from mmattn.explain.table import table_rows
from mmattn.explain.units import OVERS
from mmattn.front.systems import STORED, SYSTEMS
from mmattn.front.train import train
from mmattn.inference.models import load_model
from mmattn.synthetic import VideoOptions
from mmattn.utils.arguments import require_choice
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.files import write_text

CLASSES, CLIPS, HARDNESS = 4, 16, 0.25


def videos_of(data: str, out: Path) -> Path:
    """The folder of labeled videos; those of a preset are made if they are missing."""
    if data not in PRESETS:
        return Path(data)
    folder = out / data
    if not (folder / 'labels.csv').is_file():
        count = None if data == 'interaction' else CLASSES
        options = VideoOptions(preset=data, num_classes=count, hardness=HARDNESS)
        write_clips(folder, options, CLASSES * CLIPS)
    return folder


def held_out(run: Path, folder: Path) -> list[Path]:
    """Videos of a run's test, one of each class after the other."""
    with (run / 'test.tsv').open(encoding='utf-8') as stream:
        rows = list(csv.reader(stream, delimiter='\t'))
    by_class: dict[str, list[Path]] = {}
    for path, label in rows:
        by_class.setdefault(label, []).append(folder / path)
    longest = max(map(len, by_class.values()))
    turns = range(longest)
    return [v[k] for k in turns for v in by_class.values() if k < len(v)]


def explained(data: str, system: str, args: Namespace) -> Cell:
    """Train a system on data and judge its maps.

    Args:
        data: A preset or a folder of labeled videos.
        system: The system.
        args: Arguments of the command line.
    """
    out = Path(args.out)
    folder = videos_of(data, out)
    run = out / f'{folder.name}-{system}'
    trained = train(
        folder,
        system,
        out=run,
        frames=args.frames,
        maps=out / f'{folder.name}-{STORED[system]}',
    )
    found = explain_videos(
        load_model(trained.checkpoint, options=dict(channels_last=True)),
        held_out(run, folder)[: args.limit],
        run / 'explain',
        sources={
            method: map_source(method, layer=args.layer)
            for method in ('attention', 'grad_cam')
        },
        options=FaithfulnessOptions(
            overs=args.over,
            replace=args.replace,
            steps=args.steps,
            randoms=args.randoms,
            sets=args.sets,
        ),
    )
    print(trained.outcome)
    print(found.text)
    outcome = trained.outcome
    right = f'{outcome.right} of {outcome.videos}'
    return Cell(folder.name, system, right, table_rows(found.results))


def main() -> int:
    """Run the benchmark."""
    parser = tool_parser(__doc__)
    presets = ', '.join(PRESETS)
    parser.add_argument('data', help=f'with commas: {presets}, or see mmattn train')
    parser.add_argument('systems', help=f'with commas: {", ".join(SYSTEMS)}')
    parser.add_argument('--frames', type=int, default=16, help='frames of a video')
    parser.add_argument('--over', nargs='+', choices=OVERS, default=['space', 'time'])
    parser.add_argument('--limit', type=int, default=8, help='videos to explain')
    parser.add_argument('--layer', default='backbone', help='layer of Grad-CAM')
    parser.add_argument('--steps', type=int, default=5, help='steps of each curve')
    parser.add_argument('--randoms', type=int, default=2, help='random maps')
    parser.add_argument('--sets', type=int, default=24, help='as in mmattn explain')
    parser.add_argument('--replace', default='blur', help='as in mmattn explain')
    parser.add_argument('--out', default='work_dirs/explanations', help='folder')
    args = parser.parse_args()
    systems = args.systems.split(',')
    for system in systems:
        require_choice('systems', system, SYSTEMS)
    cells = [
        explained(data, system, args)
        for data in args.data.split(',')
        for system in systems
    ]
    tables = f'{overview(cells)}\n\n{details(cells)}\n'
    write_text(Path(args.out) / 'tables.md', tables)
    print(tables)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
