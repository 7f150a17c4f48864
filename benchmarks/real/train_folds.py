"""Train systems and their twins as ``mmattn train`` does, fold by fold.

python benchmarks/real/train_folds.py DATA --systems pyramid,slowfast_attn --tuned
python benchmarks/real/train_folds.py DATA --systems temporal_lstm,pyramid --finetune

Folds and statistics are those of ``mmattn compare``; nothing is chosen. ``--finetune``
trains end to end: the network of the frames learns, too, which takes minutes a training
on a GPU. What is there is not trained again.
"""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

from mmattn.comparison.clips import group_names, read_clips
from mmattn.comparison.result import Comparison, paired_row
from mmattn.comparison.training import dealt
from mmattn.evaluation import load_scores
from mmattn.front.systems import SYSTEMS, TUNED, Plan
from mmattn.front.train import train
from mmattn.front.trunks import DEFAULT, TRUNKS
from mmattn.prepare.own_videos import Clip, class_names
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
    clips: list[Clip], folds: np.ndarray, system: str, form: str, args: Namespace
) -> np.ndarray:
    """How often each clip was right when its fold was tested, over the seeds, (N,)."""
    right = np.zeros(len(clips))
    options = dict(attention=form != 'twin', tuned=form == 'tuned')
    stored = Plan(system, TRUNKS[DEFAULT], '', 2, **options).stored
    for fold in np.unique(folds):
        videos = Path(args.out) / f'fold{fold}'
        for seed in range(args.seeds):
            out = Path(args.out) / f'{system}-{form}-fold{fold}-seed{seed}'
            if not (out / 'scores.pkl').is_file():
                train(
                    videos,
                    system,
                    out=out,
                    frames=args.frames,
                    epochs=args.epochs,
                    finetune=args.finetune,
                    maps=Path(args.out) / f'fold{fold}-{stored}',
                    seed=seed,
                    progress=False,
                    **options,
                )
            found = load_scores(out / 'scores.pkl')
            numbers = [int(Path(name).stem) for name in found.video_ids]
            correct = found.scores.argmax(axis=1) == found.labels
            right[numbers] += correct
            print(f'{out.name}: {100 * correct.mean():.1f} %')
            sys.stdout.flush()
    return right / args.seeds


def main() -> int:
    """Run the benchmark."""
    parser = tool_parser(__doc__)
    parser.add_argument('data', help='labeled videos, see mmattn compare --help')
    parser.add_argument('--systems', default='temporal_lstm,pyramid')
    parser.add_argument('--frames', type=int, default=16, help='frames of a video')
    parser.add_argument('--epochs', type=int, help='by default as mmattn train does')
    parser.add_argument(
        '--tuned', action='store_true', help='also the recommended forms'
    )
    parser.add_argument(
        '--finetune', action='store_true', help='let the network learn, too'
    )
    parser.add_argument('--folds', type=int, default=5, help='most folds')
    parser.add_argument('--seeds', type=int, default=1, help='trainings of each fold')
    parser.add_argument('--out', default='work_dirs/train_folds', help='folder')
    args = parser.parse_args()
    systems = args.systems.split(',')
    for name in systems:
        require_choice('--systems', name, SYSTEMS)
    clips = read_clips(args.data)
    classes = class_names(clips)
    labels = np.array([classes.index(clip.label) for clip in clips])
    groups = np.unique(group_names(clips), return_inverse=True)[1]
    folds = dealt(labels, groups, args.folds)
    for fold in np.unique(folds):
        write_fold(Path(args.out) / f'fold{fold}', clips, folds == fold)
    rows = []
    for name in systems:
        twin = right_clips(clips, folds, name, 'twin', args)
        forms = ['default', 'tuned'] if args.tuned and name in TUNED else ['default']
        for form in forms:
            own = right_clips(clips, folds, name, form, args)
            row = paired_row(
                name,
                form,
                twin,
                own,
                labels=labels,
                groups=groups,
                num_classes=len(classes),
            )
            rows.append(row)
    found = Comparison(
        rows=rows,
        classes=classes,
        num_clips=len(clips),
        num_groups=len(np.unique(groups)),
        grouped=bool(clips[0].group),
        num_folds=len(np.unique(folds)),
        seeds=args.seeds,
        most_frequent=float(np.bincount(labels).max()) / len(labels),
    )
    print(found.table())
    found.save(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
