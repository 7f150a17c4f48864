"""Text files that users write: one way to read them, and errors that name the line."""

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from mmengine.fileio import get, isfile

BOMS = {
    b'\xff\xfe\x00\x00': 'UTF-32',
    b'\x00\x00\xfe\xff': 'UTF-32',
    b'\xff\xfe': 'UTF-16',
    b'\xfe\xff': 'UTF-16',
}
DELIMITERS = (',', ';', '\t')
SEPARATOR_LINES = ('sep=;', 'sep=,')  # what spreadsheets write for each other
SHOWN = 5  # of many things that a message names


class Row(list[str]):
    """Fields of a line of a table.

    Args:
        fields: The fields, without blanks around them and without empty ones at the
            end.
        number: Number of the line, from 1.
        decimal: Decimal separator of its numbers, ``'.'`` or ``','``.
    """

    def __init__(self, fields: Sequence[str], number: int, decimal: str = '.') -> None:
        super().__init__(fields)
        self.number = number
        self.decimal = decimal


def read_text(path: str | Path) -> str:
    r"""Read a text file as UTF-8, with or without a byte-order mark.

    Ends of lines, of whatever system, become ``'\n'``.

    Args:
        path: The file, or an address that MMEngine reads.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not UTF-8; the message names file and line, and how to
            convert it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / 'list.txt'
        >>> _ = path.write_bytes(b'\xef\xbb\xbfa.avi 0\r\n')
        >>> read_text(path)
        'a.avi 0\n'
    """
    if not isfile(str(path)):
        raise FileNotFoundError(f'expected a text file, got no file {path}')
    content = get(str(path))
    for mark, encoding in BOMS.items():
        if content.startswith(mark):
            raise ValueError(_not_utf8(path, 1, f'a mark of {encoding}', encoding))
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        byte = content[error.start]
        # the mark is not in the bytes that `start` counts, and ends no line
        line = _newlines(content[: error.start].decode('latin-1')).count('\n') + 1
        raise ValueError(
            _not_utf8(path, line, f'the byte 0x{byte:02x}', 'WINDOWS-1252')
        ) from error
    if '\x00' in text:
        line = _newlines(text[: text.index('\x00')]).count('\n') + 1
        raise ValueError(
            f'{path}:{line}: expected text, got a zero byte: the file is not whole, or '
            'no text'
        )
    return _newlines(text)


def read_lines(path: str | Path) -> list[str]:
    """Read the lines of a text file; line n is entry n - 1.

    Args:
        path: See :func:`read_text`.

    Returns:
        The lines, without empty ones at the end.

    Raises:
        FileNotFoundError: See :func:`read_text`.
        ValueError: See :func:`read_text`.
    """
    lines = read_text(path).split('\n')
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def read_table(path: str | Path, widths: Sequence[int]) -> Iterator[Row]:
    """Read the rows of a csv as programs and spreadsheets write it.

    Fields are separated by commas, semicolons or tabs, as the first line is, and may
    have quotes.  With semicolons and tabs a decimal comma is a decimal point.  Lines
    without any content are left out, and so are empty fields at the end of a line.

    Args:
        path: See :func:`read_text`.
        widths: Numbers of fields that a line should have; they tell the delimiter, and
            the caller checks them.

    Raises:
        FileNotFoundError: See :func:`read_text`.
        ValueError: See :func:`read_text`.
    """
    delimiter = None
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip(' \t;,'):
            continue
        if delimiter is None and line.strip().lower() in SEPARATOR_LINES:
            delimiter = line.strip()[-1]
            continue
        delimiter = delimiter or _delimiter(line, widths)
        yield Row(_filled(line, delimiter), number, '.' if delimiter == ',' else ',')


def read_records(
    path: str | Path, columns: Collection[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a csv whose first line names its columns, as :func:`read_table` does.

    Args:
        path: See :func:`read_text`.
        columns: Names of the columns that there must be, in lower case; a file may
            write them in capitals.

    Yields:
        Number of the last line of each record, and its fields by the columns' names in
        lower case; empty where a line ends before.

    Raises:
        FileNotFoundError: See :func:`read_text`.
        ValueError: If a column is missing or there twice, or a line has more fields
            than there are columns, with file and line.
    """
    lines = read_text(path).splitlines(keepends=True)
    skipped = 0
    while skipped < len(lines) and _is_before_header(lines[skipped]):
        skipped += 1
    first = lines[skipped].strip() if lines[skipped:] else ''
    delimiter = max(DELIMITERS, key=lambda d: len(split_fields(first, d)))
    names = [name.lower() for name in split_fields(first, delimiter)]
    where = f'{path}:{skipped + 1}: expected the columns {", ".join(columns)}'
    if not set(columns) <= set(names):
        raise ValueError(f'{where}, got {", ".join(names) or "nothing"}')
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise ValueError(f'{where}, each once, got {", ".join(names)}')
    reader = csv.reader(lines[skipped + 1 :], delimiter=delimiter)
    for row in reader:
        number = skipped + 1 + reader.line_num
        fields = [field.strip() for field in row]
        if any(fields[len(names) :]):
            raise ValueError(
                f'{path}:{number}: expected {len(names)} fields, got {len(fields)}; a '
                f'field with {delimiter!r} in it takes quotes'
            )
        if any(fields):
            fields += [''] * (len(names) - len(fields))
            yield number, dict(zip(names, fields, strict=False))


def _is_before_header(line: str) -> bool:
    """Say whether a line is blank or names the separator."""
    return not line.strip(' \t\r\n;,') or line.strip().lower() in SEPARATOR_LINES


def split_fields(line: str, delimiter: str) -> list[str]:
    """Split a line of a csv, and strip its fields.

    Args:
        line: The line.
        delimiter: What separates its fields.

    Example:
        >>> split_fields('"a; b.mp4" ; 3', ';')
        ['a; b.mp4', '3']
    """
    fields = line.split(delimiter)
    if '"' in line:
        (fields,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    return [field.strip() for field in fields]


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Args:
        path: See :func:`read_text`.

    Raises:
        FileNotFoundError: See :func:`read_text`.
        ValueError: If it is no JSON, or not whole; the message names file and line.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(
            f'{path}:{error.lineno}: expected whole JSON, got: {error.msg}'
        ) from error


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file.

    Args:
        path: See :func:`read_text`.

    Raises:
        FileNotFoundError: See :func:`read_text`.
        ValueError: If it is no YAML; the message names file and line.
    """
    try:
        return yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        where = f'{path}:{mark.line + 1}' if mark else f'{path}'
        problem = getattr(error, 'problem', None) or error
        raise ValueError(f'{where}: expected YAML, got: {problem}') from error


def shortened(text: str, length: int = 60) -> str:
    """Return a text for a message, cut if it is long.

    Example:
        >>> shortened('a' * 50, 10)
        'aaaaaaa...'
    """
    return text if len(text) <= length else f'{text[: length - 3]}...'


def _newlines(text: str) -> str:
    return text.replace('\r\n', '\n').replace('\r', '\n')


def _not_utf8(path: str | Path, line: int, found: str, encoding: str) -> str:
    return (
        f'{path}:{line}: expected UTF-8 text, got {found}; save it as UTF-8, or '
        f'convert it: iconv -f {encoding} -t UTF-8 OLD > NEW'
    )


def _filled(line: str, delimiter: str) -> list[str]:
    """The fields of a line without the empty ones at its end."""
    fields = split_fields(line, delimiter)
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _delimiter(line: str, widths: Sequence[int]) -> str:
    """The delimiter that gives most fields, of those that give the right number."""
    counts = {delimiter: len(_filled(line, delimiter)) for delimiter in DELIMITERS}
    fitting = [d for d in DELIMITERS if counts[d] in widths] or DELIMITERS
    return max(fitting, key=lambda delimiter: counts[delimiter])


def few(items: Sequence[object]) -> str:
    """Name the first of some things, and how many more there are.

    Example:
        >>> few(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
        'a, b, c, d, e and 2 more'
    """
    shown = ', '.join(shortened(str(item), 80) for item in items[:SHOWN])
    rest = len(items) - SHOWN
    return f'{shown} and {rest} more' if rest > 0 else shown


def markdown_table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table of Markdown.

    Args:
        header: Titles of the columns.
        rows: Cells of each line.

    Example:
        >>> print(markdown_table(['map', 'gain'], [['a', 0.5]]))
        | map | gain |
        |---|---|
        | a | 0.5 |
    """
    lines = ['| ' + ' | '.join(map(str, cells)) + ' |' for cells in (header, *rows)]
    return '\n'.join([lines[0], '|' + '---|' * len(header), *lines[1:]])


def read_class_names(path: str | Path | None, num_classes: int) -> list[str]:
    """Read the names of classes, by default their numbers.

    Args:
        path: Text file with a name per line, or None.
        num_classes: Number of names expected.

    Raises:
        ValueError: If the file has another number of names.
    """
    if path is None:
        return [str(index) for index in range(num_classes)]
    names = [line.strip() for line in read_lines(path)]
    if len(names) != num_classes:
        raise ValueError(f'{path}: expected {num_classes} classes, got {len(names)}')
    return names
