"""Files that are written whole or not at all."""

import csv
import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replaced_atomically(path: Path) -> Iterator[Path]:
    """Yield a path to write to that takes the place of ``path`` on success.

    An interrupted writer leaves the old file, or none, never half of the new one.  Each
    of several writers has a path of its own, beside the file and ending in ``.part``.

    Args:
        path: File to make or to replace; its folder is made.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / 'list.txt'
        >>> with replaced_atomically(path) as part:
        ...     _ = part.write_text('done')
        >>> path.read_text()
        'done'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.{secrets.token_hex(4)}.part')
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file as UTF-8, whole or not at all.

    Args:
        path: The file; its folder is made.
        text: What it holds.

    Returns:
        The path.
    """
    path = Path(path)
    with replaced_atomically(path) as part:
        part.write_text(text, encoding='utf-8')
    return path


def write_csv(path: str | Path, rows: Iterable[Iterable[object]]) -> Path:
    """Write a table as csv, whole or not at all.

    Args:
        path: The file; its folder is made.
        rows: Lines of cells, the header first.

    Returns:
        The path.
    """
    path = Path(path)
    with (
        replaced_atomically(path) as part,
        part.open('w', newline='', encoding='utf-8') as file,
    ):
        csv.writer(file).writerows(rows)
    return path


def write_json(path: str | Path, content: Any, *, allow_nan: bool = False) -> Path:
    """Write plain data as JSON, whole or not at all.

    Args:
        path: The file; its folder is made.
        content: The data.
        allow_nan: Whether it may hold NaN, which only Python reads.

    Returns:
        The path.

    Raises:
        ValueError: If a number is NaN or infinite and may not be.
    """
    return write_text(path, json.dumps(content, allow_nan=allow_nan, indent=1) + '\n')


def numbered_names(names: Iterable[str]) -> list[str]:
    """Make names differ that are the same, so that no file takes another's place.

    Args:
        names: Names, some of which may be the same.

    Example:
        >>> numbered_names(['a', 'b', 'a', 'a'])
        ['a', 'b', 'a-2', 'a-3']
    """
    found: list[str] = []
    for stem in names:
        name, count = stem, 2
        while name in found:
            name = f'{stem}-{count}'
            count += 1
        found.append(name)
    return found
