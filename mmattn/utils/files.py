"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_atomically(path: Path) -> Iterator[Path]:
    """Yield a path to write to that takes the place of ``path`` on success.

    An interrupted writer leaves the old file, or none, never half of the new one.

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
    part = path.with_name(path.name + '.part')
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
