"""List the table rows of the papers: figure reported, config, commands, ours if run.

python tools/paper_rows.py [--key KEY] [--format text|json|markdown]
python tools/paper_rows.py --check          build, train and test each row, shrunk
python tools/paper_rows.py --write-readmes  make the tables of the READMEs anew
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from mmattn.utils.paper_rows import (
    PaperRow,
    configs_root,
    distinct_runs,
    load_config,
    load_rows,
    markdown_table,
    with_table,
)
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


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--key', help='only the rows of this system')
    parser.add_argument(
        '--format', choices=('text', 'json', 'markdown'), default='text'
    )
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--write-readmes', action='store_true')
    args = parser.parse_args()
    all_rows = load_rows()
    rows = [row for row in all_rows if args.key in (None, row.key)]
    if args.check:
        return check(rows)
    if args.write_readmes:
        for key in sorted({row.key for row in rows}):
            readme = next(configs_root().rglob(f'{key}/README.md'))
            text = with_table(readme.read_text(), all_rows, key)
            readme.write_text(text, encoding='utf-8')
            print(readme)
    elif args.format == 'json':
        print(json.dumps([row.as_dict() for row in rows], indent=2))
    elif args.format == 'markdown':
        print(markdown_table(rows))
    else:
        paper = None
        for row in rows:
            if row.paper != paper:
                paper = row.paper
                print(f'# {paper}')
            print(
                f'{row.key} table {row.table}: {row.row}, {row.dataset} '
                f'({row.metric}): paper {row.reported}, ours {row.measured}'
            )
            for command in row.commands:
                print(f'    {command}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
