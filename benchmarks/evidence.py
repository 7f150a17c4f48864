"""What the evidence scripts share: clips in memory, training, means over seeds.

Clips are rendered and not read from files, so that the time goes into training. Every
script trains with MMEngine's Runner, in one process, whose processor time it counts.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import Compose, DefaultSampler, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import mmattn  # noqa: F401  (registers)
from mmattn.synthetic import VideoOptions, render_clip

MAX_MINUTES = 30
START = time.process_time()
PREPROCESSOR = dict(
    type='ActionDataPreprocessor', mean=[127.5] * 3, std=[57.6] * 3, format_shape='NCHW'
)


class Sample(NamedTuple):
    """A clip: frames (T, H, W, 3), class, and boxes of the actor (T, 4) in pixels."""

    frames: np.ndarray
    label: int
    boxes: np.ndarray


def render(options: VideoOptions) -> dict[str, list[Sample]]:
    """Render the clips of every split."""
    samples = {}
    for split, count in options.clips_per_class.items():
        indices = range(count * options.num_classes)
        clips = (render_clip(options, split, i) for i in indices)
        samples[split] = [Sample(c.frames, c.label, c.boxes) for c in clips]
    return samples


class Clips(Dataset):
    """Rendered clips behind a pipeline of the host's transforms.

    Args:
        samples: The clips.
        steps: Configs of what samples and changes frames, in order.
        layout: As ``input_format`` of ``FormatShape``.
    """

    def __init__(
        self, samples: list[Sample], *steps: dict, layout: str = 'NCHW'
    ) -> None:
        init_default_scope('mmaction')
        sampling, *changes = steps
        self.samples = samples
        self.pipeline = Compose(
            [
                sampling,
                dict(type='ArrayDecode'),
                *changes,
                dict(type='FormatShape', input_format=layout),
                dict(type='mmattn.PackClipInputs'),
            ]
        )

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict:
        frames, label, _ = self.samples[index]
        return self.pipeline(
            dict(
                array=frames,
                label=label,
                total_frames=len(frames),
                start_index=0,
                modality='RGB',
                video_id=index,
            )
        )


def train(
    model: dict,
    clips: Clips,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    lr_mult: dict[str, float] | None = None,
    start: dict[str, Tensor] | None = None,
) -> nn.Module:
    """Train a model: Adam, warm-up, cosine.

    ``lr_mult`` multiplies the rate of the weights whose names contain its keys;
    ``start`` holds weights, by name, that are not to start at random.
    """
    loader = DataLoader(
        clips,
        batch_size=batch_size,
        sampler=DefaultSampler(clips, shuffle=True, seed=seed),
        collate_fn=pseudo_collate,
    )
    warm_up = dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=len(loader))
    cosine = dict(
        type='CosineAnnealingLR',
        T_max=epochs,
        eta_min_ratio=0.01,
        by_epoch=True,
        convert_to_iter_based=True,
    )
    custom = {name: dict(lr_mult=factor) for name, factor in (lr_mult or {}).items()}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = f'{folder}/start.pth' if start else None
        if start:
            torch.save(start, checkpoint)
        runner = Runner(
            model=model,
            load_from=checkpoint,
            work_dir=folder,
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(
                optimizer=dict(type='Adam', lr=lr),
                clip_grad=dict(max_norm=1.0),
                paramwise_cfg=dict(custom_keys=custom),
            ),
            param_scheduler=[warm_up, cosine],
            default_hooks=dict(logger=None, checkpoint=None),
            default_scope='mmaction',
            randomness=dict(seed=seed),
            log_level='ERROR',
            experiment_name=uuid.uuid4().hex,
        )
        return runner.train().eval()


def poses_like(options: VideoOptions, size: tuple[int, int]) -> VideoOptions:
    """Options of `trimmed` clips of two frames, four times as many to train on."""
    train, test = options.clips_per_class['train'], options.clips_per_class['test']
    return replace(
        options,
        preset='trimmed',
        clips_per_class=dict(train=4 * train, test=test),
        num_frames=2,
        size=size,
    )


def learn_poses(
    model: dict, options: VideoOptions, *, epochs: int = 10
) -> tuple[dict[str, Tensor], float]:
    """Train a model of frames on `trimmed` clips, as others do on images.

    Returns its weights and its top-1 on the test clips in percent.
    """
    samples = render(options)
    step = dict(type='SampleFrames', clip_len=1)
    learned = train(
        model,
        Clips(samples['train'], step),
        epochs=epochs,
        batch_size=32,
        lr=0.005,
        seed=options.seed,
    )
    test_clips = Clips(samples['test'], dict(step, test_mode=True))
    return learned.state_dict(), top1(learned, test_clips)


@torch.no_grad()
def right_clips(model: nn.Module, clips: Clips, batch_size: int = 20) -> np.ndarray:
    """Whether a model classifies each clip rightly, (N,) of 0 and 1."""
    loader = DataLoader(clips, batch_size=batch_size, collate_fn=pseudo_collate)
    right = [
        sample.pred_label.item() == sample.gt_label.item()
        for batch in loader
        for sample in model.test_step(batch)
    ]
    return np.array(right, dtype=float)


def top1(model: nn.Module, clips: Clips) -> float:
    """Share of clips that a model classifies rightly, in percent."""
    return 100 * float(right_clips(model, clips).mean())


def parser(description: str, presets: tuple[str, ...] = ()) -> argparse.ArgumentParser:
    """Options of every evidence script."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    if presets:
        options.add_argument('--presets', nargs='+', choices=presets, default=presets)
    options.add_argument('--epochs', type=int, help='default: see the script')
    options.add_argument(
        '--clips',
        type=int,
        nargs=2,
        help='train and test, per class; default: see the script',
    )
    return options


def mean_and_spread(values: Iterable[float], digits: int = 1) -> str:
    """Mean and standard deviation over the seeds."""
    values = list(values)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f'{statistics.mean(values):.{digits}f} ± {spread:.{digits}f}'


def row(*cells: object) -> str:
    """One row of a Markdown table."""
    return f'| {" | ".join(map(str, cells))} |'


def print_minutes() -> bool:
    """Print the processor time of the command, and say if it is within bounds."""
    minutes = (time.process_time() - START) / 60
    print(f'\n{minutes:.1f} CPU minutes, wanted at most {MAX_MINUTES}')
    return minutes <= MAX_MINUTES
