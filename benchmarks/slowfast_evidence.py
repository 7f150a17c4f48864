"""SlowFast self-attention against no attention on the `interaction` videos, over seeds.

For each seed makes the videos and trains the tiny configs, with the attention, without
it, and with the plain head of MMAction2, each with the proposals of the data and end to
end. All have the same backbone, data, order of the data and schedule. Prints the
frame-mAP on clips that were not seen, in percent: mean and standard deviation over the
seeds, and of what attention gains, seed by seed. Exits with 1 if the command took more
than 30 CPU minutes, whatever the figures are.

    python benchmarks/slowfast_evidence.py [--seeds 0 1 2] [--clips 24 12]
"""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from evidence import mean_and_spread, parser, print_minutes
from mmengine.config import Config

from mmattn.synthetic import VideoOptions, make_videos
from mmattn.testing import train_and_test

CONFIGS = Path(__file__).resolve().parent.parent / 'configs/detection/slowfast_attn'
PERSONS = {
    'proposals of the data': 'slowfast_attn_tiny-r3d_1xb8-8x2x1-15e_interaction-rgb.py',
    'end to end': 'slowfast_attn-e2e_tiny-r3d_1xb8-8x2x1-15e_interaction-rgb.py',
}
FIRST = 'attention'  # what the others are compared with
CLIPS, EPOCHS = (24, 12), 15
DATA = Path('data/synthetic/interaction')


def keep(cfg: Config) -> None:
    """The system as it is."""


def without_attention(cfg: Config) -> None:
    """Our head on the pooled regions, what Fig. 3 of the paper compares with."""
    cfg.model.roi_head.shared_head = None
    cfg.model.roi_head.bbox_head.in_channels = 48


def head_of_mmaction(cfg: Config) -> None:
    """The plain head of MMAction2: no attention, and boxes stay as proposed."""
    cfg.model.roi_head.update(
        type='AVARoIHead',
        shared_head=None,
        bbox_head=dict(
            type='BBoxHeadAVA',
            in_channels=48,
            num_classes=7,
            multilabel=True,
            background_class=True,
            dropout_ratio=0.0,
        ),
    )
    for split in ('val', 'test'):  # all that it can
        cfg[f'{split}_dataloader'].batch_size = 1


HEADS: dict[str, Callable[[Config], None]] = {
    FIRST: keep,
    'without': without_attention,
    'BBoxHeadAVA': head_of_mmaction,
}


def make_data(seed: int, clips: tuple[int, int]) -> None:
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
    HEADS[head](cfg)
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
    options = parser(__doc__.splitlines()[0])
    options.add_argument('--heads', nargs='+', choices=HEADS, default=list(HEADS))
    options.add_argument('--threads', type=int, default=1, help='CPU threads')
    args = options.parse_args()
    clips, epochs = args.clips or CLIPS, args.epochs or EPOCHS
    torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)
    outcomes: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for seed in args.seeds:
            make_data(seed, clips)
            for persons in PERSONS:
                for head in args.heads:
                    start = time.process_time()
                    value = frame_map_of(persons, head, seed, epochs)
                    outcomes.setdefault((persons, head), []).append(value)
                    print(
                        f'seed {seed}, {persons}, {head}: {value:.1f} '
                        f'({time.process_time() - start:.0f} CPU s)',
                        flush=True,
                    )
        os.chdir(CONFIGS)
    for persons in PERSONS:
        for head in args.heads:
            values = outcomes[persons, head]
            print(f'{persons}, {head}: {mean_and_spread(values)}')
            if head != FIRST in args.heads:
                pairs = zip(outcomes[persons, FIRST], values, strict=True)
                gains = [first - other for first, other in pairs]
                print(f'{persons}, {FIRST} less {head}: {mean_and_spread(gains)}')
    return 0 if print_minutes() else 1


if __name__ == '__main__':
    sys.exit(main())
