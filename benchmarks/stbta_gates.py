"""What each part of STBTA costs alone, beside the network that it is plugged into.

The paper calls the overhead of its temporal attention negligible and its second
spatial attention time-consuming (section 3). At the two places of Inception-v3 with
three frames of 224 x 224: parameters, multiply-adds, and the time of a forward pass in
percent of those of the network, in processor time of one thread. There is no bound.

    python benchmarks/stbta_gates.py [--pairs 20] [--clips 2]
"""

import argparse
import sys
import time

import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from stbta import PLACES, SEGMENTS, SIDE, build
from timing import interleaved
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmattn.models.layers.clips import tell_num_segments

PARTS = {
    'hourglass': dict(type='mmattn.Hourglass'),
    'SAM-I': dict(type='mmattn.SpatialAttentionI'),
    'SAM-II': dict(type='mmattn.SpatialAttentionII'),
    'TAM': dict(type='mmattn.TemporalAttention'),
    'channel attention': dict(type='mmattn.SqueezeExcitation'),
}
SIZED = ('hourglass', 'SAM-II', 'channel attention')  # by the channels of the input


def part(name: str, channels: int, t: int) -> nn.Module:
    """Return a part of STBTA as it stands before one place."""
    options = dict(in_channels=channels) if name in SIZED else {}
    if name == 'hourglass':
        options['t'] = t
    module = MODELS.build(PARTS[name] | options).eval()
    tell_num_segments(module, SEGMENTS)
    return module


def multiply_adds(module: nn.Module, x: torch.Tensor) -> int:
    """Count those of convolutions and products."""
    with FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops() // 2


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    parser.add_argument('--clips', type=int, default=2, help='clips of a batch')
    args = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    network = build('plain', 'cpu').backbone.eval()
    clips = torch.rand(args.clips * SEGMENTS, 3, SIDE, SIDE)
    print('| part | before | parameters | multiply-adds of a clip, % | time, % |')
    print('|---|---|---|---|---|')
    with torch.no_grad():
        total = multiply_adds(network, clips)
        for place, t, channels, side in PLACES:
            x = torch.rand(args.clips * SEGMENTS, channels, side, side)
            for name in PARTS:
                module = part(name, channels, t)
                taken = interleaved(
                    lambda module=module, x=x: module(x),
                    lambda: network(clips),
                    pairs=args.pairs,
                    clock=time.process_time,
                )
                print(
                    f'| {name} | `{place}` | '
                    f'{sum(p.numel() for p in module.parameters()):,} | '
                    f'{100 * multiply_adds(module, x) / total:.3f} | '
                    f'{100 * taken.ratio:.2f} ({100 * taken.low:.2f} to '
                    f'{100 * taken.high:.2f}) |',
                    flush=True,
                )
    return 0


if __name__ == '__main__':
    sys.exit(main())
