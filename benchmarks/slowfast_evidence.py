"""SlowFast self-attention against no attention on the `interaction` videos, over seeds.

For each seed makes the videos and trains the tiny configs, with and without the
attention, each with the proposals of the data and end to end. Both have the same
backbone, box head, data, order of the data and schedule. Prints the frame-mAP on clips
that were not seen, in percent: mean +- standard deviation over the seeds, and of the
difference that attention makes, seed by seed. Every figure is reported; none has a
bound.

    python benchmarks/slowfast_evidence.py [--seeds 0 1 2] [--clips 24 12]
"""

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmattn.datasets.synthetic import VideoOptions, make_videos
from mmattn.testing import train_and_test

CONFIGS = Path(__file__).resolve().parent.parent / 'configs/detection/slowfast_attn'
PERSONS = {
    'proposals of the data': 'slowfast_attn_tiny-r3d_1xb8-8x2x1-15e_interaction-rgb.py',
    'end to end': 'slowfast_attn-e2e_tiny-r3d_1xb8-8x2x1-15e_interaction-rgb.py',
}
WITHOUT = {  # what Fig. 3 of the paper compares with
    'model.roi_head.shared_head': None,
    'model.roi_head.bbox_head.in_channels': 48,
}
HEADS: dict[str, dict[str, Any]] = {'attention': {}, 'without': WITHOUT}
DATA = Path('data/synthetic/interaction')


def make_data(seed: int, clips: list[int]) -> None:
    train, test = clips
    options = VideoOptions(
        preset='interaction',
        num_frames=20,
        fps=10,
        size=(96, 64),
        hardness=0.2,
        seed=seed,
        clips_per_class=dict(train=train, test=test),
    )
    make_videos(DATA, options, workers=1, overwrite=True, progress=False)


def frame_map_of(persons: str, head: str, seed: int, epochs: int) -> float:
    """Train one network and return its frame-mAP in percent."""
    cfg = Config.fromfile(CONFIGS / PERSONS[persons])
    cfg.merge_from_dict(HEADS[head])
    cfg.randomness = dict(seed=seed)
    cfg.train_cfg.update(max_epochs=epochs, val_begin=epochs, val_interval=epochs)
    cfg.param_scheduler[0].total_steps = epochs
    cfg.default_hooks.checkpoint = None
    cfg.log_level = 'ERROR'
    for split in ('train', 'val', 'test'):  # workers cost more than they give here
        cfg[f'{split}_dataloader'].update(num_workers=0, persistent_workers=False)
    result = train_and_test(cfg, Path('work', persons, head))
    return 100 * result['mAP/overall']


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--clips', type=int, nargs=2, default=[24, 12], help='train and test, per class'
    )
    parser.add_argument('--epochs', type=int, default=15)
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)
    outcomes: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for seed in args.seeds:
            make_data(seed, args.clips)
            for persons in PERSONS:
                for head in HEADS:
                    start = time.process_time()
                    value = frame_map_of(persons, head, seed, args.epochs)
                    outcomes.setdefault((persons, head), []).append(value)
                    print(
                        f'seed {seed}, {persons}, {head}: {value:.1f} '
                        f'({time.process_time() - start:.0f} CPU s)',
                        flush=True,
                    )
        os.chdir(CONFIGS)
    for persons in PERSONS:
        with_attention, without = (outcomes[persons, head] for head in HEADS)
        gains = [a - b for a, b in zip(with_attention, without, strict=True)]
        rows = zip(
            (*HEADS, 'difference'), (with_attention, without, gains), strict=True
        )
        for name, values in rows:
            print(f'{persons}, {name}: {summary(values)}')
    print(f'{time.process_time() / 60:.1f} CPU minutes')
    return 0


def summary(values: list[float]) -> str:
    """Mean and standard deviation."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f'{statistics.mean(values):.1f} +- {spread:.1f}'


if __name__ == '__main__':
    sys.exit(main())
