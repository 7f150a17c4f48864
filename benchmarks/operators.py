"""Forward pass and training step of the AVA model: our operators against compiled ones.

The model finds persons itself (RPN, NMS, RoIAlign), on a clip of 16 frames of 256 x 256
pixels. Two processes, one in this environment and one in that of `make
setup-compiled`, take turns. Prints how far their results are apart, and ratios; exits
with 1 if scores or losses differ by more than 1e-3 or ours takes more than 1.1 times as
long.

    python benchmarks/operators.py [--compiled .venv-compiled/bin/python] [--pairs 10]
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from timing import interleaved, report

from mmattn.compat import has_compiled_operators

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / 'configs' / 'detection' / 'slowfast_attn'
CONFIG /= 'slowfast_attn-e2e_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb.py'
FRAMES, SIDE = 16, 256
PERSONS = [[20.0, 30, 110, 250], [120, 40, 200, 240], [5, 60, 60, 200]]
TOLERANCE = 1e-3


def tasks() -> dict[str, Callable[[], list[float]]]:
    """What the processes time; each returns numbers that both should agree in."""
    from mmaction.structures import ActionDataSample
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmengine.structures import InstanceData

    from mmattn.registry import MODELS

    init_default_scope('mmaction')
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIG)
    cfg.model.init_cfg = None
    cfg.model.roi_head.shared_head.update(channels=512, num_layers=1)
    cfg.model.roi_head.bbox_head.in_channels = 2048
    model = MODELS.build(cfg.model)
    model.init_weights()
    persons = InstanceData(
        bboxes=torch.tensor(PERSONS),
        labels=torch.eye(cfg.model.roi_head.bbox_head.num_classes)[[3, 5, 7]],
    )
    sample = ActionDataSample(metainfo=dict(img_shape=(SIDE, SIDE)))
    sample.gt_instances = persons
    clip = torch.randint(0, 256, (3, FRAMES, SIDE, SIDE), dtype=torch.uint8)

    def run(mode: str) -> object:
        torch.manual_seed(0)  # samplers draw
        data = dict(inputs=[clip], data_samples=[sample.clone()])
        model.train(mode == 'loss')
        return model(**model.data_preprocessor(data, mode == 'loss'), mode=mode)

    def forward() -> list[float]:
        with torch.no_grad():
            (found,) = run('predict')
        scores = found.pred_instances.scores
        return [len(scores), scores.mean().item(), scores.std().item()]

    def training_step() -> list[float]:
        model.zero_grad()
        losses, _ = model.parse_losses(run('loss'))
        losses.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        return [losses.item(), norm.log().item()]

    return {'forward pass': forward, 'training step': training_step}


def work(expect_compiled: bool) -> None:
    """Run the tasks that are named on the standard input."""
    if has_compiled_operators() != expect_compiled:
        raise SystemExit(
            f'{sys.executable}: expected compiled operators to be '
            f'{"there" if expect_compiled else "absent"}, got the contrary'
        )
    functions = tasks()
    for line in sys.stdin:
        print(json.dumps(functions[line.strip()]()), flush=True)


class Worker:
    """A process in another environment that runs tasks by name."""

    def __init__(self, python: str, kind: str) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
        self.process = subprocess.Popen(
            [python, '-W', 'ignore', __file__, '--work', kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': path},
        )

    def __call__(self, task: str) -> list[float]:
        """Run one task and return its numbers."""
        print(task, file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            if line.startswith('['):
                return json.loads(line)
        raise SystemExit('a process ended; its error is above')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--compiled',
        default=str(ROOT / '.venv-compiled' / 'bin' / 'python'),
        help='Python of an environment with compiled operators',
    )
    parser.add_argument('--pairs', type=int, default=10, help='pairs to time')
    parser.add_argument('--work', choices=['ours', 'compiled'], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work == 'compiled')
        return 0
    if not Path(args.compiled).exists():
        print(f'not run: no {args.compiled}; `make setup-compiled` makes it')
        return 0
    workers = {
        'ours': Worker(sys.executable, 'ours'),
        'compiled': Worker(args.compiled, 'compiled'),
    }
    passed = True
    for task in ('forward pass', 'training step'):
        ours, compiled = (workers[kind](task) for kind in ('ours', 'compiled'))
        apart = max(abs(a - b) for a, b in zip(ours, compiled, strict=True))
        print(f'{task}: results {apart:.1e} apart, bound {TOLERANCE}')
        result = interleaved(
            lambda task=task: workers['ours'](task),
            lambda task=task: workers['compiled'](task),
            pairs=args.pairs,
            warmup=1,
        )
        passed &= report(f'{task}, ours / compiled', result, at_most=1.1)
        passed &= apart <= TOLERANCE
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
