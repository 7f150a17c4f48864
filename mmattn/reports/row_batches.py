"""The paper's batch on the processes that are there, its schedule left as it is."""

import re
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from mmattn.reports.row_plan import Fit, Plan, Step
from mmattn.reports.rows import load_config
from mmattn.utils.configs import find_config


def batch_of(config: str) -> tuple[int, int]:
    """Return the batch that a config is written for, and the samples of a process.

    Args:
        config: Name of the config.

    Raises:
        ValueError: If the name does not say it.

    Example:
        >>> batch_of('pyramid_in1k-pre-vgg16_8xb8-1x1x3-10kiter_ucf101-split1-rgb.py')
        (64, 8)
    """
    found = re.search(r'_(\d+)xb(\d+)-', Path(config).name)
    if found is None:
        raise ValueError(
            f'expected a config whose name has the batch, such as _8xb8-, got {config}'
        )
    processes, samples = map(int, found.groups())
    return processes * samples, samples


def fit_batch(batch: int, samples: int, processes: int) -> Fit:
    """Make a batch of processes, samples and steps, exactly.

    Args:
        batch: Samples of a batch.
        samples: Most samples that a process may have at once.
        processes: Most processes.

    Example:
        >>> fit_batch(64, 8, 2)
        Fit(processes=2, samples=8, steps=4)
        >>> fit_batch(15, 15, 8)
        Fit(processes=5, samples=3, steps=1)
    """
    used = _divisor(batch, processes)
    share = _divisor(batch // used, samples)
    return Fit(used, share, batch // (used * share))


def _divisor(number: int, most: int) -> int:
    return next(n for n in range(min(number, most), 0, -1) if number % n == 0)


def fit_options(cfg: Config, fit: Fit) -> tuple[str, ...]:
    """Return the options with which a config trains on such batches.

    The learning rate stays. Schedules that count iterations count batches: each of
    their numbers is multiplied by the steps that a batch takes.

    Args:
        cfg: Config of a training.
        fit: How a batch is made.

    Example:
        >>> schedule = dict(type='MultiStepLR', milestones=[4, 8], end=9)
        >>> cfg = Config(dict(
        ...     train_dataloader=dict(batch_size=8), optim_wrapper=dict(),
        ...     train_cfg=dict(max_iters=9, val_interval=3),
        ...     param_scheduler=[schedule],
        ...     default_hooks=dict(checkpoint=dict(interval=3))))
        >>> for option in fit_options(cfg, Fit(1, 4, 2)):
        ...     print(option)
        train_dataloader.batch_size=4
        optim_wrapper.accumulative_counts=2
        train_cfg.max_iters=18
        train_cfg.val_interval=6
        param_scheduler.0.milestones=8,16
        param_scheduler.0.end=18
        default_hooks.checkpoint.interval=6
    """
    options = []
    if cfg.train_dataloader.batch_size != fit.samples:
        options.append(f'train_dataloader.batch_size={fit.samples}')
    if fit.steps == 1:
        return tuple(options)
    options.append(f'optim_wrapper.accumulative_counts={fit.steps}')
    if 'max_iters' not in cfg.train_cfg:
        return tuple(options)
    counted: tuple[str, ...] = ('max_iters', 'val_interval')
    places = [('train_cfg', cfg.train_cfg, counted)]
    counted = ('milestones', 'begin', 'end', 'T_max', 'step_size', 'total_steps')
    for i, schedule in enumerate(cfg.param_scheduler):
        places.append((f'param_scheduler.{i}', schedule, counted))
    checkpoint = cfg.default_hooks.checkpoint
    places.append(('default_hooks.checkpoint', checkpoint, ('interval',)))
    for place, node, names in places:
        for name in names:
            if node.get(name):
                options.append(f'{place}.{name}={_times(node[name], fit.steps)}')
    return tuple(options)


def _times(value: int | list[int], factor: int) -> str:
    values = value if isinstance(value, (list, tuple)) else [value]
    return ','.join(str(factor * number) for number in values)


def fit_plan(plan: Plan, *, processes: int, samples: int | None = None) -> Plan:
    """Return a plan whose trainings have the papers' batches on these processes.

    Args:
        plan: Plan.
        processes: Processes that are there, one for each GPU.
        samples: Most samples of a process at once, those of the configs by default.
    """

    def fitted(step: Step) -> Step:
        if step.kind == 'test':
            return replace(step, fit=Fit(processes, 1, 1))
        if step.kind != 'train':
            return step
        cfg = load_config(find_config(step.config), step.options)
        batch, share = batch_of(step.config)
        most = cfg.train_dataloader.batch_size  # a row's options may set it
        fit = fit_batch(batch // share * most, samples or most, processes)
        return replace(step, fit=fit, fit_options=fit_options(cfg, fit))

    return replace(plan, steps={name: fitted(x) for name, x in plan.steps.items()})
