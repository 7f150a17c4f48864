"""The frames of AVA's movies, and whether all that its configs read is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mmattn.datasets.ava import read_annotations
from mmattn.datasets.video_reader import VideoReader, frames_at, open_video
from mmattn.prepare.video_check import ERRORS, Tree, count_frames
from mmattn.utils.files import replaced_atomically
from mmattn.utils.processes import in_processes
from mmattn.utils.progress import progress_bar

FRAME = 'img_{:05d}.jpg'
MOVIES = {'train': 235, 'val': 64}
PROPOSALS = 'ava_dense_proposals_{split}.FAIR.recall_93.9.pkl'
LABELS = {
    '2.1': 'ava_action_list_v2.1_for_activitynet_2018.pbtxt',
    '2.2': 'ava_action_list_v2.2_for_activitynet_2019.pbtxt',
}


@dataclass(frozen=True)
class FrameOptions:
    """Which frames of a movie are stored.

    Args:
        start_seconds: Where frame 1 lies: 900, or 0 in movies that are cut.
        seconds: Stored time.
        fps: Stored frames per second.
        short_side: Pixels of the shorter side; None keeps the movie's.
    """

    start_seconds: float = 900.0
    seconds: int = 900
    fps: int = 30
    short_side: int | None = None

    @property
    def frames(self) -> int:
        """Number of frames of a movie."""
        return self.seconds * self.fps


def read_movies(
    annotations: str | Path, version: str, *, partial: bool = False
) -> dict[str, list[str]]:
    """Return the movies of training and validation by the official csv files.

    Args:
        annotations: Folder of the official files.
        version: ``'2.1'`` or ``'2.2'``.
        partial: Whether other numbers of movies than 235 and 64 are right.

    Raises:
        ValueError: If a file that the configs read is missing, or the numbers differ.
    """
    folder, movies = Path(annotations), {}
    if version not in LABELS:
        raise ValueError(f'version: expected one of {tuple(LABELS)}, got {version!r}')
    names = [LABELS[version]]
    for split in MOVIES:
        names += [
            f'ava_{split}_v{version}.csv',
            f'ava_{split}_excluded_timestamps_v{version}.csv',
            PROPOSALS.format(split=split),
        ]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ValueError(f'{folder}: expected {", ".join(missing)}, got no such files')
    for split, count in MOVIES.items():
        path = folder / f'ava_{split}_v{version}.csv'
        found = dict.fromkeys(line.frame[0] for line in read_annotations(path))
        if len(found) != count and not partial:
            raise ValueError(
                f'{path}: expected {count} movies, got {len(found)}; `partial` accepts '
                'that'
            )
        movies[split] = list(found)
    return movies


def extract_frames(
    videos: str | Path,
    out: str | Path,
    movies: Sequence[str],
    options: FrameOptions,
    *,
    workers: int = 2,
    progress: bool = True,
) -> list[str]:
    """Write the frames of movies as jpg, ``<movie>/img_00001.jpg`` and so on.

    A movie with all of its frames is skipped.

    Args:
        videos: Folder of the movies, ``<movie>.<extension>``.
        out: Folder to write to.
        movies: Names of the movies.
        options: Which frames.
        workers: Processes.
        progress: Whether to show a progress bar.

    Returns:
        Messages about movies that are missing, or that cannot be read.
    """
    out, tree = Path(out), Tree(videos, videos=True)
    waiting, problems = [], []
    for name in movies:
        found = tree.find('', [name])
        if (out / name / FRAME.format(options.frames)).is_file():
            continue
        if found:
            waiting.append((Path(videos, found), out / name))
        else:
            problems.append(f'{name}: expected a movie in {videos}, got none')
    done = in_processes(partial(_extract, options), waiting, workers=workers)
    bar = progress_bar(done, total=len(waiting), unit='movie', shown=progress)
    problems += filter(None, bar)
    return problems + incomplete(out, movies, options, known=problems)


def incomplete(
    out: Path, movies: Sequence[str], options: FrameOptions, known: Sequence[str]
) -> list[str]:
    """Return messages about folders that lack frames.

    Args:
        out: Folder of the folders.
        movies: Names of the movies.
        options: Which frames there should be.
        known: Messages about movies that need no second one.
    """
    named, problems = {message.split(': ')[0] for message in known}, []
    for name in movies:
        if name in named:
            continue
        try:
            count = count_frames(out / name, FRAME)
        except FileNotFoundError as error:
            problems.append(f'{name}: {error}')
        else:
            if count < options.frames:
                problems.append(
                    f'{name}: expected {options.frames} frames, got {count}'
                )
    return problems


def _extract(options: FrameOptions, paths: tuple[Path, Path]) -> str:
    video, folder = paths
    try:
        _write_frames(video, folder, options)
    except ERRORS as error:
        return f'{folder.name}: {" ".join(str(error).split())[-300:]}'
    return ''


def _write_frames(video: Path, folder: Path, options: FrameOptions) -> None:
    with open_video(video) as reader:
        shown = _shown_frames(reader, options)
        folder.mkdir(parents=True, exist_ok=True)
        image = np.empty(0)
        for number, (before, index) in enumerate(pairwise([-1, *shown]), 1):
            if index != before:
                image = _encoded(reader.read([index])[0], options.short_side)
            with replaced_atomically(folder / FRAME.format(number)) as part:
                part.write_bytes(image.tobytes())


def _shown_frames(reader: VideoReader, options: FrameOptions) -> list[int]:
    """Of a movie with other rates the frame that is shown at each time."""
    end = options.start_seconds + options.seconds
    if reader.duration + 1 / options.fps < end:
        raise OSError(f'expected {end:g} seconds, got {reader.duration:.2f}')
    times = options.start_seconds + np.arange(options.frames) / options.fps
    return frames_at(reader.seconds, times, reader.fps).tolist()


def _encoded(frame: np.ndarray, short_side: int | None) -> np.ndarray:
    height, width = frame.shape[:2]
    if short_side:
        scale = short_side / min(height, width)
        size = (round(width * scale), round(height * scale))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    _, image = cv2.imencode('.jpg', cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return image
