"""Take the figures of a results' folder over into the configs' folders."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from mmattn.reports.row_run import RESULTS
from mmattn.reports.rows import OURS, PaperRow, config_path
from mmattn.utils.files import write_text
from mmattn.utils.text import read_yaml

HEAD = """\
# What rows of rows.yml gave here: written by `mmattn rows --record FOLDER`.
"""


def record_results(rows: list[PaperRow], folder: str | Path) -> list[Path]:
    """Write what rows have given into the ``ours.yml`` beside their ``rows.yml``.

    Args:
        rows: Rows of all systems.
        folder: Folder of a run.

    Returns:
        The files that were written.

    Raises:
        ValueError: If there are no results, they are of the tiny scale, or of a row
            that does not exist.
    """
    path = Path(folder) / RESULTS
    results = read_yaml(path) if path.is_file() else None
    if not results:
        raise ValueError(f'{path}: expected the results of a run, got none')
    by_id = {row.id: row for row in rows}
    found: dict[Path, dict[str, Any]] = defaultdict(dict)
    for name, entry in results.items():
        if entry.pop('scale') != 'paper':
            raise ValueError(
                f"{path}: expected results of the paper's scale, got tiny ones"
            )
        if name not in by_id:
            raise ValueError(f'{path}: expected names of rows, got {name!r}')
        row = by_id[name]
        found[config_path(row, row.configs[0]).parent / OURS][name] = entry
    for target, entries in found.items():
        known = (read_yaml(target) if target.is_file() else None) or {}
        text = HEAD + yaml.safe_dump({**known, **entries}, sort_keys=True)
        write_text(target, text)
    return sorted(found)
