"""Steps of a plan as commands: to copy into a shell, or to start from here."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mmattn.reports.row_plan import Goal, Plan, Step
from mmattn.utils.configs import configs_root, find_config

SCORES, REPORT = 'scores.pkl', 'report.json'


def shell_line(step: Step, plan: Plan) -> str:
    """Return the command of a step to copy into a shell, behind those it needs.

    Args:
        step: Step.
        plan: Its plan.
    """
    words = _words(step, plan)
    if step.kind in ('train', 'test'):
        launcher = ['--launcher', 'pytorch', '--gpus', str(step.fit.processes)]
        words[4:4] = launcher if step.fit.processes > 1 else []
    return ' '.join(
        word if word.startswith('"$(') else shlex.quote(word) for word in words
    )


def mean_line(goal: Goal, plan: Plan) -> str:
    """Return the command that prints the mean of a row over the splits."""
    folders = [str(plan.out / name) for name in goal.steps]
    return shlex.join(
        [
            'mim',
            'run',
            'mmattn',
            'mean_over_splits',
            *goal.row.configs,
            '--runs',
            *folders,
        ]
    )


def row_commands(goal: Goal, plan: Plan) -> list[str]:
    """Return every command of one row, in order.

    Args:
        goal: The row.
        plan: A plan that holds it.
    """
    lines = [shell_line(step, plan) for step in plan.needed_by(goal)]
    return lines + ([mean_line(goal, plan)] if len(goal.steps) > 1 else [])


def process_words(step: Step, plan: Plan, checkpoint: str = '') -> list[str]:
    """Return the words that start a step from here, with this Python.

    Args:
        step: Step.
        plan: Its plan.
        checkpoint: File of the weights that the step reads.
    """
    _, verb, _, *words = _words(step, plan)
    name = f'{words.pop(0)}.py' if verb == 'run' else f'{verb}.py'
    tool = str(find_tool(name))
    words = [checkpoint if word.startswith('"$(') else word for word in words]
    if step.config:
        words[words.index(step.config)] = str(find_config(step.config))
    if verb == 'test':
        words.remove('--checkpoint')
    if verb == 'run' or step.fit.processes == 1:
        return [sys.executable, tool, *words]
    count = f'--nproc_per_node={step.fit.processes}'
    start = [sys.executable, '-m', 'torch.distributed.run', '--standalone', count]
    at = words.index('--cfg-options') if '--cfg-options' in words else len(words)
    words[at:at] = ['--launcher', 'pytorch']
    return [*start, tool, *words]


def find_tool(name: str) -> Path:
    """Return the path of one of our tools, in a checkout or an installed package.

    Raises:
        FileNotFoundError: If there is none of this name.

    Example:
        >>> find_tool('fuse_scores.py').parent.name
        'analysis'
    """
    root = configs_root().parent / 'tools'
    found = sorted(root.rglob(name))
    if not found:
        raise FileNotFoundError(f'expected a tool {name} in {root}, got none')
    return found[0]


def _words(step: Step, plan: Plan) -> list[str]:
    """Words of the command for ``mim``; weights are those of the step before."""
    folder = plan.out / step.name
    words = [
        'mim',
        'run' if step.kind in ('tool', 'features', 'fuse') else step.kind,
        'mmattn',
    ]
    split = [] if step.split is None else ['--split', str(step.split)]
    if step.kind == 'tool':
        return [*words, *step.words, *split]
    if step.kind == 'fuse':
        dumps = [str(plan.out / name / SCORES) for name in step.needs]
        report = ['--json', str(folder / REPORT)]
        return [*words, 'fuse_scores', *dumps, '--weights', *step.words, *report]
    marker = plan.out / step.needs[0] / 'last_checkpoint' if step.needs else ''
    checkpoint = f'"$(cat {shlex.quote(str(marker))})"'
    if step.kind == 'features':
        words += ['extract_features', step.config, checkpoint, *step.words, *split]
        return [*words, *(['--device', 'cuda:0'] if plan.device == 'cuda' else [])]
    words.append(step.config)
    if step.kind == 'test':
        words += ['--checkpoint', checkpoint]
    words += [*split, '--work-dir', str(folder)]
    if step.kind == 'test':
        words += ['--dump', str(folder / SCORES)]
    return [*words, *_options([*step.options, *step.fit_options])]


def _options(pairs: Sequence[str]) -> list[str]:
    return ['--cfg-options', *pairs] if pairs else []
