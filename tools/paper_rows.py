"""List, plan and run the table rows of the papers.

Without --plan and --run rows are listed: what the paper reports, what the row gave
here, and each command of it. ROW is a name that the list shows, or a pattern of names;
all rows by default.

python tools/paper_rows.py 'stbta-1-*' --format markdown
python tools/paper_rows.py 'stbta-1-*' --plan --gpus 4
python tools/paper_rows.py stbta-6-two-stream-stbta-net-ucf101 --run --gpus 4
python tools/paper_rows.py 'convlstm-*' --run --device cpu --scale tiny
python tools/paper_rows.py --record work_dirs/rows
python tools/paper_rows.py --write-pages
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from mmattn.reports.row_batches import fit_plan
from mmattn.reports.row_commands import row_commands
from mmattn.reports.row_costs import write_costs
from mmattn.reports.row_estimates import plan_text
from mmattn.reports.row_plan import RESULTS, plan_rows
from mmattn.reports.row_records import record_results
from mmattn.reports.row_run import run_plan
from mmattn.reports.row_tables import rows_table, write_pages
from mmattn.reports.row_tiny import shrink_plan
from mmattn.reports.rows import (
    PaperRow,
    distinct_runs,
    find_rows,
    load_config,
    load_rows,
)
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.progress import progress_bar


def check(rows: list[PaperRow]) -> int:
    """Train and test each distinct config and option set of the rows, shrunk."""
    from mmattn.testing import make_tiny_data, shrink, train_and_test

    runs = distinct_runs(rows)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        data = make_tiny_data(Path(folder) / 'data')
        for i, (path, options) in enumerate(progress_bar(runs, description='rows')):
            try:
                cfg = shrink(load_config(path, options), data)
                cfg.log_level = 'ERROR'  # the bar is enough
                train_and_test(cfg, Path(folder) / str(i))
            except Exception as error:  # reported below; the other rows go on
                failed.append(f'{path.name} {" ".join(options)}: {error!r}')
    for line in failed:
        print(f'failed: {line}', file=sys.stderr)
    print(f'{len(rows)} rows, {len(runs)} distinct runs, {len(failed)} failed')
    return 1 if failed else 0


def list_rows(rows: list[PaperRow], kind: str, processes: int) -> None:
    """Print rows with their commands."""
    if kind == 'markdown':
        print(rows_table(rows))
        return
    plan = fit_plan(plan_rows(rows), processes=processes)
    commands = {goal.row.id: row_commands(goal, plan) for goal in plan.goals}
    if kind == 'json':
        listed = [
            dict(asdict(row), id=row.id, commands=commands[row.id]) for row in rows
        ]
        print(json.dumps(listed, indent=2))
        return
    paper = None
    for row in rows:
        if row.paper != paper:
            paper = row.paper
            print(f'# {paper}')
        print(
            f'{row.id}: table {row.table}: {row.row}, {row.dataset} '
            f'({row.metric}): paper {row.reported}, ours {row.measured}'
        )
        for command in commands[row.id]:
            print(f'    {command}')


def read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read what is wanted, and refuse what this machine cannot do."""
    parser = tool_parser(__doc__)
    parser.add_argument('rows', nargs='*', metavar='ROW', help='rows; all by default')
    parser.add_argument('--key', help='only the rows of this system')
    parser.add_argument(
        '--format', choices=('text', 'json', 'markdown'), default='text'
    )
    parser.add_argument(
        '--plan', action='store_true', help='print what has to be run, and its cost'
    )
    parser.add_argument(
        '--run', action='store_true', help='run it, going on where it stopped'
    )
    parser.add_argument('--gpus', type=int, help='processes, one for each GPU')
    parser.add_argument('--device', choices=('cuda', 'cpu'))
    parser.add_argument(
        '--samples', type=int, help='most samples of a GPU at once: by its memory'
    )
    parser.add_argument('--scale', choices=('paper', 'tiny'), default='paper')
    parser.add_argument(
        '--speed', type=float, help='tera multiply-adds a second of a GPU, for --plan'
    )
    parser.add_argument('--out', default=RESULTS, help='folder of the results')
    parser.add_argument(
        '--check', action='store_true', help='train and test a step of each, shrunk'
    )
    parser.add_argument(
        '--record', metavar='FOLDER', help='take over the results of a run as ours'
    )
    parser.add_argument(
        '--write-pages', action='store_true', help='make the tables of the docs anew'
    )
    parser.add_argument(
        '--count-costs', action='store_true', help='count what --plan reckons with'
    )
    args = parser.parse_args(argv)
    for name in ('gpus', 'samples', 'speed'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            parser.error(f'--{name}: expected a number above 0, got {value}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device: expected a GPU for cuda, got none here')
    if args.run and not args.device and not torch.cuda.is_available():
        parser.error('--run: expected a GPU, or --device cpu, got neither')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv: Its arguments, those of the process by default.
    """
    args = read_arguments(argv)
    all_rows = load_rows()
    rows = find_rows(all_rows, args.rows) if args.rows else all_rows
    rows = [row for row in rows if args.key in (None, row.key)]
    if args.check:
        return check(rows)
    if args.record:
        print(*record_results(all_rows, args.record), sep='\n')
        return 0
    if args.write_pages:
        print(*write_pages(all_rows), sep='\n')
        return 0
    if args.count_costs:
        print(write_costs(plan_rows(all_rows)))
        return 0
    if not (args.plan or args.run):
        list_rows(rows, args.format, args.gpus or 1)
        return 0
    device = args.device or (
        'cuda' if torch.cuda.is_available() or args.plan else 'cpu'
    )
    processes = args.gpus or max(1, torch.cuda.device_count())
    plan = plan_rows(rows, args.out, device=device)
    if args.scale == 'tiny':
        plan = shrink_plan(plan, processes=processes)
    else:
        plan = fit_plan(plan, processes=processes, samples=args.samples)
    if args.plan:
        counted = args.scale == 'paper'
        print(plan_text(plan, speed=args.speed, counted=counted))
        return 0
    failed = run_plan(plan, scale=args.scale)
    for sentence in failed:
        print(f'failed: {sentence}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
