"""Time, parameters and multiply-adds of our backbones.

Against torchvision and timm where these are installed, and for I3D against the same
network with plain symmetric padding; the others have no original that pip installs and
are timed alone. Random weights, the same on both sides, whose outputs are compared
first. Exits with 1 if ours costs more parameters or multiply-adds, or takes more than
1.05 times as long. Prints tables for docs/complexity.md.

    python benchmarks/backbones.py [--archs i3d ...] [--dtype float32 bf16]
        [--pairs 20] [--batch 2] [--size PIXELS] [--threads 2] [--device cpu]
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch
from originals import ORIGINALS
from timing import Comparison, interleaved, report
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmattn.models.backbones import BNInception, InceptionI3D, ResNeXt3D
from mmattn.models.layers.same_padding import SameConv3d, SameMaxPool3d

BOUND = 1.05
FRAMES = 16
DTYPES = {'float32': torch.float32, 'bf16': torch.bfloat16}


class Case(NamedTuple):
    """Our network, how to get its counterpart from it, and the shape of an input."""

    ours: Callable[[], nn.Module]
    other: Callable[[nn.Module], nn.Module] | None
    shape: tuple[int, ...]


def original_of(name: str) -> Callable[[nn.Module], nn.Module] | None:
    """The original with the weights of ours, None if it is not installed."""
    original = ORIGINALS[name]
    if importlib.util.find_spec(original.library) is None:
        print(f'{name}: {original.library} is not installed, timed alone')
        return None

    def build(ours: nn.Module) -> nn.Module:
        net = original.build()
        net.load_state_dict(ours.state_dict())
        return net

    return build


def with_symmetric_padding(net: nn.Module) -> nn.Module:
    """A copy with PyTorch's own layers, the same where all sides are odd."""
    net = deepcopy(net)
    for path, layer in list(net.named_modules()):
        plain: nn.Module
        if isinstance(layer, SameConv3d):
            plain = nn.Conv3d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,
                layer.stride,
                padding=[k // 2 for k in layer.kernel_size],
                bias=False,
            )
            plain.load_state_dict(layer.state_dict())
        elif isinstance(layer, SameMaxPool3d):
            inside = [(k - 1) // 2 for k in layer.kernel_size]
            plain = nn.MaxPool3d(
                layer.kernel_size, layer.stride, inside, ceil_mode=True
            )
        else:
            continue
        parent, _, name = path.rpartition('.')
        setattr(net.get_submodule(parent), name, plain)
    return net


def make_cases(names: list[str], batch: int, size: int | None) -> dict[str, Case]:
    def frames(side: int) -> tuple[int, ...]:
        return (batch, 3, size or side, size or side)

    def clips(length: int, side: int) -> tuple[int, ...]:
        return (batch, 3, length, size or side, size or side)

    # Every map of the network has odd sides; there SAME padding is symmetric.
    symmetric = (size or 224) // 32 * 32 + 1
    cases = {
        'bninception': Case(BNInception, None, frames(224)),
        'i3d': Case(InceptionI3D, None, clips(FRAMES, 224)),
        'i3d / symmetric padding': Case(
            InceptionI3D,
            with_symmetric_padding,
            (batch, 3, FRAMES + 1, symmetric, symmetric),
        ),
        'resnext3d': Case(ResNeXt3D, None, clips(FRAMES, 112)),
    }
    for name in names:
        if name in ORIGINALS:
            original = ORIGINALS[name]
            cases[name] = Case(original.ours, original_of(name), frames(original.size))
    return {name: cases[name] for name in names}


def compare_cost(name: str, case: Case) -> tuple[str, bool]:
    """Row of the table of costs, and whether both networks cost the same."""
    with torch.device('meta'):
        nets = [case.ours()]
        if case.other is not None:
            nets.append(case.other(nets[0]))
        costs = [_cost(net.eval(), case.shape) for net in nets]
    same = costs[0] == costs[-1]
    verdict = 'equal' if same else f'DIFFERS: {costs[-1]}'
    cells = (
        name,
        ' x '.join(str(side) for side in case.shape[2:]),
        *(f'{number:,}' for number in costs[0]),
        'none' if case.other is None else verdict,
    )
    return f'| {" | ".join(cells)} |', same


def _cost(net: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    with FlopCounterMode(display=False) as counter:
        net(torch.empty(1, *shape[1:]))
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2


def make_step(net: nn.Module, x: Tensor, dtype: str, train: bool) -> Callable:
    """Return a function that does one forward pass or one training step."""

    def run() -> Tensor:
        enabled = dtype != 'float32'
        with torch.autocast(x.device.type, DTYPES[dtype], enabled=enabled):
            return net(x)

    @torch.no_grad()
    def forward() -> None:
        net.eval()
        run()

    def step() -> None:
        net.train()
        net.zero_grad()
        run().float().square().mean().backward()

    return step if train else forward


@torch.no_grad()
def require_same_output(
    name: str, ours: nn.Module, other: nn.Module, x: Tensor
) -> None:
    got, expected = ours.eval()(x).flatten(), other.eval()(x).flatten()
    error = ((got - expected).norm() / expected.norm()).item()
    if not error < 1e-4:
        raise ValueError(f'{name}: expected the same output, got {error:.2g} off')


def as_channels_last(net: nn.Module, x: Tensor) -> tuple[nn.Module, Tensor]:
    """Copies with the channels of a pixel next to each other."""
    last = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
    return deepcopy(net).to(memory_format=last), x.contiguous(memory_format=last)


def interval(result: Comparison) -> str:
    return f'{result.ratio:.3f} ({result.low:.3f} to {result.high:.3f})'


def time_case(
    name: str,
    ours: nn.Module,
    other: nn.Module | None,
    x: Tensor,
    options: argparse.Namespace,
) -> tuple[list[str], bool]:
    """Rows of the table of times, and whether the bound may hold."""
    sync = torch.cuda.synchronize if x.is_cuda else None
    rows, passed = [], True
    for dtype in options.dtype:
        for train in (False, True):
            what = 'training step' if train else 'forward'
            step = make_step(ours, x, dtype, train)
            last = make_step(*as_channels_last(ours, x), dtype, train)
            timed = {'pairs': options.pairs, 'warmup': 1, 'sync': sync}
            layout = interleaved(last, step, **timed)
            report(f'{name}, {what}, {dtype}, channels_last / contiguous', layout)
            cells = [f'{layout.seconds_b * 1e3:.1f}', '', '']
            if other is not None:
                result = interleaved(step, make_step(other, x, dtype, train), **timed)
                title = f'{name}, {what}, {dtype}, ours / other'
                passed &= report(title, result, at_most=BOUND)
                times = (result.seconds_a, result.seconds_b)
                cells = [*(f'{s * 1e3:.1f}' for s in times), interval(result)]
            cells = [name, what, dtype, *cells, interval(layout)]
            rows.append('| ' + ' | '.join(cells) + ' |')
    return rows, passed


def main() -> int:
    known = [*ORIGINALS, 'bninception', 'i3d', 'i3d / symmetric padding', 'resnext3d']
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--archs', nargs='+', default=known, choices=known)
    parser.add_argument('--dtype', nargs='+', default=list(DTYPES), choices=DTYPES)
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    parser.add_argument('--batch', type=int, default=2, help='frames or clips')
    parser.add_argument('--size', type=int, help='side of the frames in pixels')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument('--device', default='cpu', help='where to run')
    parser.add_argument('--cost-only', action='store_true', help='time nothing')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    costs, times, passed = [], [], True
    for name, case in make_cases(args.archs, args.batch, args.size).items():
        row, same = compare_cost(name, case)
        print(row, flush=True)
        costs.append(row)
        passed &= same
        if args.cost_only:
            continue
        x = torch.randn(case.shape, device=args.device)
        ours = case.ours().to(args.device)
        other = case.other(ours).to(args.device) if case.other else None
        if other is not None:
            require_same_output(name, ours, other, x)
        rows, in_time = time_case(name, ours, other, x, args)
        times += rows
        passed &= in_time
    print('\n| network | input | parameters | multiply-adds | original |')
    print('|---|---|---|---|---|', *costs, sep='\n')
    if times:
        print(
            '\n| network | step | type | ours, ms | other, ms | ours / other '
            '(95 % interval) | channels_last / contiguous |'
        )
        print('|---|---|---|---|---|---|---|', *times, sep='\n')
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
