"""Run a plan of rows: each step once, going on where an earlier run stopped."""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from datetime import datetime, timezone
from typing import Any

import torch
import yaml

from mmattn.evaluation import accuracies, fuse_scores, load_scores
from mmattn.models.weights.checkpoints import MARKER
from mmattn.reports.row_commands import SCORES, process_words, shell_line
from mmattn.reports.row_plan import Goal, Plan, Step
from mmattn.reports.rows import load_config
from mmattn.utils.configs import SPLIT_VARIABLE, environment, find_config
from mmattn.utils.files import write_json, write_text
from mmattn.utils.text import read_json, read_yaml

RECORD, RESULTS = 'step.json', 'results.yml'
PACKAGES = ('torch', 'mmcv', 'mmcv-lite', 'mmengine', 'mmaction2', 'mmdet')


def run_plan(plan: Plan, *, scale: str = 'paper') -> list[str]:
    """Run what is not finished, and write each row's figure when it is known.

    Args:
        plan: Plan with batches that fit.
        scale: What the results are marked with: ``'paper'`` or ``'tiny'``.

    Returns:
        A sentence for each step that failed or could not be run.

    Raises:
        ValueError: If the folder holds a run of the same name that was made otherwise.
    """
    for step in plan.steps.values():
        _require_same(step, plan)
    failed: dict[str, str] = {}
    left = len(plan.steps)
    for step in plan.steps.values():
        print(f'[{left} left] {step.name}', flush=True)
        left -= 1
        lacking = [name for name in step.needs if name in failed]
        if lacking:
            failed[step.name] = f'{step.name}: left out, for {lacking[0]} failed'
        elif not _finished(step, plan):
            status = _run_step(step, plan)
            if status:
                failed[step.name] = (
                    f'{step.name}: expected to end with 0, got {status}: '
                    f'{shell_line(step, plan)}'
                )
        for goal in plan.goals:
            if step.name == goal.steps[-1] and not failed.keys() & set(goal.steps):
                write_result(goal, plan, scale)
    return list(failed.values())


def _run_step(step: Step, plan: Plan) -> int:
    """Run one step in a process of its own, and return its exit code."""
    folder = plan.out / step.name
    folder.mkdir(parents=True, exist_ok=True)
    started = time.time()
    content = _identity(step) | dict(
        command=shell_line(step, plan), fit=_fit(step), finished=None
    )
    write_json(folder / RECORD, content, allow_nan=True)
    checkpoint = ''
    if step.kind in ('features', 'test'):
        checkpoint = (plan.out / step.needs[0] / MARKER).read_text().strip()
    words = process_words(step, plan, checkpoint)
    if step.kind == 'train' and (folder / MARKER).is_file():
        words.insert(words.index('--work-dir'), '--resume')
    hidden = {'CUDA_VISIBLE_DEVICES': ''} if plan.device == 'cpu' else {}
    status = subprocess.run(words, env={**os.environ, **hidden}, check=False).returncode
    if status == 0:
        content['figures'] = _figures(step, plan)
        content['finished'] = datetime.now(timezone.utc).isoformat(timespec='seconds')
        content['seconds'] = round(time.time() - started, 1)
        content |= dict(versions=versions(), hardware=hardware(step, plan))
        write_json(folder / RECORD, content, allow_nan=True)
    return status


def _figures(step: Step, plan: Plan) -> dict[str, float]:
    """What a test or a fusion reports, by the names of the metrics."""
    folder = plan.out / step.name
    if step.kind == 'fuse':
        streams = [load_scores(plan.out / name / SCORES) for name in step.needs]
        fused = fuse_scores(streams, [float(word) for word in step.words])
        return {f'acc/{name}': value for name, value in accuracies(fused).items()}
    if step.kind != 'test':
        return {}
    newest = max(folder.glob('*/*.json'), key=lambda path: path.name)
    return {
        name: float(value)
        for name, value in read_json(newest).items()
        if '/' in name and isinstance(value, (int, float))
    }


def write_result(goal: Goal, plan: Plan, scale: str) -> None:
    """Add the figure of a row, whose steps are finished, to the folder's results.

    Args:
        goal: The row.
        plan: Its plan.
        scale: ``'paper'`` or ``'tiny'``.

    Raises:
        ValueError: If a test does not report the row's metric.
    """
    records = [read_json(plan.out / name / RECORD) for name in goal.steps]
    for name, record in zip(goal.steps, records, strict=True):
        if goal.metric not in record['figures']:
            raise ValueError(
                f'{plan.out / name}: expected the metric {goal.metric}, got '
                f'{sorted(record["figures"])}'
            )
    splits = [100 * record['figures'][goal.metric] for record in records]
    trained = [x for x in plan.needed_by(goal) if x.kind == 'train']
    on = {read_json(plan.out / x.name / RECORD)['hardware'] for x in trained}
    path = plan.out / RESULTS
    results = (read_yaml(path) if path.is_file() else None) or {}
    results[goal.row.id] = dict(
        figure=round(sum(splits) / len(splits), 4),
        splits=[round(value, 4) for value in splits],
        date=max(record['finished'] for record in records)[:10],
        versions=records[-1]['versions'],
        hardware=', '.join(sorted(on)),
        scale=scale,
    )
    write_text(path, yaml.safe_dump(results, sort_keys=True))
    print(f'{goal.row.id}: {results[goal.row.id]["figure"]:.2f} ({scale} scale)')


def _finished(step: Step, plan: Plan) -> bool:
    path = plan.out / step.name / RECORD
    return path.is_file() and read_json(path)['finished'] is not None


def _require_same(step: Step, plan: Plan) -> None:
    """Refuse a folder whose run had other options, another config or another batch."""
    path = plan.out / step.name / RECORD
    if not path.is_file():
        return
    there, wanted = read_json(path), _identity(step)
    differ = [key for key, value in wanted.items() if there.get(key) != value]
    if (
        there['finished'] is None
        and step.kind == 'train'
        and there['fit'] != _fit(step)
    ):
        differ.append('fit')
    if differ:
        key = differ[0]
        now = _fit(step) if key == 'fit' else wanted[key]
        raise ValueError(
            f'{path}: expected a run with {key} {now}, got {there.get(key)}: choose '
            'another folder with --out, or delete this one'
        )


def _identity(step: Step) -> dict[str, Any]:
    """What has to be the same for a run to be this one."""
    content = dict(
        name=step.name,
        split=step.split,
        options=list(step.options),
        words=list(step.words),
        needs=list(step.needs),
        config='',
    )
    if step.config:
        with environment(**{SPLIT_VARIABLE: str(step.split or 1)}):
            cfg = load_config(find_config(step.config), step.options)
        text = json.dumps(cfg.to_dict(), sort_keys=True, default=str)
        content['config'] = hashlib.sha1(text.encode()).hexdigest()
    return content


def _fit(step: Step) -> list[int]:
    return [step.fit.processes, step.fit.samples, step.fit.steps]


def versions() -> dict[str, str]:
    """Return the versions of what figures depend on, Python's too."""
    found = {'python': platform.python_version()}
    for name in ('mmattn', *PACKAGES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # mmcv or mmcv-lite, mmdet or not
    return found


def hardware(step: Step, plan: Plan) -> str:
    """Say what a step ran on, such as ``'4 x NVIDIA A100'``."""
    if plan.device == 'cuda' and torch.cuda.is_available():
        return f'{step.fit.processes} x {torch.cuda.get_device_name()}'
    return f'{step.fit.processes} x {platform.machine()} CPU'
