"""Time of the temporal-attention head, against its equations and against VGG-16.

Sizes of the paper: 30 frames of 4096 features, 30 steps, 2 x 512 memory cells; 8
sequences. Exits with 1 if the head is less than twice as fast forward, or less than
three times in a training step (forward and backward), as a literal transcription.

    python benchmarks/temporal_lstm_head.py [--pairs 20] [--threads 2] [--full]
"""

import argparse
import sys

import torch
from mmaction.structures import ActionDataSample
from timing import Comparison, interleaved, report
from torch import Tensor, nn

from mmattn.models.backbones import VGG
from mmattn.models.heads import TemporalLSTMHead

B, T, C, CLASSES = 8, 30, 4096, 101
VGG_FRAMES = 24  # of the B * T = 240; the rest is scaled linearly


class LiteralLSTM(nn.Module):
    """One layer of Eq. (3), gate by gate."""

    def __init__(self, weight: Tensor, recurrent: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.W = nn.ParameterList(weight.detach().clone().chunk(4))
        self.U = nn.ParameterList(recurrent.detach().clone().chunk(4))
        self.b = nn.ParameterList(bias.detach().clone().chunk(4))

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """One step."""
        f, i, o = (
            torch.sigmoid(x @ self.W[k].T + h @ self.U[k].T + self.b[k])
            for k in range(3)
        )
        g = torch.tanh(x @ self.W[3].T + h @ self.U[3].T + self.b[3])
        c = f * c + i * g
        return o * torch.tanh(c), c


class LiteralHead(nn.Module):
    """Eq. (3)-(8) step by step, with the weights of ``head``."""

    def __init__(self, head: TemporalLSTMHead) -> None:
        super().__init__()
        attention = head.lstm.attention
        self.w_a = nn.Parameter(attention.w_a.weight[0].detach().clone())
        self.u_a = nn.Parameter(attention.u_a.weight[0].detach().clone())
        self.b_a = nn.Parameter(attention.u_a.bias.detach().clone())
        self.W_y = nn.Parameter(head.fc_cls.weight.detach().clone())
        self.b_y = nn.Parameter(head.fc_cls.bias.detach().clone())
        self.lstm = nn.ModuleList(
            LiteralLSTM(layer.W.weight, layer.U.weight, layer.W.bias)
            for layer in head.lstm.layers
        )

    def forward(self, v: Tensor) -> Tensor:
        """Logits of all steps, (B, T, C) -> (B, D, classes)."""
        h = c = h_top = c_top = v.new_zeros(len(v), self.w_a.numel())
        logits = []
        for _ in range(T):
            e = torch.tanh((h_top @ self.w_a)[:, None] + v @ self.u_a + self.b_a)
            alpha = torch.softmax(e, dim=1)  # Eq. (5), (6)
            x = (alpha[:, :, None] * v).sum(dim=1)  # Eq. (4)
            h, c = self.lstm[0](x, h, c)
            h_top, c_top = self.lstm[1](h, h_top, c_top)
            logits.append(h_top @ self.W_y.T + self.b_y)  # Eq. (7)
        return torch.stack(logits, dim=1)

    def loss(self, v: Tensor, labels: Tensor) -> Tensor:
        """Mean of Eq. (8) over the sequences."""
        log_prob = torch.log_softmax(self(v), dim=2)  # (B, D, classes)
        picked = log_prob.gather(2, labels[:, None, None].expand(-1, T, 1))
        return -picked.sum(dim=(1, 2)).mean()  # Eq. (8)


def compare_with_literal(pairs: int) -> tuple[Comparison, Comparison]:
    """Forward and training step, literal over ours."""
    head = TemporalLSTMHead(CLASSES, C, num_segments=T, lstm=dict(num_steps=T))
    literal = LiteralHead(head)
    frames = torch.rand(B * T, C)
    labels = torch.randint(CLASSES, (B,))
    samples = [ActionDataSample().set_gt_label(int(label)) for label in labels]
    video = frames.unflatten(0, (B, T))
    torch.testing.assert_close(
        head.step_logits(frames), literal(video), rtol=1e-4, atol=1e-5
    )

    @torch.no_grad()
    def ours_forward() -> None:
        head.step_logits(frames)

    @torch.no_grad()
    def literal_forward() -> None:
        literal(video)

    def ours_train() -> None:
        head.zero_grad()
        head.loss(frames, samples)['loss_cls'].backward()

    def literal_train() -> None:
        literal.zero_grad()
        literal.loss(video, labels).backward()

    return (
        interleaved(literal_forward, ours_forward, pairs=pairs),
        interleaved(literal_train, ours_train, pairs=pairs),
    )


@torch.no_grad()
def compare_with_vgg(pairs: int, num_frames: int) -> Comparison:
    """Forward of the head over that of VGG-16 on ``num_frames`` of its frames."""
    head = TemporalLSTMHead(CLASSES, C, num_segments=T, lstm=dict(num_steps=T)).eval()
    vgg = VGG(16, out='fc6').eval()
    frames, features = torch.rand(num_frames, 3, 224, 224), torch.rand(B * T, C)
    return interleaved(
        lambda: head(features), lambda: vgg(frames), pairs=pairs, warmup=1
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument(
        '--full', action='store_true', help='run VGG-16 on all frames, without scaling'
    )
    parser.add_argument('--device', default='cpu', help="'cpu' or 'cuda'")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_default_device(args.device)
    torch.manual_seed(0)
    forward, train = compare_with_literal(args.pairs)
    passed = report('forward, literal / ours', forward, at_least=2)
    passed &= report('forward + backward, literal / ours', train, at_least=3)
    num_frames = B * T if args.full else VGG_FRAMES
    vgg = compare_with_vgg(args.pairs, num_frames)
    share = vgg.ratio * num_frames / (B * T)
    print(
        f'forward, head / VGG-16 of the same {B * T} frames: {share:.3%} (95 % '
        f'interval {vgg.low * share / vgg.ratio:.3%} to '
        f'{vgg.high * share / vgg.ratio:.3%}; VGG-16 measured on {num_frames} frames'
        f'{"" if args.full else " and scaled linearly"}, {vgg.seconds_b:.2f} s)'
    )
    passed &= vgg.low * share / vgg.ratio <= 0.01  # bound: 1 %
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
