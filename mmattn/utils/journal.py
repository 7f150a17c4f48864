"""Work that goes on where an interrupted run has stopped."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mmattn.utils.processes import in_processes


def remembered(
    function: Callable[[list], list],
    keys: Iterable[list],
    journal: str | Path,
    *,
    workers: int,
) -> Iterator[tuple[list, list]]:
    r"""Yield each key with the result of a function, which is called once in all runs.

    Args:
        function: Importable; gets a key and returns a list that JSON can hold.
        keys: What to compute, with all that a result depends on, such as the state of
            a file, see :func:`file_state`; lists that JSON can hold.
        journal: File of results, a JSON object a line.
        workers: Processes.

    Returns:
        Pairs of key and result, in no order.

    Example:
        >>> import tempfile
        >>> journal = Path(tempfile.mkdtemp(), 'journal.jsonl')
        >>> list(remembered(sorted, [[2, 1]], journal, workers=1))
        [([2, 1], [1, 2])]
        >>> journal.read_text()
        '[[2, 1], [1, 2]]\n'
    """
    journal = Path(journal)
    known = _read(journal)
    waiting = []
    for key in keys:
        if tuple(key) in known:
            yield key, known[tuple(key)]
        else:
            waiting.append(key)
    journal.parent.mkdir(parents=True, exist_ok=True)
    torn = journal.is_file() and journal.read_bytes()[-1:] not in (b'\n', b'')
    with journal.open('a', encoding='utf-8') as file:
        file.write('\n' if torn else '')
        for key, result in in_processes(_Keyed(function), waiting, workers=workers):
            file.write(json.dumps([key, result]) + '\n')
            file.flush()
            yield key, result


def file_state(path: Path) -> tuple[int, int]:
    """Return what changes with a file, or with the entries of a folder.

    Args:
        path: File or folder that exists.
    """
    state = path.stat()
    return state.st_size, state.st_mtime_ns


class _Keyed:
    """Returns the key beside the result; a class, as processes cannot get closures."""

    def __init__(self, function: Callable[[list], list]) -> None:
        self.function = function

    def __call__(self, key: list) -> tuple[list, list]:
        return key, self.function(key)


def _read(journal: Path) -> dict[tuple, Any]:
    known = {}
    if journal.is_file():
        for line in journal.read_text(encoding='utf-8').splitlines():
            try:
                key, result = json.loads(line)
            except ValueError:
                continue  # the last line of an interrupted run
            known[tuple(key)] = result
    return known
