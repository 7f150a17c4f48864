"""The same plan on networks and data so small that it runs on a CPU in minutes.

Nothing is left out but the tools that sort real archives; figures mean nothing.
"""

from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from mmattn.reports.row_batches import fit_batch, fit_options
from mmattn.reports.row_plan import Fit, Plan, Step
from mmattn.reports.rows import load_config
from mmattn.testing import make_tiny_data, shrink
from mmattn.utils.configs import find_config

BATCH, SAMPLES = 4, 2


def shrink_plan(plan: Plan, *, processes: int = 1) -> Plan:
    """Write tiny data and configs into the results' folder and plan with them.

    Each split has videos of its own.

    Args:
        plan: Plan of the papers' runs.
        processes: Processes that are there.
    """
    tiny = Path(plan.out).resolve()
    data = {}
    for split in sorted({step.split or 0 for step in plan.steps.values()}):
        folder = tiny / 'data' / f'split{split}'
        if not folder.is_dir():
            make_tiny_data(folder, num_videos=4 + split)
        data[split] = folder
    steps = {}
    for name, step in plan.steps.items():
        if step.kind == 'tool':
            continue
        needs = tuple(x for x in step.needs if plan.steps[x].kind != 'tool')
        steps[name] = replace(step, needs=needs)
        if step.config:
            folder = data[step.split or 0]
            steps[name] = _shrunk(steps[name], plan, tiny, folder, processes)
    return replace(plan, steps=steps)


def _shrunk(step: Step, plan: Plan, tiny: Path, data: Path, processes: int) -> Step:
    cfg = shrink(load_config(find_config(step.config), step.options), data)
    if cfg.train_dataloader.dataset.type == 'mmattn.FeatureDataset':
        _read_features(cfg, tiny / _made_features(step, plan))
    path = tiny / 'configs' / f'{step.name}.py'
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)
    step = replace(step, config=str(path), options=(), split=None)
    if step.kind == 'features':
        return replace(step, words=(str(tiny / step.name / 'features'),))
    if step.kind == 'test':
        return replace(step, fit=Fit(processes, 1, 1))
    fit = fit_batch(BATCH, SAMPLES, processes)
    return replace(step, fit=fit, fit_options=fit_options(cfg, fit))


def _made_features(step: Step, plan: Plan) -> str:
    """Folder of the features that a step, or the training before it, reads."""
    found = [name for name in step.needs if name.startswith('features/')]
    if found:
        return f'{found[0]}/features'
    return _made_features(plan.steps[step.needs[0]], plan)


def _read_features(cfg: Config, folder: Path) -> None:
    lists = dict(train='train', val='test', test='test')
    for loader, name in lists.items():
        dataset = cfg[f'{loader}_dataloader'].dataset
        dataset.data_prefix = dict(feature=str(folder))
        dataset.ann_file = str(folder / f'{name}.txt')
