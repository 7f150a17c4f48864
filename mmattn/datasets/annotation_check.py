"""Check annotations of persons and their actions in videos, line by line."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import decord

from mmattn.evaluation.functional.frame_map import Frame, read_label_map

LAYOUT = 'video,second,x1,y1,x2,y2,class,person'


@dataclass
class AnnotationReport:
    """What a file of annotations holds, and what is wrong with it.

    Args:
        names: Name of each class by its number.
        problems: ``file:line: expected ..., got ...`` of each bad line.
        num_lines: Lines of the file.
        lines_of_class: Number of good lines by the number of the class.
        persons: Good boxes, as (video, second, box).
    """

    names: Mapping[int, str]
    problems: list[str] = field(default_factory=list)
    num_lines: int = 0
    lines_of_class: Counter = field(default_factory=Counter)
    persons: set[tuple] = field(default_factory=set)

    def summary(self) -> str:
        """Return what the file holds, class by class, as lines of text."""
        frames = {person[:2] for person in self.persons}
        videos = {video for video, _ in frames}
        width = max(len(name) for name in self.names.values())
        counts = [
            f'  {label:>3} {name:<{width}} {self.lines_of_class[label]:>6}'
            for label, name in sorted(self.names.items())
        ]
        return '\n'.join(
            [
                f'{self.num_lines} lines: {len(videos)} videos, {len(frames)} frames, '
                f'{len(self.persons)} boxes',
                *counts,
                f'bad lines: {len(self.problems)}',
            ]
        )


def check_annotations(
    ann_file: str | Path,
    videos: str | Path,
    label_file: str | Path,
    *,
    start: int = 0,
    decode: bool = False,
) -> AnnotationReport:
    """Check a csv in AVA's layout against its videos and classes.

    A line is bad if it has not the columns ``video,second,x1,y1,x2,y2,class,person``,
    if a number is none, a box reaches beyond the frame or is empty, the class is not
    in the label map, the video is missing or cannot be opened, or the second lies
    outside of it; also if it repeats a line, or gives a person two boxes in one frame.

    Args:
        ann_file: The csv. Boxes are parts of width and height.
        videos: Folder of the videos; a name without an ending means ``.mp4``.
        label_file: Classes, AVA's ``pbtxt``.
        start: Second at which videos start; AVA's is 900.
        decode: Whether to decode each labeled frame, which takes longer.

    Raises:
        ValueError: If the label map is malformed or the csv is empty.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / 'a.csv').write_text('clip,1,0.1,0.2,1.5,0.9,1,0')
        >>> _ = (folder / 'a.pbtxt').write_text('name: "run"' + chr(10) + 'id: 1')
        >>> report = check_annotations(folder / 'a.csv', folder, folder / 'a.pbtxt')
        >>> report.problems[0].split('a.csv:')[1]
        '1: expected 0 <= x1 < x2 <= 1, got 0.1 and 1.5'
    """
    names = read_label_map(label_file)
    if min(names) < 1:
        raise ValueError(f'{label_file}: expected ids from 1 on, got {min(names)}')
    lines = Path(ann_file).read_text(encoding='utf-8').splitlines()
    if not lines:
        raise ValueError(f'{ann_file}: expected lines {LAYOUT}, got none')
    report = AnnotationReport(names, num_lines=len(lines))
    checker = _LineChecker(report, Path(videos), start, decode)
    for number, line in enumerate(lines, start=1):
        try:
            checker.check(number, line)
        except ValueError as error:
            report.problems.append(f'{ann_file}:{number}: {error}')
    return report


def labeled_frames(ann_file: str | Path) -> dict[Frame, set[tuple[float, ...]]]:
    """Return the boxes of each labeled frame, once each.

    Args:
        ann_file: Csv in AVA's layout, checked before.

    Raises:
        ValueError: If a line is malformed, as ``file:line: expected ..., got ...``.
    """
    boxes: dict[Frame, set] = {}
    lines = Path(ann_file).read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            video, second, box, _, _ = parse_line(line)
        except ValueError as error:
            raise ValueError(f'{ann_file}:{number}: {error}') from error
        boxes.setdefault((video, second), set()).add(box)
    return boxes


def parse_line(line: str) -> tuple[str, int, tuple[float, ...], int, int]:
    """Split a line into video, second, box, class and person.

    Args:
        line: Line ``video,second,x1,y1,x2,y2,class,person``.

    Raises:
        ValueError: If it is malformed, or the box is empty or beyond the frame.

    Example:
        >>> parse_line('clip,3,0,0.2,0.5,1,4,0')
        ('clip', 3, (0.0, 0.2, 0.5, 1.0), 4, 0)
    """
    columns = line.strip().split(',')
    if len(columns) != 8 or not columns[0]:
        raise ValueError(f"expected '{LAYOUT}', got {line.strip()!r}")
    second, label, person = (
        _whole(name, columns[place])
        for name, place in (('second', 1), ('class', 6), ('person', 7))
    )
    try:
        x1, y1, x2, y2 = map(float, columns[2:6])
    except ValueError:
        raise ValueError(f'expected a box of 4 numbers, got {columns[2:6]}') from None
    for axis, low, high in (('x', x1, x2), ('y', y1, y2)):
        if not (math.isfinite(low) and 0 <= low < high <= 1):
            raise ValueError(
                f'expected 0 <= {axis}1 < {axis}2 <= 1, got {low:g} and {high:g}'
            )
    return columns[0], second, (x1, y1, x2, y2), label, person


def video_path(videos: str | Path, name: str) -> Path:
    """Return the file of a video, by the host's rule for names without an ending.

    Args:
        videos: Folder.
        name: Name in the annotations.

    Example:
        >>> video_path('videos', 'clip').as_posix(), video_path('v', 'a.avi').name
        ('videos/clip.mp4', 'a.avi')
    """
    path = Path(videos) / name
    return path if path.suffix else path.with_name(f'{path.name}.mp4')


def open_video(path: Path) -> decord.VideoReader:
    """Open a video.

    Args:
        path: The file.

    Raises:
        ValueError: If it is missing or cannot be opened.
    """
    if not path.is_file():
        raise ValueError(f'expected a video {path}, got no file')
    try:
        return decord.VideoReader(str(path), num_threads=1)
    except (decord.DECORDError, RuntimeError) as error:
        raise ValueError(
            f'expected a readable video, decord cannot open {path}'
        ) from error


class _LineChecker:
    """Checks lines one after the other; knows those before."""

    def __init__(
        self, report: AnnotationReport, videos: Path, start: int, decode: bool
    ) -> None:
        self.report = report
        self.videos = videos
        self.start = start
        self.decode = decode
        self.opened: dict[str, tuple[int, float] | str] = {}
        self.first_lines: dict[tuple, int] = {}
        self.box_of_person: dict[tuple, tuple[tuple[float, ...], int]] = {}
        self.decoded: dict[Frame, str | None] = {}

    def check(self, number: int, line: str) -> None:
        video, second, box, label, person = parse_line(line)
        if label not in self.report.names:
            raise ValueError(f'expected a class of the label map, got {label}')
        self._check_second(video, second)
        key = (video, second, box, label, person)
        first = self.first_lines.setdefault(key, number)
        if first != number:
            raise ValueError(f'expected each line once, got line {first} again')
        known, where = self.box_of_person.setdefault(
            (video, second, person), (box, number)
        )
        if known != box:
            raise ValueError(
                f'expected one box of person {person} in this frame, got another in '
                f'line {where}'
            )
        self.report.lines_of_class[label] += 1
        self.report.persons.add((video, second, box))

    def _check_second(self, video: str, second: int) -> None:
        if video not in self.opened:
            self.opened[video] = self._length(video)
        found = self.opened[video]
        if isinstance(found, str):
            raise ValueError(found)
        count, fps = found
        frame = round((second - self.start) * fps)
        if not 0 <= frame < count:
            last = self.start + math.ceil((count - 0.5) / fps) - 1
            raise ValueError(
                f'expected a second from {self.start} to {last} of {video}, got '
                f'{second}'
            )
        if self.decode:
            self._check_frame(video, second, frame)

    def _length(self, video: str) -> tuple[int, float] | str:
        try:
            reader = open_video(video_path(self.videos, video))
        except ValueError as error:
            return str(error)
        return len(reader), float(reader.get_avg_fps())

    def _check_frame(self, video: str, second: int, frame: int) -> None:
        key = (video, second)
        if key not in self.decoded:
            try:
                open_video(video_path(self.videos, video))[frame]
                self.decoded[key] = None
            except (decord.DECORDError, RuntimeError):
                self.decoded[key] = f'expected a readable frame {frame} of {video}'
        message = self.decoded[key]
        if message:
            raise ValueError(f'{message}, decord cannot decode it')


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'expected a whole number as {name}, got {text!r}') from None
