"""Tables of rows, for READMEs and the page of all rows."""

from collections.abc import Sequence
from pathlib import Path

from mmattn.reports.claims import claims_page, load_claims, with_part
from mmattn.reports.rows import PaperRow, rows_of_paper
from mmattn.utils.configs import configs_root
from mmattn.utils.text import markdown_table

HEADER = ('table', 'row', 'data', 'paper reports', 'ours', 'config', 'options')
PAGE_HEADER = ('table', 'row', 'data', 'figure', 'paper reports', 'ours', 'command')
PAGE = """\
# All rows of the papers

Every row of the papers' tables that is their own model or their own baseline: what
the paper reports, what it gave here, and how to run it. {counts}

```shell
mmattn rows --plan ROW --gpus 8
mmattn rows --run ROW --gpus 8
```

`ROW` is a name as in the tables or a pattern such as `'stbta-1-*'`. `--plan` prints
each command, in order, with an estimate of its hours; `--run` runs them, and goes on
where it stopped.

- The batch is the paper's on any number of GPUs: where they are fewer than the config
  was written for, gradients are added up, the learning rate stays, and schedules that
  count iterations count the paper's. `--samples` sets how many samples a GPU takes at
  once.
- A row is trained and tested on every split whose mean the paper reports. Streams are
  fused with the paper's weights.
- What several rows share runs once. The last checkpoint is tested, never the one that
  was best on the test videos.
- Each run has a folder of its own, named after its options, below `--out`; a folder
  whose run was made otherwise is refused. `results.yml` there holds the figures with
  date, versions and hardware, and `mmattn rows --record FOLDER` takes them over into
  this page.
- `--device cpu` leaves GPUs alone. `--scale tiny` runs the same commands on tiny
  networks and data, to see in minutes that all is in place.
"""


def rows_table(rows: Sequence[PaperRow], key: str | None = None) -> str:
    """Return rows as a Markdown table.

    Args:
        rows: Rows.
        key: Key of the system in whose README the table stands: tables of its paper
            have their number only, and links start from its folder.
    """
    lines = []
    for row in rows:
        folder = '' if key in (None, row.key) else f'../{row.key}/'
        configs = '<br>'.join(f'[{c}]({folder}{c})' for c in row.configs)
        table = row.table.removeprefix(f'{key} ')
        ours = (row.reported, row.measured, configs, _options(row))
        lines.append([table, _name(row), row.dataset, *ours])
    return markdown_table(HEADER, lines)


def _name(row: PaperRow) -> str:
    return f'{row.row} ({row.note})' if row.note else row.row


def _options(row: PaperRow) -> str:
    options = [f'`{option}`' for option in row.options]
    if row.weights:
        weights = ' '.join(f'{weight:g}' for weight in row.weights)
        options.insert(0, f'`fuse_scores --weights {weights}`')
    for own in row.stream_options:
        options.append('<br>' + ' '.join(f'`{option}`' for option in own))
    return ' '.join(options)


def rows_page(rows: Sequence[PaperRow]) -> str:
    """Return the page of all rows, by paper.

    Args:
        rows: Rows of all systems.
    """
    run = sum(row.ours is not None for row in rows)
    counts = f'There are {len(rows)}; {run or "none"} of them has been run here.'
    if run > 1:
        counts = f'There are {len(rows)}; {run} of them have been run here.'
    parts = [PAGE.format(counts=counts)]
    for paper in dict.fromkeys(row.paper for row in rows):
        of_paper = [row for row in rows if row.paper == paper]
        lines = [
            (
                row.table_key.partition(' ')[2],
                *(_name(row), row.dataset, row.metric, row.reported, _ours(row)),
                f'`mmattn rows --run {row.id}`',
            )
            for row in sorted(of_paper, key=lambda row: row.table_key)
        ]
        parts.append(f'\n## {paper}\n\n{markdown_table(PAGE_HEADER, lines)}\n')
    return ''.join(parts)


def _ours(row: PaperRow) -> str:
    """Our figure with all that it depends on."""
    if row.ours is None:
        return 'not run'
    splits = ', '.join(f'{value:.1f}' for value in row.ours.splits)
    of = f' (splits: {splits})' if len(row.ours.splits) > 1 else ''
    used = ', '.join(f'{name} {x}' for name, x in row.ours.versions.items())
    return f'{row.measured}{of}; {row.ours.date}, {row.ours.hardware}; {used}'


def write_pages(rows: list[PaperRow]) -> list[Path]:
    """Make the tables of all READMEs and the page of all rows anew.

    Args:
        rows: Rows of all systems.

    Returns:
        The files.
    """
    written = []
    for key in sorted({row.key for row in rows}):
        readme = next(configs_root().rglob(f'{key}/README.md'))
        table = rows_table(rows_of_paper(rows, key), key)
        text = with_part(readme.read_text(encoding='utf-8'), 'rows', table)
        readme.write_text(text, encoding='utf-8')
        written.append(readme)
    papers = load_claims(configs_root())
    for paper in papers:
        readme = paper.folder / 'README.md'
        text = readme.read_text(encoding='utf-8')
        text = with_part(text, 'equations', paper.table())
        readme.write_text(text, encoding='utf-8')
    docs = configs_root().parent / 'docs'
    pages = {'paper_rows.md': rows_page(rows), 'claims.md': claims_page(papers)}
    for name, text in pages.items():
        (docs / name).write_text(text, encoding='utf-8')
    return [*written, *(docs / name for name in pages)]
