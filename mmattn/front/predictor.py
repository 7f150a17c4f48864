"""Running a model over sources, one result for each."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import Compose

from mmattn.datasets.base import BrokenVideoError
from mmattn.datasets.video_reader import VideoError, open_video
from mmattn.front.results import Frames, Prediction
from mmattn.front.sources import Source
from mmattn.front.timeline import Segment, Timeline
from mmattn.inference.inputs import NetworkInput, is_frames, read_frames, read_video
from mmattn.inference.predict import Output, predict_clips
from mmattn.inference.readers import ArrayReader, Window, windows_of, windows_of_stream
from mmattn.inference.steps import MOST_FRAMES, frame_steps, test_steps

DEFAULT_FPS = 30.0  # of frames whose times nobody asks for


class Broken(NamedTuple):
    """A video that could not be read.

    Args:
        name: The video.
        reason: Why.
    """

    name: str
    reason: str


class Options(NamedTuple):
    """How videos are looked at.

    Args:
        every: Seconds from one part of a video to the next; None for whole videos.
        window: Seconds of a part; None for ``every``, or what a clip of the model
            spans if that is more.
        crops: ``'test'`` for the crops of the test pipeline, ``'center'`` for the one
            in the middle; None for ``'test'`` of whole videos and ``'center'`` of
            parts.
        batch_size: Most clips at once.
        attention: Whether to record what the model attends to in whole videos.
    """

    every: float | None = None
    window: float | None = None
    crops: str | None = None
    batch_size: int = 8
    attention: bool = True

    def check(self) -> None:
        """Refuse numbers that are not positive.

        Raises:
            ValueError: Naming the option.
        """
        for name in ('every', 'window', 'batch_size'):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f'{name}: expected above 0, got {value}')
        if self.window is not None and self.every is None:
            raise ValueError(f'every: expected with window={self.window}, got None')


class Predictor:
    """A recognizer that looks at sources.

    Args:
        network: Recognizer in eval mode.
        classes: Names of its classes.
        bf16: Whether to compute in bfloat16.
    """

    def __init__(self, network: Any, classes: Sequence[str], *, bf16: bool) -> None:
        self.network = network
        self.classes = classes
        self.bf16 = bf16

    def whole(
        self, sources: Sequence[Source], options: Options
    ) -> Iterator[Prediction | Broken]:
        """Yield a prediction of each source as a whole.

        Args:
            sources: The videos.
            options: How to look at them.
        """
        broken: dict[int, Broken] = {}
        crops = str(options.crops or getattr(self.network, 'crops', 'test'))

        def clips() -> Iterator[tuple[tuple[int, Any], NetworkInput]]:
            for index, source in enumerate(sources):
                try:
                    read, seconds = self._input_reader(source, crops)
                    clip = read()
                except (BrokenVideoError, VideoError) as error:
                    broken[index] = Broken(source.name, str(error))
                else:
                    yield (index, (read, seconds)), clip

        following = 0
        found = predict_clips(
            self.network,
            clips(),
            batch_size=options.batch_size,
            attention=options.attention,
            bf16=self.bf16,
        )
        for (index, (read, seconds)), output in found:
            while following < index:
                yield broken[following]
                following += 1
            yield self._prediction(sources[index].name, output, read, seconds)
            following += 1
        for index in range(following, len(sources)):
            yield broken[index]

    def parts(
        self, source: Source, options: Options
    ) -> Iterator[tuple[Window, Output]]:
        """Yield what the model says of each part of a source, as soon as it can.

        Args:
            source: The video, which may have no end.
            options: How to look at it; ``every`` is needed.

        Raises:
            BrokenVideoError: If the video cannot be read.
            ValueError: If the frames that are given have no rate.
        """
        steps = frame_steps(self.network.cfg, crops=options.crops or 'center')
        pipeline = Compose(steps)
        clips = (
            (window, read_frames(pipeline, window.reader, source.name))
            for window in self._windows(source, options)
        )
        # What has no end is answered at once.
        batch_size = 1 if source.endless else options.batch_size
        yield from predict_clips(
            self.network, clips, batch_size=batch_size, bf16=self.bf16
        )

    def timeline(self, source: Source, options: Options) -> Timeline | Broken:
        """Say what the parts of a source show.

        Args:
            source: The video.
            options: See :meth:`parts`.
        """
        try:
            found = [
                Segment(float(window.start), float(window.end), output.scores)
                for window, output in self.parts(source, options)
            ]
        except (BrokenVideoError, VideoError) as error:
            return Broken(source.name, str(error))
        return Timeline(source.name, self.classes, found)

    def _windows(self, source: Source, options: Options) -> Iterator[Window]:
        every = options.every or 0.0
        if source.path is not None:
            if is_frames(source.path):
                raise ValueError(
                    f'every: expected video files, got a folder of frames {source.path}'
                )
            with open_video(source.path) as reader:
                yield from self._file_windows(reader, every, options.window)
            return
        fps = require_fps(source)
        window = options.window or max(every, self._span(fps))
        assert source.frames is not None
        yield from windows_of_stream(source.frames, fps=fps, every=every, window=window)

    def _file_windows(
        self, reader: Any, every: float, window: float | None
    ) -> Iterator[Window]:
        window = window or max(every, self._span(reader.fps))
        yield from windows_of(reader, every=every, window=window)

    def _span(self, fps: float) -> float:
        """Seconds of successive frames that a clip of the model needs."""
        frames = 0
        for step in test_steps(self.network.cfg):
            spaced = step.get('clip_len', 1) * (step.get('frame_interval') or 1)
            frames = max(frames, spaced, step.get('window_frames', 0))
        return frames / fps

    def _input_reader(
        self, source: Source, crops: str
    ) -> tuple[Callable[[], NetworkInput], Any]:
        """How to read the model's input, and the times of the frames."""
        if source.path is not None and is_frames(source.path):
            return partial(read_video, self.network, source.path, crops=crops), None
        pipeline = Compose(frame_steps(self.network.cfg, crops=crops))
        if source.path is not None:
            return (
                partial(_read_file, pipeline, source.path, source.name),
                _file_seconds(source.path),
            )
        reader = array_reader(source)
        seconds = reader.seconds if source.fps is not None else None
        return partial(read_frames, pipeline, reader, source.name), seconds

    def _prediction(
        self, name: str, output: Output, read: Any, seconds: Any
    ) -> Prediction:
        numbers = output.frame_numbers
        frames = Frames(
            numbers,
            seconds=None if seconds is None else seconds[numbers],
            scores=output.frame_scores,
        )
        return Prediction(
            name, self.classes, output.scores, frames, output.attention, read
        )


def require_fps(source: Source) -> float:
    """Return the frames per second of frames that are given.

    Args:
        source: The frames.

    Raises:
        ValueError: If nobody has said.
    """
    if source.fps is None or not source.fps > 0:
        raise ValueError(
            f'fps: expected the frames per second of the {source.name} that is given, '
            f'got {source.fps}'
        )
    return source.fps


def array_reader(source: Source) -> ArrayReader:
    """Return frames that are given as something like a video.

    Args:
        source: The frames; those that come one by one are collected.

    Raises:
        TypeError: If a frame is no uint8 array.
        ValueError: If there are too many, none, or of several shapes.
    """
    frames: Any = source.frames
    if source.endless:
        collected = []
        for frame in frames:
            collected.append(np.array(frame))
            if len(collected) > MOST_FRAMES:
                raise ValueError(
                    f'{source.name}: expected at most {MOST_FRAMES} frames at once, '
                    'got more: ask for labels over time (every)'
                )
        frames = collected
    return ArrayReader(frames, source.fps or DEFAULT_FPS)


def _read_file(pipeline: Compose, path: Path, name: str) -> NetworkInput:
    with open_video(path) as reader:
        return read_frames(pipeline, reader, name)


def _file_seconds(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return reader.seconds
