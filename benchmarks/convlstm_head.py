"""Time and memory of the ConvLSTM head, against its equations and against VGG-16.

Sizes of the report: 15 videos of 30 frames of 7 x 7 x 512; hidden width 16 and, as in
VideoLSTM, 512. Exits with 1 if the forward takes more than 1.05 times as long as a
literal transcription, a training step (forward and backward) longer than its, or if the
head of width 16 takes more than 1 % of the VGG-16 forward of the same frames. The peak
memory of a training step is measured in processes of their own, with and without
checkpointing.

    python benchmarks/convlstm_head.py [--pairs 20] [--threads 2] [--hidden 16 512]
"""

import argparse
import sys

import torch
from memory import in_new_process, keep_freed_memory, resident_peak
from mmaction.structures import ActionDataSample
from timing import Comparison, interleaved, report
from torch import Tensor, nn
from torch.nn import functional as F

from mmattn.models.backbones import VGG
from mmattn.models.heads import ConvLSTMHead

B, T, C, SIDE, CLASSES = 15, 30, 512, 7, 10
VGG_FRAMES = 30  # of the B * T = 450; the rest is scaled linearly


class LiteralHead(nn.Module):
    """Attention, gates and classifier frame by frame, with the weights of ``head``."""

    def __init__(self, head: ConvLSTMHead) -> None:
        super().__init__()
        attention, cell = head.recurrence.attention, head.recurrence.cell
        self.w_xa = copied(attention.w_xa.weight)
        self.b_a = copied(attention.w_xa.bias)
        self.w_ha = copied(attention.w_ha.weight)
        self.w_z = copied(attention.w_z.weight)
        self.w_x = nn.ParameterList(map(copied, cell.input_conv.weight.chunk(4)))
        self.w_h = nn.ParameterList(map(copied, cell.hidden_conv.weight.chunk(4)))
        self.b = nn.ParameterList(map(copied, cell.input_conv.bias.chunk(4)))
        self.w_y = copied(head.fc_cls.weight)
        self.b_y = copied(head.fc_cls.bias)
        self.hidden_channels = len(self.b[0])

    def forward(self, x: Tensor) -> Tensor:
        """Logits of all frames, (B, T, C, h, w) -> (B, T, classes)."""
        h = c = x.new_zeros(len(x), self.hidden_channels, *x.shape[3:])
        logits = []
        for t in range(x.shape[1]):
            inner = F.conv2d(x[:, t], self.w_xa, self.b_a) + F.conv2d(h, self.w_ha)
            z = F.conv2d(torch.tanh(inner), self.w_z)
            weights = torch.softmax(z.flatten(1), dim=1).view_as(z)
            attended = weights * x[:, t]
            f, i, o, g = (
                F.conv2d(attended, self.w_x[k], self.b[k], padding=1)
                + F.conv2d(h, self.w_h[k], padding=1)
                for k in range(4)
            )
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            logits.append(F.linear(h.mean(dim=(2, 3)), self.w_y, self.b_y))
        return torch.stack(logits, dim=1)

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """Mean cross entropy of the frames."""
        log_prob = torch.log_softmax(self(x), dim=2)  # (B, T, classes)
        return -log_prob.gather(2, labels[:, None, None].expand(-1, T, 1)).mean()


def copied(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().clone())


def batch() -> tuple[Tensor, Tensor, list[ActionDataSample]]:
    frames = torch.rand(B * T, C, SIDE, SIDE)
    labels = torch.randint(CLASSES, (B,))
    return frames, labels, [ActionDataSample().set_gt_label(int(n)) for n in labels]


def compare_with_literal(hidden: int, pairs: int) -> tuple[Comparison, Comparison]:
    """Forward and training step, ours over literal."""
    head = ConvLSTMHead(
        CLASSES, C, num_segments=T, recurrence=dict(hidden_channels=hidden)
    )
    literal = LiteralHead(head)
    frames, labels, samples = batch()
    video = frames.unflatten(0, (B, T))

    @torch.no_grad()
    def ours_forward() -> Tensor:
        return head.step_logits(frames)

    @torch.no_grad()
    def literal_forward() -> Tensor:
        return literal(video)

    def ours_train() -> None:
        head.zero_grad()
        head.loss(frames, samples)['loss_cls'].backward()

    def literal_train() -> None:
        literal.zero_grad()
        literal.loss(video, labels).backward()

    torch.testing.assert_close(ours_forward(), literal_forward(), rtol=1e-4, atol=1e-5)
    return (
        interleaved(ours_forward, literal_forward, pairs=pairs, warmup=1),
        interleaved(ours_train, literal_train, pairs=pairs, warmup=1),
    )


@torch.no_grad()
def compare_with_vgg(hidden: int, pairs: int, num_frames: int) -> Comparison:
    """Forward of the head over that of VGG-16 on ``num_frames`` of its frames."""
    head = ConvLSTMHead(
        CLASSES, C, num_segments=T, recurrence=dict(hidden_channels=hidden)
    ).eval()
    vgg = VGG(16, out='pool5').eval()
    images, (frames, *_) = torch.rand(num_frames, 3, 224, 224), batch()
    return interleaved(lambda: head(frames), lambda: vgg(images), pairs=pairs, warmup=1)


def train_memory(hidden: int, with_cp: bool, threads: int) -> float:
    """What a training step adds to the peak memory of this process, in MiB."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    head = ConvLSTMHead(
        CLASSES,
        C,
        num_segments=T,
        recurrence=dict(hidden_channels=hidden, with_cp=with_cp),
    )
    frames, _, samples = batch()
    before = resident_peak()
    head.loss(frames, samples)['loss_cls'].backward()
    return (resident_peak() - before) / 2**20


def report_share(hidden: int, pairs: int, num_frames: int) -> bool:
    """Print the head's share of the VGG-16 forward; only width 16 has a bound."""
    vgg = compare_with_vgg(hidden, pairs, num_frames)
    scale = num_frames / (B * T)
    passed = hidden != 16 or vgg.low * scale <= 0.01
    print(
        f'hidden {hidden}: forward, head / VGG-16 of the same {B * T} frames: '
        f'{vgg.ratio * scale:.3%} (95 % interval {vgg.low * scale:.3%} to '
        f'{vgg.high * scale:.3%}; VGG-16 measured on {num_frames} frames and scaled '
        f'linearly, {vgg.seconds_b:.2f} s), '
        f'{"bound <= 1 %" if hidden == 16 else "no bound"}: '
        f'{"ok" if passed else "MISSED"}',
        flush=True,
    )
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument('--hidden', type=int, nargs='+', default=[16, 512])
    parser.add_argument('--vgg-frames', type=int, default=VGG_FRAMES)
    parser.add_argument('--device', default='cpu', help="'cpu' or 'cuda'")
    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    torch.set_default_device(args.device)
    torch.manual_seed(0)
    passed = True
    for hidden in args.hidden:
        # A step of width 512 takes many seconds.
        pairs = args.pairs if hidden < 128 else max(args.pairs // 4, 2)
        forward, train = compare_with_literal(hidden, pairs)
        name = f'hidden {hidden}: %s, ours / literal'
        passed &= report(name % 'forward', forward, at_most=1.05)
        passed &= report(name % 'forward + backward', train, at_most=1)
        passed &= report_share(hidden, pairs, args.vgg_frames)
        for with_cp in (False, True) if args.device == 'cpu' else ():
            memory = in_new_process(train_memory, hidden, with_cp, args.threads)
            print(
                f'hidden {hidden}: training step, with_cp={with_cp}: {memory:.0f} MiB'
            )
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
