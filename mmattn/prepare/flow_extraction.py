"""Optical flow of many videos, stored as pairs of gray images."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import cv2
import numpy as np

from mmattn.datasets.optical_flow import flow_fields, flow_function
from mmattn.datasets.transforms.compute_flow import check_flow_options
from mmattn.datasets.video_reader import (
    describe_files,
    is_video,
    looks_like_video,
    open_video,
)
from mmattn.prepare.video_check import (
    ERRORS,
    FRAME_NAMES,
    UNFINISHED,
)
from mmattn.utils.arguments import require_choice
from mmattn.utils.files import replaced_atomically
from mmattn.utils.processes import in_processes
from mmattn.utils.progress import progress_bar

STORAGES = ('folders', 'zip')
RECORD = 'flow.json'


@dataclass(frozen=True)
class FlowOptions:
    """What flow is computed, and how it is stored.

    Args:
        method: ``'tvl1'``, ``'farneback'`` or ``'dis'``.
        bound: Motion in pixels that becomes level 255.
        size: Width and height to which frames are resized before; None keeps theirs.
        storage: ``'folders'``, or ``'zip'`` for one file per video.

    Raises:
        ImportError: If OpenCV lacks TV-L1.
        ValueError: If an option is out of its range.

    Example:
        >>> FlowOptions('dis').bound
        20.0
    """

    method: str = 'tvl1'
    bound: float = 20.0
    size: tuple[int, int] | None = None
    storage: str = 'folders'

    def __post_init__(self) -> None:
        check_flow_options(self.bound, self.size)
        flow_function(self.method)
        require_choice('storage', self.storage, STORAGES)

    @property
    def record(self) -> dict[str, Any]:
        """What decides the content of the fields, as it is stored beside them."""
        size = None if self.size is None else list(self.size)
        return {'method': self.method, 'bound': float(self.bound), 'size': size}


@dataclass
class FlowReport:
    """What an extraction did.

    Args:
        videos: Number of videos that it finished.
        skipped: Number of videos that were finished before.
        broken: Messages about videos that could not be read.
        fields: Number of fields that it computed.
        seconds: Time of all processes together that the computation took, without
            reading and writing.
    """

    videos: int = 0
    skipped: int = 0
    broken: list[str] = field(default_factory=list)
    fields: int = 0
    seconds: float = 0.0


def extract_flow(
    videos: str | Path,
    out: str | Path,
    options: FlowOptions,
    *,
    part: tuple[int, int] = (1, 1),
    workers: int = 2,
    progress: bool = True,
) -> FlowReport:
    """Store the flow of all videos in a folder and its subfolders.

    The fields of ``<class>/<video>.avi`` become ``<class>/<video>/flow_x_00001.jpg``
    and ``flow_y_00001.jpg``, and so on, or the same files in ``<class>/<video>.zip``.
    Beside them ``flow.json`` says how they were made, and that all are there: a video
    that has one is skipped.

    Args:
        videos: Folder of the videos.
        out: Folder to write to.
        options: What flow.
        part: Do the i-th of n parts of the videos, for n machines.
        workers: Processes.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If there are no videos, two would be stored in the same place, or
            flow of other options is there already.
    """
    videos, out = Path(videos), Path(out)
    index, parts = part
    if not 1 <= index <= parts:
        raise ValueError(f'part: expected I of N parts, 1 to N, got {index} of {parts}')
    waiting, report = [], FlowReport()
    for path in _find_videos(videos)[index - 1 :: parts]:
        target = out / path.relative_to(videos).with_suffix('')
        record = _read_record(target)
        if record is None:
            waiting.append((path, target))
            continue
        report.skipped += 1
        if record != options.record:
            raise ValueError(
                f'{target}: expected flow of {options.record}, got {record}; write to '
                'another folder or remove it'
            )
    done = in_processes(partial(_extract, options), waiting, workers=workers)
    bar = progress_bar(done, total=len(waiting), unit='video', shown=progress)
    for path, fields, seconds, error in bar:
        if error:
            report.broken.append(f'{path}: {error}')
            continue
        report.videos += 1
        report.fields += fields
        report.seconds += seconds
    report.broken += [
        f'{path}: expected the ending of a video, got {path.suffix!r}'
        for path in Path(videos).rglob('*')
        if looks_like_video(path)
    ]
    report.broken.sort()
    return report


def _find_videos(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob('*') if is_video(path))
    if not paths:
        raise ValueError(
            f'expected videos in {folder}, got {describe_files(folder.rglob("*"))}'
        )
    targets = Counter(path.with_suffix('') for path in paths)
    target, count = targets.most_common(1)[0]
    if count > 1:
        raise ValueError(
            f'expected one video {target}, got {count} that differ in type'
        )
    return paths


def _read_record(target: Path) -> dict[str, Any] | None:
    """Return how the finished fields were made; None if they are not finished."""
    packed = target.with_name(f'{target.name}.zip')
    if (target / RECORD).is_file():
        return json.loads((target / RECORD).read_text(encoding='utf-8'))
    if packed.is_file():
        with ZipFile(packed) as file:
            return json.loads(file.read(RECORD))
    return None


def _extract(
    options: FlowOptions, paths: tuple[Path, Path]
) -> tuple[Path, int, float, str]:
    video, target = paths
    try:
        fields, seconds = _write_flow(video, target, options)
    except ERRORS as error:
        return video, 0, 0.0, ' '.join(str(error).split())[-300:]
    return video, fields, seconds, ''


def _write_flow(video: Path, target: Path, options: FlowOptions) -> tuple[int, float]:
    clock = _Clock(flow_function(options.method))
    with open_video(video) as reader:
        if len(reader) < 2:
            raise OSError(f'expected two frames or more, got {len(reader)}')
        frames = reader.frames()
        fields = flow_fields(frames, clock, bound=options.bound, size=options.size)
        _write_fields(target, options, fields)
        return len(reader) - 1, clock.seconds


def _write_fields(
    target: Path, options: FlowOptions, fields: Iterator[np.ndarray]
) -> None:
    with _writer(target, options) as write:
        for number, levels in enumerate(fields, 1):
            for axis, name in enumerate(FRAME_NAMES['flow']):
                _, image = cv2.imencode('.jpg', np.ascontiguousarray(levels[..., axis]))
                write(name.format(number), image.tobytes())


class _Clock:
    """A flow function that knows how long it took."""

    def __init__(self, compute: Any) -> None:
        self.compute = compute
        self.seconds = 0.0

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        flow = self.compute(first, second)
        self.seconds += time.perf_counter() - start
        return flow


@contextmanager
def _writer(target: Path, options: FlowOptions) -> Iterator[Any]:
    """Yield a function that stores a file of a name; in the end store the record."""
    record = json.dumps(options.record) + '\n'
    if options.storage == 'folders':
        target.mkdir(parents=True, exist_ok=True)
        unfinished = target / UNFINISHED
        unfinished.write_text(record, encoding='utf-8')

        def write(name: str, content: bytes) -> None:
            with replaced_atomically(target / name) as part:  # another may write it too
                part.write_bytes(content)

        yield write
        try:
            unfinished.replace(target / RECORD)
        except FileNotFoundError:
            if not (target / RECORD).is_file():  # another has finished it
                raise
        return
    packed = target.with_name(f'{target.name}.zip')
    with replaced_atomically(packed) as part, ZipFile(part, 'w') as file:
        yield file.writestr
        file.writestr(RECORD, record)
