"""Train systems and their twins end to end on labeled videos, and print the table.

python benchmarks/real/end_to_end.py DATA --systems temporal_lstm,pyramid --frames 8

The network of the frames learns, too, from the weights that ``mmattn train --finetune``
starts from; folds and statistics are those of ``mmattn compare``. Nothing is chosen.
Each system needs twice as many trainings as there are folds and seeds, each of minutes
on a GPU; what is there is not trained again.
"""

import os
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

from mmattn.comparison.clips import group_names, read_clips
from mmattn.comparison.result import Comparison, Row
from mmattn.comparison.statistics import grouped_mean
from mmattn.comparison.training import dealt
from mmattn.evaluation import load_scores
from mmattn.front.systems import SYSTEMS
from mmattn.front.train import train
from mmattn.prepare.own_videos import Clip
from mmattn.utils.arguments import require_choice
from mmattn.utils.command_line import run_tool, tool_parser


def write_fold(folder: Path, clips: list[Clip], held: np.ndarray) -> None:
    """Link clips into ``train`` and ``val``, each named by its number."""
    for number, (clip, tested) in enumerate(zip(clips, held, strict=True)):
        name = f'{number:05}{clip.path.suffix}'
        link = folder / ('val' if tested else 'train') / clip.label / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(clip.path.resolve())


def right_clips(
    clips: list[Clip], folds: np.ndarray, system: str, attention: bool, args: Namespace
) -> np.ndarray:
    """How often each clip was right when its fold was tested, over the seeds, (N,)."""
    right = np.zeros(len(clips))
    for fold in np.unique(folds):
        videos = Path(args.out) / f'fold{fold}'
        write_fold(videos, clips, folds == fold)
        for seed in range(args.seeds):
            arm = system if attention else f'{system}-twin'
            out = Path(args.out) / f'{arm}-fold{fold}-seed{seed}'
            if not (out / 'scores.pkl').is_file():
                train(
                    videos,
                    system,
                    out=out,
                    frames=args.frames,
                    epochs=args.epochs,
                    finetune=True,
                    attention=attention,
                    seed=seed,
                    progress=False,
                )
            found = load_scores(out / 'scores.pkl')
            numbers = [int(Path(name).stem) for name in found.video_ids]
            right[numbers] += found.scores.argmax(axis=1) == found.labels
            print(f'{out.name}: {100 * right[numbers].mean() / (seed + 1):.1f} %')
            sys.stdout.flush()
    return right / args.seeds


def main() -> int:
    """Run the benchmark."""
    parser = tool_parser(__doc__)
    parser.add_argument('data', help='labeled videos, see mmattn compare --help')
    parser.add_argument('--systems', default='temporal_lstm,pyramid')
    parser.add_argument('--frames', type=int, default=16, help='frames of a video')
    parser.add_argument('--epochs', type=int, help='by default as mmattn train does')
    parser.add_argument('--folds', type=int, default=5, help='most folds')
    parser.add_argument('--seeds', type=int, default=1, help='trainings of each fold')
    parser.add_argument('--out', default='work_dirs/end_to_end', help='folder')
    args = parser.parse_args()
    systems = args.systems.split(',')
    for name in systems:
        require_choice('--systems', name, SYSTEMS)
    clips = read_clips(args.data)
    classes = sorted({clip.label for clip in clips})
    labels = np.array([classes.index(clip.label) for clip in clips])
    groups = np.unique(group_names(clips), return_inverse=True)[1]
    folds = dealt(labels, groups, args.folds)
    rows = []
    for name in systems:
        twin, own = (
            right_clips(clips, folds, name, attention, args)
            for attention in (False, True)
        )
        gains = own - twin
        rows.append(
            Row(
                system=name,
                form=f'{args.frames} frames',
                twin=grouped_mean(twin, groups),
                accuracy=grouped_mean(own, groups),
                gain=grouped_mean(gains, groups),
                by_class=[
                    float(gains[labels == k].mean()) for k in range(len(classes))
                ],
            )
        )
    found = Comparison(
        rows=rows,
        classes=classes,
        num_clips=len(clips),
        num_groups=len(np.unique(groups)),
        grouped=bool(clips[0].group),
        num_folds=len(np.unique(folds)),
        seeds=args.seeds,
        most_frequent=float(np.bincount(labels).max()) / len(labels),
        minutes=sum(os.times()[:4]) / 60,
    )
    print(found.table())
    found.save(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
