"""AVA's formats: csv of annotations, detections and frames, and maps of labels.

The one place that reads them: data set, check of annotations, metric and tools call it.
"""

import ast
import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

from mmattn.datasets.video_reader import VIDEO_SUFFIXES
from mmattn.utils.files import replaced_atomically
from mmattn.utils.text import Row, read_table, read_text, shortened

LAYOUT = 'video,second,x1,y1,x2,y2,class,person'
DETECTION_LAYOUT = 'video,second,x1,y1,x2,y2,class,score'
FRAME_LAYOUT = 'video,second'
# What a header may call the columns, without case and punctuation.
HEADERS = (
    {'video', 'videoid', 'videoname', 'name', 'file', 'filename', 'clip', 'movie'},
    {'second', 'seconds', 'sec', 'time', 'timestamp', 'frametimestamp'}
    | {'middleframetimestamp'},
    {'x1', 'xmin', 'left'},
    {'y1', 'ymin', 'top'},
    {'x2', 'xmax', 'right'},
    {'y2', 'ymax', 'bottom'},
    {'class', 'classid', 'label', 'labelid', 'action', 'actionid'},
    {'person', 'personid', 'entity', 'entityid', 'track', 'trackid'}
    | {'score', 'confidence', 'probability'},
)
WORDS = set().union(*HEADERS)
ITEMS = ('item', 'label')
TOKEN = re.compile(
    r"""(?P<blank>[\s,;]+|\#.*)|(?P<brace>:\s*\{|[{}])"""
    r"""|(?P<word>:|[\w.+-]+|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
)

Frame = tuple[str, int]
File = str | Path
T = TypeVar('T')


class Annotation(NamedTuple):
    """A line of the truth: an action of a person, or a frame without actions.

    Args:
        line: Number of the line.
        frame: Video and second.
        box: x1, y1, x2, y2, as parts of width and height; None without an action.
        label: Number of the class, from 1; 0 without an action.
        person: Number of the person, -1 if the line does not say it.
    """

    line: int
    frame: Frame
    box: tuple[float, ...] | None = None
    label: int = 0
    person: int = -1


class ActionBox(NamedTuple):
    """One action of one person in one frame.

    Args:
        frame: Video and second.
        box: x1, y1, x2, y2, as parts of width and height.
        label: Number of the class, from 1.
        score: Confidence; 1 for ground truth.
    """

    frame: Frame
    box: tuple[float, ...]
    label: int
    score: float = 1.0


def annotation_rows(path: File) -> list[Row]:
    """Return the rows of a truth, without a header.

    Args:
        path: Csv, see :func:`mmattn.utils.text.read_table`.

    Raises:
        ValueError: If it is no text, holds no line, or a header has other columns.
    """
    rows = list(_rows(path, LAYOUT, (2, 7, 8)))
    if not rows:
        raise ValueError(f'{path}: expected lines {LAYOUT}, got none')
    return rows


def parse_annotation(row: Row) -> Annotation:
    """Read a row ``video,second,x1,y1,x2,y2,class[,person]`` or ``video,second``.

    Args:
        row: The row.

    Raises:
        ValueError: If it is malformed, the box reaches beyond the frame or its sides
            are exchanged.

    Example:
        >>> parse_annotation(Row('clip 3 0 0.2 0.5 1 4 0'.split(), 1)).box
        (0.0, 0.2, 0.5, 1.0)
    """
    if len(row) not in (2, 7, 8) or not row[0]:
        raise ValueError(f"expected '{LAYOUT}' or '{FRAME_LAYOUT}', got {_text(row)}")
    frame = _frame(row)
    if len(row) == 2:
        return Annotation(row.number, frame)
    box = _box(row)
    for axis, low, high in (('x', box[0], box[2]), ('y', box[1], box[3])):
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f'expected 0 <= {axis}1 <= {axis}2 <= 1, parts of the frame, got '
                f'{low:g} and {high:g}'
            )
    label = _whole('class', row[6])
    if label < 1:
        raise ValueError(f'expected a class from 1 on, got {label}')
    person = _whole('person', row[7]) if len(row) == 8 else -1
    return Annotation(row.number, frame, box, label, person)


def read_annotations(path: File) -> list[Annotation]:
    """Read a truth line by line.

    Args:
        path: Csv.

    Raises:
        ValueError: As :func:`annotation_rows` and :func:`parse_annotation`, with file
            and line.
    """
    return list(_parsed(path, annotation_rows(path), parse_annotation))


def read_truths(path: File) -> tuple[set[Frame], list[ActionBox]]:
    """Read the frames that a ground truth names, and their boxes.

    Args:
        path: Csv.

    Raises:
        ValueError: As :func:`read_annotations`.
    """
    frames, truths = set(), []
    for line in read_annotations(path):
        frames.add(line.frame)
        if line.box is not None:
            truths.append(ActionBox(line.frame, line.box, line.label))
    return frames, truths


def read_detections(path: File) -> list[ActionBox]:
    """Read detections, lines ``video,second,x1,y1,x2,y2,class,score``.

    Args:
        path: Csv.

    Raises:
        ValueError: If a line is malformed, a number is not finite or boxes are in
            pixels, with file and line.
    """
    rows = _rows(path, DETECTION_LAYOUT, (8,))
    return list(_parsed(path, rows, _detection))


def read_frames(path: File) -> set[Frame]:
    """Read a list of frames, lines ``video,second``.

    Args:
        path: Csv.

    Raises:
        ValueError: If a line is malformed, with file and line.
    """
    return set(_parsed(path, _rows(path, FRAME_LAYOUT, (2,)), _frame))


def write_detections(detections: Iterable[ActionBox], path: File) -> None:
    """Write detections as AVA's csv, to be evaluated or submitted.

    Args:
        detections: Detections.
        path: File to write.
    """
    with (
        replaced_atomically(Path(path)) as part,
        part.open('w', newline='', encoding='utf-8') as file,
    ):
        writer = csv.writer(file, lineterminator='\n')
        for d in detections:
            video, second = d.frame
            box = (f'{value:.6g}' for value in d.box)
            writer.writerow((video, f'{second:04d}', *box, d.label, f'{d.score:.8g}'))


def read_label_map(path: File) -> dict[int, str]:
    r"""Read the names and numbers of classes.

    Args:
        path: Items ``item { name: "walk" id: 12 }`` in any layout, in which the keys
            may come in any order, or lines ``12: walk``.  ``label`` for ``item`` and
            ``label_id`` for ``id``, as in AVA's files, are the same; other keys are not
            looked at.

    Raises:
        ValueError: If an item is damaged, a number occurs twice, or there is no
            class, with file and line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / 'map.pbtxt'
        >>> _ = path.write_text("item { id: 12 name: 'walk' }  # a comment")
        >>> read_label_map(path)
        {12: 'walk'}
    """
    text = read_text(path)
    numbered = re.compile(r'\s*\d+\s*:')
    first = next((line for line in text.split('\n') if line.strip()), '')
    read = _numbered_lines if numbered.match(first) else _items
    names: dict[int, str] = {}
    try:
        for line, label, name in read(text):
            if label < 1:
                raise ValueError(f'{line}: expected ids from 1 on, got {label}')
            if label in names:
                raise ValueError(f'{line}: expected each id once, got {label} again')
            names[label] = name
    except ValueError as error:
        raise ValueError(f'{path}:{error}') from None
    if not names:
        raise ValueError(f'{path}: expected items with a name and an id, got none')
    return names


def match_names(wanted: Iterable[str], found: Iterable[str]) -> dict[str, str]:
    """Find names of videos among others that may be spelled otherwise.

    A name fits the same one; if it is not there, the only one that differs in a video's
    ending; then the only one that differs in the folder, too.

    Args:
        wanted: Names to look for.
        found: Names to look in.

    Returns:
        The name in ``found`` of each of ``wanted`` that has one.

    Example:
        >>> match_names(['a', 'b.mp4'], ['b', 'videos/a.avi', 'c'])
        {'b.mp4': 'b', 'a': 'videos/a.avi'}
    """
    wanted, found = list(dict.fromkeys(wanted)), set(found)
    matches = {name: name for name in wanted if name in found}
    for spelled in (_without_ending, _without_folder):
        ours, theirs = _grouped(wanted, spelled), _grouped(found, spelled)
        for spelling, names in ours.items():
            others = theirs.get(spelling, [])
            if len(names) == len(others) == 1:
                matches.setdefault(names[0], others[0])
    return matches


def check_names(
    names: Iterable[str], expected: Iterable[str], path: File, expected_path: File
) -> None:
    """Refuse names of videos that another file spells otherwise.

    Args:
        names: Names.
        expected: Names in the other file.
        path: File of the names, for messages.
        expected_path: The other file, for messages.

    Raises:
        ValueError: If a name differs in the ending or folder only.
    """
    expected = set(expected)
    strange = sorted(set(names) - expected)
    for name, other in match_names(strange, expected).items():
        raise ValueError(
            f'{path}: expected names of videos as in {expected_path}, such as '
            f'{other!r}, got {name!r}'
        )


def _without_ending(name: str) -> str:
    name = name.strip().replace('\\', '/').removeprefix('./')
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in VIDEO_SUFFIXES else name


def _without_folder(name: str) -> str:
    return PurePosixPath(_without_ending(name)).name


def _grouped(
    names: Iterable[str], spelled: Callable[[str], str]
) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(spelled(name), []).append(name)
    return groups


def _rows(path: File, layout: str, widths: tuple[int, ...]) -> Iterator[Row]:
    for index, row in enumerate(read_table(path, widths)):
        if index or not _is_header(row):
            yield row
            continue
        for column, (field, names) in enumerate(zip(row, HEADERS, strict=False), 1):
            if _plain(field) not in names:
                raise ValueError(
                    f'{path}:{row.number}: expected columns in the order {layout}, got '
                    f'{field!r} as column {column}'
                )


def _is_header(row: Row) -> bool:
    has_words = any(_plain(field) in WORDS for field in row[1:])
    return has_words and not any(map(_is_number, row[1:]))


def _plain(field: str) -> str:
    return re.sub('[^a-z0-9]', '', field.lower())


def _is_number(text: str) -> bool:
    try:
        float(text.replace(',', '.'))
    except ValueError:
        return False
    return True


def _parsed(path: File, rows: Iterable[Row], parse: Callable[[Row], T]) -> Iterator[T]:
    for row in rows:
        try:
            yield parse(row)
        except ValueError as error:
            raise ValueError(f'{path}:{row.number}: {error}') from None


def _detection(row: Row) -> ActionBox:
    if len(row) != 8 or not row[0]:
        raise ValueError(f"expected '{DETECTION_LAYOUT}', got {_text(row)}")
    box = _box(row)
    if max(map(abs, box)) > 2:
        raise ValueError(
            f'expected a box in parts of the frame, 0 to 1, got {box}: pixels?'
        )
    (score,) = _numbers(row, 7, 8, 'a score')
    return ActionBox(_frame(row), box, _whole('class', row[6]), score)


def _frame(row: Row) -> Frame:
    if len(row) < 2 or not row[0]:
        raise ValueError(f"expected '{FRAME_LAYOUT}', got {_text(row)}")
    return row[0], _whole('second', row[1])


def _box(row: Row) -> tuple[float, ...]:
    return _numbers(row, 2, 6, 'a box of 4 numbers')


def _numbers(row: Row, start: int, end: int, expected: str) -> tuple[float, ...]:
    fields = row[start:end]
    if row.decimal == ',':
        fields = [field.replace(',', '.') for field in fields]
    try:
        values = tuple(map(float, fields))
    except ValueError:
        values = (math.nan,)
    if not all(map(math.isfinite, values)):
        raise ValueError(f'expected {expected}, got {", ".join(row[start:end])}')
    return values


@lru_cache
def _whole(name: str, text: str) -> int:
    match = re.fullmatch(
        r'([+-]?\d+)([.,]0*)?', text
    )  # 3.0 is how tables of numbers write 3
    if not match:
        raise ValueError(f'expected a whole number as {name}, got {text!r}')
    return int(match[1])


def _text(row: Row) -> str:
    return repr(shortened(','.join(row)))


def _numbered_lines(text: str) -> Iterator[tuple[int, int, str]]:
    for number, line in enumerate(text.split('\n'), 1):
        match = re.fullmatch(r'\s*(\d+)\s*:\s*(\S.*?)\s*', line)
        if match:
            yield number, int(match[1]), match[2]
        elif line.strip() and not line.strip().startswith('#'):
            raise ValueError(f"{number}: expected '<id>: <name>', got {line!r}")


def _items(text: str) -> Iterator[tuple[int, int, str]]:
    """Line, number and name of each item of a text of protocol buffers."""
    tokens = [*_tokens(text), *[(text.count('\n') + 1, '')] * 3]
    place = 0
    while tokens[place][1]:
        line, word = tokens[place]
        if word not in ITEMS:
            raise ValueError(f"{line}: expected 'item {{', got {word!r}")
        fields, place = _block(tokens, place + 1, line)
        ids = [fields[key] for key in ('id', 'label_id') if key in fields]
        if len(ids) != 1 or 'name' not in fields:
            raise ValueError(
                f'{line}: expected an item with one name and one id, got '
                f'{", ".join(fields) or "neither"}'
            )
        name, label = fields['name'], ids[0]
        if name[0] not in '"\'':
            raise ValueError(f'{line}: expected a name in quotes, got {name}')
        if not label.isdecimal():
            raise ValueError(f'{line}: expected a whole number as id, got {label}')
        yield line, int(label), ast.literal_eval(name)


def _block(
    tokens: list[tuple[int, str]], place: int, line: int
) -> tuple[dict[str, str], int]:
    """The fields between braces, and the place after them."""
    if tokens[place][1] != '{':
        raise ValueError(f"{line}: expected '{{' after it, got {tokens[place][1]!r}")
    place += 1
    fields: dict[str, str] = {}
    while tokens[place][1] != '}':
        (here, key), (_, after), (_, value) = tokens[place : place + 3]
        if not key or (key in ITEMS and after == '{'):
            raise ValueError(f"{line}: expected '}}' at the end of the item, got none")
        if after == '{':
            _, place = _block(tokens, place + 1, here)
            continue
        if after != ':' or not key.isidentifier() or value in ('', ':', '{', '}'):
            raise ValueError(f"{here}: expected 'key: value' in the item, got {key!r}")
        if key in fields:
            raise ValueError(f'{here}: expected {key} once in an item, got it again')
        fields[key] = value
        place += 3
    return fields, place + 1


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Words, strings, colons and braces with their lines."""
    place, line = 0, 1
    while place < len(text):
        match = TOKEN.match(text, place)
        if not match:
            rest = text[place:].split('\n')[0]
            raise ValueError(f'{line}: expected items of a label map, got {rest!r}')
        if match.lastgroup == 'brace':
            yield line, match[0][-1]
        elif match.lastgroup == 'word':
            yield line, match[0]
        line += match[0].count('\n')
        place = match.end()
