"""Cost of pyramid attention: against its backbone, over K, and against its equations.

Sizes of the paper: Inception-ResNet-v2 on 299 x 299 frames, 3 scales, K = 25. Exits
with 1 if the neck costs more than 3 % of the backbone's forward; if its memory is not
within 15 % of proportional to K = 3, 25, 100, or its time not within 50 %; or if
scores, softmax and aggregation are less than twice as fast, forward and backward, as a
loop over output positions; or if a test with K = 100 needs more than 1.3 times the
memory of one with K = 25 where 25 frames pass the trunk at once. That memory holds
frames, weights and all maps; it is counted on tensors without values.

    python benchmarks/pyramid.py [--pairs 20] [--threads 2] [--full]
"""

import argparse
import statistics
import sys
import time
import weakref

import torch
from timing import Comparison, interleaved, report, wait_for_gpu
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmattn.models import ReductionRecognizer
from mmattn.models.backbones import InceptionResNetV2
from mmattn.models.layers.pyramid import PyramidAttention

SCALES = ((320, 35), (1088, 17), (2080, 8))  # channels and side
TAPS = ('repeat', 'repeat_1', 'block8')
SIDE, K = 299, 25
FRAMES = (3, 25, 100)
BACKBONE_FRAMES = 4  # of the 25; the rest is scaled linearly


class PeakMemory(TorchDispatchMode):
    """Most bytes that tensors made inside of this mode have held at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {
            x.untyped_storage()._cdata
            for x in tree_leaves((args, kwargs))
            if isinstance(x, Tensor)
        }
        for x in tree_leaves(result):
            if isinstance(x, Tensor):
                storage = x.untyped_storage()
                if storage._cdata not in given | self.seen:
                    self._count(storage)
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self.seen.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


def make_neck() -> PyramidAttention:
    channels, sides = zip(*SCALES, strict=True)
    return PyramidAttention(channels, (sides[-1],) * 2).eval()


def make_maps(num_frames: int) -> list[Tensor]:
    return [torch.rand(num_frames, C, side, side) for C, side in SCALES]


@torch.no_grad()
def compare_with_backbone(pairs: int, num_frames: int) -> Comparison:
    """Forward of the neck over that of the backbone, on as many frames."""
    neck = make_neck()
    backbone = InceptionResNetV2().eval()
    maps, frames = make_maps(num_frames), torch.rand(num_frames, 3, SIDE, SIDE)
    return interleaved(
        lambda: neck(maps, num_frames=num_frames),
        lambda: backbone(frames),
        pairs=pairs,
        warmup=1,
    )


def peak_bytes(num_frames: int) -> int:
    """What a forward and backward pass of the neck holds at most, maps included."""
    neck = make_neck()
    peak = PeakMemory()
    with peak:
        maps = [x.requires_grad_() for x in make_maps(num_frames)]
        neck(maps, num_frames=num_frames).aggregated.sum().backward()
    return peak.peak


@torch.no_grad()
def test_bytes(num_frames: int) -> int:
    """What a test of one view holds at most, with K = 25 frames in a chunk."""
    channels, sides = zip(*SCALES, strict=True)
    neck = dict(
        type='mmattn.PyramidAttentionNeck',
        in_channels=channels,
        top_size=(sides[-1],) * 2,
    )
    peak = PeakMemory()
    with torch.device('meta'), peak:
        net = ReductionRecognizer(
            dict(type='mmattn.InceptionResNetV2'),
            reduction=dict(taps=TAPS, module=neck),
            chunk_frames=K,
            data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
        )
        net.eval()(torch.empty(1, num_frames, 3, SIDE, SIDE))
    return peak.peak


@torch.no_grad()
def seconds(num_frames: int, repeats: int) -> float:
    """Median time of a forward pass of the neck."""
    neck, maps = make_neck(), make_maps(num_frames)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        neck(maps, num_frames=num_frames)
        wait_for_gpu()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def literal(neck: PyramidAttention, maps: list[Tensor]) -> Tensor:
    """Eq. (2)-(4) of one video, one output position after the other."""
    X = [x.flatten(2).transpose(1, 2).flatten(0, 1) for x in maps]  # (n, C_j)
    rows = []
    for m in range(neck.top_size[0] * neck.top_size[1]):
        fused: Tensor | None = None
        for conv, X_j in zip(neck.scores, X, strict=True):
            y = X_j @ conv.weight[m, :, 0, 0] + conv.bias[m]  # Eq. (2)
            fused = y if fused is None else fused * y
        a = torch.softmax(fused, dim=0)  # Eq. (3)
        rows.append((a / a.norm()) @ X[-1])  # Eq. (4)
    return torch.stack(rows, dim=1).unflatten(1, neck.top_size)[None]


def compare_with_literal(pairs: int, num_frames: int) -> Comparison:
    """Forward and backward without the pooling, literal over ours."""
    neck = make_neck()
    side = SCALES[-1][1]
    maps = [torch.rand(num_frames, C, side, side).requires_grad_() for C, _ in SCALES]

    def ours() -> Tensor:
        return neck(maps, num_frames=num_frames).aggregated

    torch.testing.assert_close(ours(), literal(neck, maps), rtol=1e-3, atol=1e-4)
    return interleaved(
        lambda: literal(neck, maps).sum().backward(),
        lambda: ours().sum().backward(),
        pairs=pairs,
    )


def report_proportion(name: str, values: list[float], bound: float) -> bool:
    """Print values per frame, and say whether they differ by at most ``bound``."""
    per_frame = [value / frames for value, frames in zip(values, FRAMES, strict=True)]
    ratio = max(per_frame) / min(per_frame)
    figures = ', '.join(
        f'{value:.4g} at K = {frames}'
        for value, frames in zip(values, FRAMES, strict=True)
    )
    passed = ratio <= 1 + bound
    print(
        f'{name}: {figures}; per frame, largest / smallest {ratio:.3f}, bound '
        f'<= {1 + bound:g}: {"ok" if passed else "MISSED"}'
    )
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument(
        '--full', action='store_true', help='run the backbone on all 25 frames'
    )
    parser.add_argument('--device', default='cpu', help="'cpu' or 'cuda'")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_default_device(args.device)
    torch.manual_seed(0)
    loop = compare_with_literal(args.pairs, K)
    passed = report('forward + backward, loop / ours', loop, at_least=2)
    count = K if args.full else BACKBONE_FRAMES
    share = compare_with_backbone(args.pairs, count)
    name = f'forward of {count} frames, neck / Inception-ResNet-v2'
    passed &= report(name, share, at_most=0.03)
    memory = [peak_bytes(frames) / 2**20 for frames in FRAMES]
    passed &= report_proportion('memory, MiB', memory, 0.15)
    times = [seconds(frames, args.pairs) * 1e3 for frames in FRAMES]
    passed &= report_proportion('time, ms', times, 0.5)
    few, many = (test_bytes(frames) / 2**20 for frames in (K, FRAMES[-1]))
    fits = many <= 1.3 * few
    print(
        f'memory of a test, MiB: {few:.4g} at K = {K}, {many:.4g} at K = {FRAMES[-1]}; '
        f'ratio {many / few:.3f}, bound <= 1.3: {"ok" if fits else "MISSED"}'
    )
    return 0 if passed and fits else 1


if __name__ == '__main__':
    sys.exit(main())
