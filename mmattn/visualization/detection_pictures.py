"""Films, pictures and numbers of the actions found in a video."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mmattn.datasets.video_reader import VideoReader, open_video
from mmattn.inference.detect import KeyFrame
from mmattn.inference.inputs import of_longest_side
from mmattn.utils.arrays import evenly
from mmattn.utils.files import write_json
from mmattn.utils.progress import progress_bar
from mmattn.visualization.contact_sheet import (
    Row,
    draw_sheet,
    save_film,
    save_picture,
)
from mmattn.visualization.person_boxes import PersonBox, draw_person_boxes

FORMAT = 'mmattn.action_detections'
VERSION = 1
UNTRAINED = 'untrained weights: scores mean nothing'


def save_detections(
    video: str | Path,
    key_frames: Sequence[KeyFrame],
    names: Mapping[int, str],
    out: str | Path,
    *,
    weights: str | None,
    num_columns: int = 4,
    longest: int = 480,
    progress: bool = True,
    reader: Any = None,
) -> list[Path]:
    """Write a film, a sheet of frames and the numbers.

    ``<stem>.mp4`` shows every frame with the boxes of the nearest key frame,
    ``<stem>.png`` some key frames, ``<stem>.json`` holds all boxes and scores.

    Args:
        video: Video file.
        key_frames: What :func:`mmattn.inference.detect.detect_actions` returned.
        names: Names of the classes.
        out: Folder.
        weights: Where the weights came from; None if they are untrained, which is then
            written on every picture.
        num_columns: Most frames on the sheet.
        longest: Pixels to which the longer side of a frame is brought.
        progress: Whether to show a progress bar.
        reader: Frames to read in place of the file ``video``, which then is a name.

    Returns:
        The files.

    Raises:
        ValueError: If there are no key frames, or the video cannot be read.
        OSError: If the film cannot be written.
    """
    if not key_frames:
        raise ValueError('key_frames: expected at least one, got none')
    video, out = Path(video), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    reader = open_video(video) if reader is None else reader
    fps = reader.fps
    note = UNTRAINED if weights is None else ''
    film = out / f'{video.stem}.mp4'
    frames = progress_bar(
        _film(reader, key_frames, names, note, longest),
        total=len(reader),
        description='film',
        shown=progress,
    )
    save_film(film, frames, fps)
    drawn = draw_key_frames(
        video,
        key_frames,
        names,
        weights=weights,
        num_columns=num_columns,
        longest=longest,
        reader=reader,
    )
    content = _content(video, fps, key_frames, names, weights)
    return [
        film,
        save_picture(out / f'{video.stem}.png', drawn),
        write_json(out / f'{video.stem}.json', content),
    ]


def draw_key_frames(
    video: str | Path,
    key_frames: Sequence[KeyFrame],
    names: Mapping[int, str],
    *,
    weights: str | None,
    num_columns: int = 4,
    longest: int = 480,
    reader: Any = None,
) -> np.ndarray:
    """Draw some of the frames looked at, with persons and actions.

    The arguments are those of :func:`save_detections`.

    Returns:
        The picture (H, W, 3), RGB, uint8.
    """
    reader = open_video(video) if reader is None else reader
    name, note = Path(video).name, UNTRAINED if weights is None else ''
    shown = [key_frames[place] for place in evenly(len(key_frames), num_columns)]
    pictures = [_drawn(reader, key.number, key, names, '', longest) for key in shown]
    return draw_sheet(
        [Row(f'{name}, frames by number', np.stack(pictures))],
        [key.number for key in shown],
        title=note or f'actions in {name}',
    )


def _film(
    reader: VideoReader,
    key_frames: Sequence[KeyFrame],
    names: Mapping[int, str],
    note: str,
    longest: int,
) -> Iterator[np.ndarray]:
    numbers = [key.number for key in key_frames]
    middles = [(a + b) / 2 for a, b in pairwise(numbers)]
    for number in range(len(reader)):
        nearest = key_frames[bisect_left(middles, number)]
        yield _drawn(reader, number, nearest, names, note, longest)


def _drawn(
    reader: VideoReader,
    number: int,
    key: KeyFrame,
    names: Mapping[int, str],
    note: str,
    longest: int,
) -> np.ndarray:
    (image,) = reader.read([number])
    image = of_longest_side(image, longest, enlarge=True)
    boxes = [
        PersonBox(
            person.box,
            tuple(f'{score:.2f} {names[label]}' for label, score in person.actions),
        )
        for person in key.persons
    ]
    return draw_person_boxes(image, boxes, note=note)


def _content(
    video: Path,
    fps: float,
    key_frames: Sequence[KeyFrame],
    names: Mapping[int, str],
    weights: str | None,
) -> dict[str, Any]:
    frames = [
        dict(
            frame=key.number,
            second=round(key.second, 6),
            persons=[
                dict(
                    box=[round(value, 6) for value in person.box],
                    actions=[
                        {'class': label, 'name': names[label], 'score': round(score, 6)}
                        for label, score in person.actions
                    ],
                )
                for person in key.persons
            ],
        )
        for key in key_frames
    ]
    return dict(
        format=FORMAT,
        version=VERSION,
        video=str(video),
        fps=fps,
        weights='untrained' if weights is None else weights,
        frames=frames,
    )
