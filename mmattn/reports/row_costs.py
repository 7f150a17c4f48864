"""Multiply-adds of the configs that rows are trained and tested with, counted once.

The counts are shipped, in ``row_costs.json``, for counting takes minutes.
"""

import copy
import json
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from mmattn.inference.complexity import measure_complexity, sample_clip
from mmattn.reports.row_plan import Plan, Step
from mmattn.testing import make_tiny_data
from mmattn.utils.configs import find_config

FILE = Path(__file__).with_suffix('.json')
LOADERS = ('train', 'val', 'test')
BACKWARD = 3  # a training step takes about three times the forward pass
# Training and test samples of each split, and mean frames of a video.
SIZES: dict[str, tuple[tuple[int, int], ...]] = {
    'hmdb51-10c': ((700, 78),) * 3,
    'ucf101': ((9537, 3783), (9586, 3734), (9624, 3696)),
    'hmdb51': ((3570, 1530),) * 3,
    'kinetics400': ((246000, 20000),),
    'charades': ((7985, 1863),),
    'ava21': ((210634, 57371),),
}
FRAMES = {'ucf101': 180, 'hmdb51': 94}


def count_costs(config: str | Path) -> dict[str, float]:
    """Count the multiply-adds of a training, validation and test sample.

    Args:
        config: Config or its name.

    Returns:
        Giga multiply-adds of a forward pass on one sample of each loader, and how many
        of them in training are of a frozen backbone, ``'frozen'``.
    """
    cfg = Config.fromfile(find_config(config))
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = make_tiny_data(folder)
        for name in LOADERS:
            own = copy.deepcopy(cfg)
            dataset = cfg[f'{name}_dataloader'].dataset
            own.test_dataloader.dataset = copy.deepcopy(dataset)
            own.test_pipeline = copy.deepcopy(dataset.pipeline)
            cost = measure_complexity(own, name, *sample_clip(own, data))
            crops = (
                10 if any('TenCrop' in step.type for step in dataset.pipeline) else 1
            )
            found[name] = round(crops * cost.multiply_adds / 1e9, 3)
            if name == 'train' and cfg.model.get('freeze_backbone', False):
                found['frozen'] = round(cost.backbone_multiply_adds / 1e9, 3)
    return found


def write_costs(plan: Plan) -> Path:
    """Count every config of a plan into the shipped file.

    Args:
        plan: Plan of all rows.
    """
    configs = sorted({step.config for step in plan.steps.values() if step.config})
    costs = {Path(config).stem: count_costs(config) for config in configs}
    lines = [f'{json.dumps(name)}: {json.dumps(cost)}' for name, cost in costs.items()]
    FILE.write_text('{\n' + ',\n'.join(lines) + '\n}\n', encoding='utf-8')
    return FILE


def tera_multiply_adds(steps: Iterable[Step]) -> dict[str, float]:
    """Return the cost of each step of a plan at the papers' scale, in 10^12.

    Options of rows are not counted, and a video is counted as one window of the test.

    Args:
        steps: Steps with names of our configs.
    """
    costs = json.loads(FILE.read_text(encoding='utf-8'))
    return {
        step.name: _cost(step, costs[Path(step.config).stem]) / 1e3
        for step in steps
        if step.config
    }


def _cost(step: Step, cost: dict[str, float]) -> float:
    """Giga multiply-adds of a step."""
    data = next(name for name in SIZES if f'_{name}-' in step.config)
    sizes = SIZES[data]
    train, test = sizes[min((step.split or 1) - 1, len(sizes) - 1)]
    if step.kind == 'test':
        return test * cost['test']
    if step.kind == 'features':  # all frames of all videos, center crop
        frames = (
            cost['test']
            / Config.fromfile(find_config(step.config)).model.cls_head.num_segments
        )
        return (train + test) * FRAMES[data] * frames
    cfg = Config.fromfile(find_config(step.config))
    loop = cfg.train_cfg
    if 'max_iters' in loop:
        seen = loop.max_iters * step.fit.processes * step.fit.samples * step.fit.steps
        validations = loop.max_iters // loop.val_interval
    else:
        seen = loop.max_epochs * train
        validations = math.ceil(loop.max_epochs / loop.val_interval)
    forward = BACKWARD * cost['train'] - (BACKWARD - 1) * cost.get('frozen', 0)
    return seen * forward + validations * test * cost['val']
