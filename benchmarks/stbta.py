"""Cost of two STBTA in Inception-v3, against none and against non-local blocks.

TSN with Inception-v3 on 8 clips of 3 frames, 224 x 224, random weights; STBTA (or
MMAction2's embedded-Gaussian non-local block, with the options of its configs) before
mixed_5b and mixed_7a. Exits with 1 if STBTA takes more than 1.10 times the time of the
plain network forward or in a training step, more than 1.15 times the peak memory, or if
it is slower than the non-local blocks, in float32 or bf16. Each peak of memory is
measured in a process of its own, over what the process holds before it builds the
network.

    python benchmarks/stbta.py [--pairs 12] [--threads 2] [--clips 8] [--device cpu]
"""

import argparse
import sys
from collections.abc import Callable

import torch
from memory import (
    in_new_process,
    keep_freed_memory,
    resident_peak,
    return_freed_memory,
)
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from timing import interleaved, report
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmattn.compat import score_in_float32
from mmattn.models.layers.clips import tell_num_segments
from mmattn.models.memory_layout import to_channels_last

SEGMENTS, SIDE, CLASSES = 3, 224, 101
PLACES = (('mixed_5b', 3, 192, 25), ('mixed_7a', 2, 768, 12))
NON_LOCAL = dict(
    type='mmcv.cnn.NonLocal2d',
    sub_sample=True,
    use_scale=False,
    norm_cfg=dict(type='BN2d', requires_grad=True),
    mode='embedded_gaussian',
)
KINDS = ('plain', 'stbta', 'non_local')
MODES = ('forward', 'train')
BOUND = 1.10
MEMORY_BOUND = 1.15
DTYPES = {'float32': torch.float32, 'bf16': torch.bfloat16}


def attention_config(kind: str, t: int) -> dict:
    """Config of one module."""
    return dict(type='mmattn.STBTA', t=t) if kind == 'stbta' else dict(NON_LOCAL)


def build(kind: str, device: str) -> nn.Module:
    """TSN with Inception-v3; ``kind`` says what it is plugged with."""
    backbone = dict(type='mmattn.InceptionV3')
    if kind != 'plain':
        attentions = [
            dict(before=place, module=attention_config(kind, t))
            for place, t, _, _ in PLACES
        ]
        backbone = dict(
            type='mmattn.AttentionBackbone', backbone=backbone, attentions=attentions
        )
    head = dict(
        type='TSNHead',
        num_classes=CLASSES,
        in_channels=2048,
        dropout_ratio=0.7,
        average_clips='score',
    )
    model = MODELS.build(
        dict(type='Recognizer2D', backbone=backbone, cls_head=head)
    ).to(device)
    tell_num_segments(model, SEGMENTS)
    to_channels_last(model)  # as all configs are
    return model


def make_step(kind: str, mode: str, dtype: str, args: argparse.Namespace) -> Callable:
    """Return a function that runs the network once."""
    model = build(kind, args.device).train(mode == 'train')
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    clips = torch.rand(args.clips, SEGMENTS, 3, SIDE, SIDE, device=args.device)
    samples = [
        ActionDataSample().set_gt_label(i % CLASSES).to(args.device)
        for i in range(args.clips)
    ]

    def autocast() -> torch.autocast:
        enabled = dtype != 'float32'
        return torch.autocast(args.device, DTYPES['bf16'], enabled=enabled)

    def forward() -> None:
        with torch.no_grad(), autocast():
            model(clips, stage='head')

    def train() -> None:
        with autocast():
            loss = model(clips, samples, mode='loss')['loss_cls']
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return forward if mode == 'forward' else train


def peak_bytes(kind: str, mode: str, dtype: str, args: argparse.Namespace) -> int:
    """Peak memory of a step in this process, over what it holds before."""
    set_up(args)
    return_freed_memory()
    if args.device == 'cpu':
        torch.rand(64, 64) @ torch.rand(64, 64)  # loads the libraries
        before = resident_peak()
    step = make_step(kind, mode, dtype, args)
    for _ in range(2):
        step()
    if args.device != 'cpu':
        return torch.cuda.max_memory_allocated()
    return resident_peak() - before


def print_sizes() -> None:
    """Print parameters and FLOPs of a forward of one clip."""
    plain: tuple[int, int] | None = None
    for kind in KINDS:
        model = build(kind, 'cpu').eval()
        count = sum(p.numel() for p in model.parameters())
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(torch.rand(1, SEGMENTS, 3, SIDE, SIDE), stage='head')
        flops = counter.get_total_flops()
        plain = plain or (count, flops)
        print(
            f'{kind}: {count / 1e6:.2f} M parameters '
            f'(+{(count - plain[0]) / 1e6:.2f} M), {flops / 1e9:.2f} GFLOP per clip '
            f'(+{(flops - plain[1]) / 1e9:.2f})'
        )


def compare_modules(dtype: str, args: argparse.Namespace, sync: Callable) -> None:
    """Print the time of the modules alone; there is no bound."""
    for place, t, channels, side in PLACES:
        steps = []
        for kind in ('stbta', 'non_local'):
            config = attention_config(kind, t) | dict(in_channels=channels)
            module = MODELS.build(config).to(args.device)
            tell_num_segments(module, SEGMENTS)
            shape = (args.clips * SEGMENTS, channels, side, side)
            x = torch.rand(shape, device=args.device, requires_grad=True)

            def step(module: nn.Module = module, x: torch.Tensor = x) -> None:
                enabled = dtype != 'float32'
                with torch.autocast(args.device, DTYPES['bf16'], enabled=enabled):
                    y = module(x)
                y.float().sum().backward()

            steps.append(step)
        result = interleaved(*steps, pairs=args.pairs, sync=sync)
        report(f'{dtype}, module before {place} alone, stbta / non_local', result)


def compare_nets(dtype: str, args: argparse.Namespace, sync: Callable) -> bool:
    """Time and peak memory of the three networks; say whether the bounds hold."""
    passed = True
    for mode in MODES:
        plain, stbta, non_local = (make_step(k, mode, dtype, args) for k in KINDS)
        options = dict(pairs=args.pairs, warmup=1, sync=sync)
        name = f'{dtype}, {mode}'
        result = interleaved(stbta, plain, **options)
        passed &= report(f'{name}, stbta / plain', result, at_most=BOUND)
        result = interleaved(stbta, non_local, **options)
        passed &= report(f'{name}, stbta / non_local', result, at_most=1)
        del plain, stbta, non_local
        peaks = {
            kind: in_new_process(peak_bytes, kind, mode, dtype, args) for kind in KINDS
        }
        ratio = peaks['stbta'] / peaks['plain']
        fits = ratio <= MEMORY_BOUND
        passed &= fits
        listed = ', '.join(f'{k} {peaks[k] / 2**20:.0f} MiB' for k in KINDS)
        print(
            f'{name}, peak memory: {listed}; stbta / plain {ratio:.3f}, bound <= '
            f'{MEMORY_BOUND:g}: {"ok" if fits else "MISSED"}',
            flush=True,
        )
    return passed


def set_up(args: argparse.Namespace) -> None:
    """Prepare a process for the networks."""
    init_default_scope('mmaction')
    score_in_float32()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=12, help='pairs to time')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument('--clips', type=int, default=8, help='clips of a batch')
    parser.add_argument('--device', default='cpu', help="'cpu' or 'cuda'")
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=list(DTYPES))
    args = parser.parse_args()
    set_up(args)
    if args.device == 'cpu':
        keep_freed_memory()
    sync = torch.cuda.synchronize if args.device != 'cpu' else lambda: None
    print_sizes()
    passed = True
    for dtype in args.dtypes:
        passed &= compare_nets(dtype, args, sync)
        compare_modules(dtype, args, sync)
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
