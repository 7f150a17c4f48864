"""ConvLSTM attention on the `motion` videos, over seeds: does it learn, and look right?

For each seed makes the videos, trains the tiny config with tools/train.py, tests it on
clips it has not seen and measures the pointing game: the share of frames whose
attention has its maximum in the actor's box, mean over the clips.  Exits with 1 if a
seed has less than 90 % top-1, or if the lower 95 % bound of the pointing score over the
seeds is not above 1.5 times the box's share of the area, which uniform attention gets.

    python benchmarks/convlstm_motion.py [--seeds 0 1 2] [--clips 60 15] [--epochs 20]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / (
    'configs/recognition/convlstm/convlstm_tiny-vgg11bn_1xb20-30x1-20e_motion-rgb.py'
)
DATA = Path('data/synthetic/motion')
T_QUANTILE = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}  # two-sided 95 % by seeds
FIGURES = {
    'top1': 'top-1 of videos, %',
    'frame_top1': 'top-1 of frames, %',
    'pointing': 'pointing score',
    'mass': 'attention mass in the box',
    'area': "the box's share of the area",
    'seconds': 'seconds',
}


def call(folder: Path, script: str, *args: object) -> None:
    command = [sys.executable, str(ROOT / 'tools' / script), *map(str, args)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f'{run.stdout[-2000:]}\n{run.stderr[-2000:]}')


def run_seed(folder: Path, seed: int, clips: list[int], epochs: int) -> dict:
    start = time.perf_counter()
    train, test = clips
    call(
        folder,
        'data/synthetic/make_videos.py',
        *(DATA, '--preset', 'motion', '--seed', seed),
        *('--clips-per-class', train, 0, test),
    )
    call(
        folder,
        'train.py',
        *(CONFIG, '--work-dir', 'work', '--seed', seed, '--cfg-options'),
        *(f'train_cfg.max_epochs={epochs}', f'param_scheduler.0.total_steps={epochs}'),
        *(
            f'train_cfg.val_begin={epochs}',
            f'default_hooks.checkpoint.interval={epochs}',
        ),
    )
    checkpoint = Path(folder / 'work' / 'last_checkpoint').read_text().strip()
    outcome = evaluate(folder, checkpoint)
    return dict(outcome, seconds=time.perf_counter() - start)


def evaluate(folder: Path, checkpoint: str) -> dict[str, float]:
    """Test the clips one by one, with their attention."""
    from mmengine.config import Config
    from mmengine.registry import DATASETS

    from mmattn.apis.attention import attend, load_model
    from mmattn.evaluation import mass_in_boxes, pointing_game

    cfg = Config.fromfile(CONFIG)
    cfg.test_dataloader.dataset.ann_file = str(folder / DATA / 'test.txt')
    cfg.test_dataloader.dataset.data_prefix.video = str(folder / DATA)
    width, height = json.loads((folder / DATA / 'meta.json').read_text())['size']
    model = load_model(cfg, checkpoint)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    clips = []
    for sample, (record,) in attend(model, (dataset[i] for i in range(len(dataset)))):
        name = Path(sample.video_id).name
        truth = np.load(folder / DATA / 'ground_truth' / f'{name}.npz')
        boxes = truth['boxes'][record.frames[0]] / [width, height, width, height]
        maps, label = record.map[0].numpy(), sample.gt_label.item()
        mass, area = mass_in_boxes(maps, boxes)
        right = sample.pred_frame_scores.argmax(dim=1) == label
        clips.append(
            (
                100 * (sample.pred_label.item() == label),
                100 * right.float().mean().item(),
                np.nanmean(pointing_game(maps, boxes)),
                np.nanmean(mass),
                np.nanmean(area),
            )
        )
    return dict(zip(FIGURES, np.mean(clips, axis=0).tolist(), strict=False))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--clips', type=int, nargs=2, default=[60, 15], help='train and test, per class'
    )
    parser.add_argument('--epochs', type=int, default=20)
    args = parser.parse_args()
    outcomes = []
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            outcome = run_seed(Path(folder), seed, args.clips, args.epochs)
        each = ', '.join(f'{key} {value:.3f}' for key, value in outcome.items())
        print(f'seed {seed}: {each}', flush=True)
        outcomes.append(outcome)
    for key, name in FIGURES.items():
        values = [outcome[key] for outcome in outcomes]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f'{name}: {statistics.mean(values):.3f} +- {spread:.3f}')
    pointing = [outcome['pointing'] for outcome in outcomes]
    bound = statistics.mean(pointing)
    if len(pointing) > 1:
        half = T_QUANTILE[len(pointing)] * statistics.stdev(pointing)
        bound -= half / len(pointing) ** 0.5
    wanted = 1.5 * statistics.mean(outcome['area'] for outcome in outcomes)
    print(f'lower 95 % bound of the pointing score: {bound:.3f}, wanted > {wanted:.3f}')
    passed = bound > wanted and all(outcome['top1'] >= 90 for outcome in outcomes)
    print('within the bounds' if passed else 'a bound is MISSED')
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
