"""A plan as text: what runs, in which order, and about how long."""

from mmattn.reports.row_commands import mean_line, shell_line
from mmattn.reports.row_costs import tera_multiply_adds
from mmattn.reports.row_plan import Plan, Step
from mmattn.reports.row_run import RECORD
from mmattn.utils.text import read_json

SPEEDS = {'cuda': 3.0, 'cpu': 0.04}  # tera multiply-adds a second, of one process


def plan_text(plan: Plan, *, speed: float | None = None, counted: bool = True) -> str:
    """Return the steps of a plan with their commands, and what they cost.

    Args:
        plan: Plan with batches that fit.
        speed: Tera multiply-adds that a process does in a second.
        counted: Whether the steps are of the papers' scale, whose cost is counted.
    """
    speed = speed or SPEEDS[plan.device]
    costs = tera_multiply_adds(plan.steps.values()) if counted else {}
    lines, total = [], 0.0
    for number, step in enumerate(plan.steps.values(), 1):
        hours = costs.get(step.name, 0) / speed / step.fit.processes / 3600
        took = _seconds(step, plan)
        if took is None:
            total += hours
            when = f'about {_time(hours)}' if step.name in costs else 'soon done'
        else:
            when = f'done, took {_time(took / 3600)}'
        lines += [
            f'# {number}/{len(plan.steps)} {step.name}: {when}',
            shell_line(step, plan),
        ]
    lines += ['', '# Rows, and the mean over the splits']
    for goal in plan.goals:
        lines.append(f'# {goal.row.id}: {goal.metric} of {", ".join(goal.steps)}')
        lines += [mean_line(goal, plan)] if len(goal.steps) > 1 else []
    kinds = [step.kind for step in plan.steps.values()]
    lines.append(
        f'# {len(plan.goals)} rows, {kinds.count("train")} trainings, '
        f'{kinds.count("test")} tests, {kinds.count("fuse")} fusions'
    )
    if counted:
        lines.append(
            f'# About {total:.0f} hours are left, counted at {speed:g} tera '
            'multiply-adds a second and process (--speed): three forward passes for a '
            "training step, without a row's options and without reading data"
        )
    return '\n'.join(lines)


def _seconds(step: Step, plan: Plan) -> float | None:
    """How long a finished step took."""
    path = plan.out / step.name / RECORD
    if not path.is_file():
        return None
    record = read_json(path)
    return record['seconds'] if record['finished'] else None


def _time(hours: float) -> str:
    return f'{hours:.1f} h' if hours >= 0.1 else f'{3600 * hours:.0f} s'
