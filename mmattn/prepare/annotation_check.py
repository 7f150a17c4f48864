"""Check annotations of persons and their actions in videos, line by line."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmattn.datasets.ava import (
    Annotation,
    Frame,
    annotation_rows,
    parse_annotation,
    read_annotations,
    read_label_map,
)
from mmattn.datasets.video_reader import VideoError, open_video


@dataclass
class AnnotationReport:
    """What a file of annotations holds, and what is wrong with it.

    Args:
        names: Name of each class by its number.
        problems: ``file:line: expected ..., got ...`` of each bad line.
        num_lines: Lines of the file.
        lines_of_class: Number of good lines by the number of the class.
        frames: Frames of good lines.
        persons: Good boxes, as (video, second, box).
    """

    names: Mapping[int, str]
    problems: list[str] = field(default_factory=list)
    num_lines: int = 0
    lines_of_class: Counter = field(default_factory=Counter)
    frames: set[Frame] = field(default_factory=set)
    persons: set[tuple] = field(default_factory=set)

    def summary(self) -> str:
        """Return what the file holds, class by class, as lines of text."""
        videos = {video for video, _ in self.frames}
        width = max(len(name) for name in self.names.values())
        counts = [
            f'  {label:>3} {name:<{width}} {self.lines_of_class[label]:>6}'
            for label, name in sorted(self.names.items())
        ]
        return '\n'.join(
            [
                f'{self.num_lines} lines: {len(videos)} videos, {len(self.frames)} '
                f'frames, {len(self.persons)} boxes',
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
    or ``video,second`` of a frame without actions; if a number is none, a box reaches
    beyond the frame or is empty, the class is not in the label map, the video is
    missing or cannot be opened, or the second lies outside of it; also if it repeats a
    line, or gives a person two boxes in one frame.

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
        >>> _ = (folder / 'a.pbtxt').write_text('item { name: "run" id: 1 }')
        >>> report = check_annotations(folder / 'a.csv', folder, folder / 'a.pbtxt')
        >>> report.problems[0].split('a.csv:')[1]
        '1: expected 0 <= x1 <= x2 <= 1, parts of the frame, got 0.1 and 1.5'
    """
    names = read_label_map(label_file)
    rows = annotation_rows(ann_file)
    report = AnnotationReport(names, num_lines=len(rows))
    checker = _LineChecker(report, Path(videos), start, decode)
    for row in rows:
        try:
            checker.check(parse_annotation(row))
        except ValueError as error:
            report.problems.append(f'{ann_file}:{row.number}: {error}')
    return report


def labeled_frames(ann_file: str | Path) -> dict[Frame, set[tuple[float, ...]]]:
    """Return the boxes of each labeled frame, once each.

    Args:
        ann_file: Csv in AVA's layout, checked before.

    Raises:
        ValueError: If a line is malformed, as ``file:line: expected ..., got ...``.
    """
    boxes: dict[Frame, set] = {}
    for line in read_annotations(ann_file):
        found = boxes.setdefault(line.frame, set())
        if line.box is not None:
            found.add(line.box)
    return boxes


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


class _LineChecker:
    """Checks lines one after the other; knows those before."""

    def __init__(
        self, report: AnnotationReport, videos: Path, start: int, decode: bool
    ) -> None:
        self.report = report
        self.videos = videos
        self.start = start
        self.decode = decode
        self.seconds: dict[str, float | str] = {}  # how long videos are, or why not
        self.first_lines: dict[tuple, int] = {}
        self.box_of_person: dict[tuple, tuple[tuple[float, ...] | None, int]] = {}
        self.decoded: dict[Frame, str | None] = {}

    def check(self, line: Annotation) -> None:
        video, second = line.frame
        if line.box is not None:
            self._check_box(line.box)
            if line.label not in self.report.names:
                raise ValueError(f'expected a class of the label map, got {line.label}')
        self._check_second(video, second)
        first = self.first_lines.setdefault(line[1:], line.line)
        if first != line.line:
            raise ValueError(f'expected each line once, got line {first} again')
        self.report.frames.add(line.frame)
        if line.box is None:
            return
        if line.person >= 0:
            self._check_person(line)
        self.report.lines_of_class[line.label] += 1
        self.report.persons.add((video, second, line.box))

    def _check_box(self, box: tuple[float, ...]) -> None:
        for axis, low, high in (('x', box[0], box[2]), ('y', box[1], box[3])):
            if low == high:
                raise ValueError(
                    f'expected {axis}1 < {axis}2, got a box without size, {low:g} and '
                    f'{high:g}'
                )

    def _check_person(self, line: Annotation) -> None:
        known, where = self.box_of_person.setdefault(
            (line.frame, line.person), (line.box, line.line)
        )
        if known != line.box:
            raise ValueError(
                f'expected one box of person {line.person} in this frame, got another '
                f'in line {where}'
            )

    def _check_second(self, video: str, second: int) -> None:
        if video not in self.seconds:
            self.seconds[video] = self._length(video)
        length = self.seconds[video]
        if isinstance(length, str):
            raise ValueError(length)
        if not 0 <= second - self.start < length:
            last = self.start + math.ceil(length - 1e-6) - 1
            raise ValueError(
                f'expected a second from {self.start} to {last} of {video}, got '
                f'{second}'
            )
        if self.decode:
            self._check_frame(video, second)

    def _length(self, video: str) -> float | str:
        try:
            with open_video(video_path(self.videos, video)) as reader:
                return reader.duration
        except VideoError as error:
            return f'expected a video, got {error}'

    def _check_frame(self, video: str, second: int) -> None:
        key = (video, second)
        if key not in self.decoded:
            self.decoded[key] = None
            with open_video(video_path(self.videos, video)) as reader:
                try:
                    reader.read([reader.frame_at(second - self.start)])
                except VideoError as error:
                    self.decoded[key] = f'expected a readable frame, got {error}'
        message = self.decoded[key]
        if message:
            raise ValueError(message)
