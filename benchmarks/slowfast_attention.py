"""Time and peak memory of temporal self-attention over channels and frames.

C * T = 8192 rows (2048 channels, 4 frames) of 7 x 7 pixels, 8 regions, forward and
backward, against the equations written out. Exits with 1 if ours is less than 4 times
as fast or needs more than a 20th of the memory, or if a training step of all branches
on 32 regions needs more than 8 GB. Reports without a bound what the four branches cost
against the ResNet-50 I3D on a clip, both forward.

    python benchmarks/slowfast_attention.py [--channels 2048] [--regions 8] [--pairs 5]
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from memory import in_new_process, resident_peak
from mmengine.config import Config
from timing import interleaved, report
from torch import Tensor

from mmattn.models.layers import SlowFastAttention
from mmattn.models.layers.slowfast_attn_modules import fused_attention
from mmattn.registry import MODELS

MODEL = Path(__file__).resolve().parent.parent / (
    'configs/_base_/models/slowfast_attn_i3d_r50.py'
)
T, SIDE, ALL_REGIONS = 4, 7, 32
GIGABYTE = 1e9


def literal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Eq. (4) and (5), with the map of all rows."""
    alpha = torch.softmax(query @ key.transpose(1, 2), dim=2)  # (R, C * T, C * T)
    return alpha @ value


ATTENTIONS = dict(ours=fused_attention, literal=literal_attention)


def attention_step(name: str, regions: int, channels: int, device: str) -> Callable:
    """One forward and backward."""
    shape = (regions, channels * T, SIDE * SIDE)
    rows = [torch.rand(shape, device=device, requires_grad=True) for _ in range(3)]

    def step() -> None:
        ATTENTIONS[name](*rows).sum().backward()

    return step


def module_step(name: str, regions: int, channels: int, device: str) -> Callable:
    """One forward and backward of all four branches with two layers each."""
    module = SlowFastAttention(channels, norm='layer').to(device)
    x = torch.rand(regions, channels, T, SIDE, SIDE, device=device)
    return lambda: module(x).sum().backward()


def forward_steps(
    regions: int, channels: int, clip: tuple[int, int], device: str
) -> list[Callable]:
    """Forward of all branches and of the backbone, as at test."""
    frames, size = clip
    head = SlowFastAttention(channels, norm='layer')
    backbone = MODELS.build(Config.fromfile(MODEL).model.backbone)
    inputs = (regions, channels, T, SIDE, SIDE), (1, 3, frames, size, size)

    def step(module: torch.nn.Module, shape: tuple[int, ...]) -> Callable:
        module.to(device).eval()
        x = torch.rand(shape, device=device)
        return torch.no_grad()(lambda: module(x))

    return [step(*pair) for pair in zip((head, backbone), inputs, strict=True)]


STEPS = dict(attention=attention_step, module=module_step)


def peak_bytes(kind: str, name: str, regions: int, channels: int, device: str) -> int:
    """Memory that one step adds to this process."""
    if device == 'cuda':
        STEPS[kind](name, regions, channels, device)()
        return torch.cuda.max_memory_allocated()
    STEPS[kind](name, 1, 8, device)()  # loads what every step loads
    before = resident_peak()
    STEPS[kind](name, regions, channels, device)()
    return resident_peak() - before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--channels', type=int, default=2048, help='channels C')
    parser.add_argument('--regions', type=int, default=8, help='regions R')
    parser.add_argument(
        '--clip',
        type=int,
        nargs=2,
        default=(32, 256),
        help="backbone's frames and side",
    )
    parser.add_argument('--pairs', type=int, default=5, help='pairs to time')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument('--device', default='cpu', choices=('cpu', 'cuda'))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sizes = (args.regions, args.channels)
    peaks = {
        name: in_new_process(peak_bytes, 'attention', name, *sizes, args.device)
        for name in ATTENTIONS
    }
    ratio = peaks['literal'] / max(peaks['ours'], 1)
    passed = ratio >= 20
    print(
        f'peak memory, literal / ours: {ratio:.3g} ({peaks["literal"] / GIGABYTE:.2f} '
        f'GB / {peaks["ours"] / GIGABYTE:.3f} GB), bound >= 20: '
        f'{"ok" if passed else "MISSED"}'
    )
    literal, ours = (
        attention_step(name, *sizes, args.device) for name in ('literal', 'ours')
    )
    sync = torch.cuda.synchronize if args.device == 'cuda' else None
    timing = interleaved(literal, ours, pairs=args.pairs, warmup=1, sync=sync)
    passed &= report('forward + backward, literal / ours', timing, at_least=4)
    head, backbone = forward_steps(*sizes, args.clip, args.device)
    timing = interleaved(head, backbone, pairs=args.pairs, warmup=1, sync=sync)
    report(f'forward, all branches on {args.regions} regions / backbone', timing)
    peak = in_new_process(
        peak_bytes, 'module', '', ALL_REGIONS, args.channels, args.device
    )
    fits = peak <= 8 * GIGABYTE
    print(
        f'peak memory of a step of all branches, {ALL_REGIONS} regions of '
        f'{args.channels} channels: {peak / GIGABYTE:.2f} GB, bound <= 8: '
        f'{"ok" if fits else "MISSED"}'
    )
    return 0 if passed and fits else 1


if __name__ == '__main__':
    sys.exit(main())
