"""One object for a model: load it, and let it look at videos."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log

from mmattn.compat import score_in_float32
from mmattn.datasets.base import BrokenVideoError
from mmattn.datasets.video_reader import VideoError, open_video
from mmattn.front.detections import Detections
from mmattn.front.predictor import (
    Broken,
    Options,
    Predictor,
    array_reader,
    require_fps,
)
from mmattn.front.results import Prediction
from mmattn.front.sources import Source, find_sources
from mmattn.front.timeline import Segment, Timeline
from mmattn.inference.detect import class_names, detect_actions
from mmattn.inference.find import ONNX, ModelFiles, find_model
from mmattn.inference.models import build_model, is_detector, names_of_classes
from mmattn.inference.onnx_network import OnnxNetwork
from mmattn.inference.persons import GivenPersons, PersonSource, StoredPersons

Result = Prediction | Timeline | Detections
WHOLE_FRAME = 'frame'
Persons = str | Path | Sequence[Sequence[float]] | np.ndarray | PersonSource


def load(
    model: str | Path | Config,
    weights: str | Path | None = None,
    *,
    classes: Sequence[str] | str | Path | None = None,
    device: str | torch.device | None = None,
    bf16: bool = False,
    untrained: bool = False,
) -> 'VideoModel':
    """Load a model to look at videos with.

    Config, weights and names of the classes are found together where they lie together.
    The config of a work folder or checkpoint is read as data: nothing in it is
    executed.

    Args:
        model: Work folder of a run (its best checkpoint is taken, else its last one), a
            checkpoint that carries its config, an exported ``.onnx`` file, or a config
            or its name, with ``weights``.
        weights: Weights of the config, or another checkpoint of the work folder.
        classes: Names of the classes, or a text file with a name per line, where the
            checkpoint does not know them. For a detector, AVA's ``pbtxt``.
        device: Such as ``'cuda:0'``; by default the first GPU, the CPU without one.
        bf16: Whether to compute in bfloat16.
        untrained: Whether to go on without weights, with initial ones of the seed 0;
            scores then mean nothing.

    Raises:
        ImportError: If the model needs mmdet, which is not installed.
        ValueError: If the model is not found or lacks weights, the weights are those of
            another model, or there are more or fewer names than classes.

    Example:
        >>> load('tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb')
        Traceback (most recent call last):
        ...
        ValueError: weights: expected a file with the trained weights, got none
    """
    if str(weights or model).endswith(ONNX):
        return _load_onnx(model, weights, classes)
    files = find_model(model, weights)
    if files.weights is None and not untrained:
        raise ValueError('weights: expected a file with the trained weights, got none')
    if device is None:
        device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
    network = build_model(files, device=device, untrained=untrained)
    if bf16:
        score_in_float32()
    return VideoModel(network, files, classes=classes, bf16=bf16)


def _load_onnx(
    model: str | Path | Config,
    weights: str | Path | None,
    classes: Sequence[str] | str | Path | None,
) -> 'VideoModel':
    cfg = None if weights is None else find_model(model).cfg
    path = str(model if weights is None else weights)
    network = OnnxNetwork(path, cfg)
    files = ModelFiles(network.cfg, path, Path(path).stem, network.classes)
    return VideoModel(network, files, classes=classes)


class VideoModel:
    """A model that looks at videos, as :func:`load` makes it.

    Args:
        network: Recognizer or detector in eval mode, with its config as ``cfg``.
        files: What it was made of.
        classes: See :func:`load`.
        bf16: Whether to compute in bfloat16.

    Raises:
        ValueError: If there are more or fewer names than classes.
    """

    def __init__(
        self,
        network: Any,
        files: ModelFiles,
        *,
        classes: Sequence[str] | str | Path | None = None,
        bf16: bool = False,
    ) -> None:
        self.network = network
        self.name = files.name
        self.weights = files.weights
        self.bf16 = bf16
        self.is_detector = is_detector(network)
        self.classes: tuple[str, ...]
        if self.is_detector:
            self.class_numbers = _numbered_names(network.cfg, classes, files)
            self.classes = tuple(self.class_numbers.values())
        else:
            self.classes = names_of_classes(network, classes)

    @property
    def cfg(self) -> Config:
        """Config of the model."""
        return self.network.cfg

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.network.parameters(), torch.empty(0)).device

    def predict(
        self,
        source: Any,
        *,
        every: float | None = None,
        window: float | None = None,
        fps: float | None = None,
        crops: str | None = None,
        batch_size: int = 8,
        attention: bool = True,
        persons: Persons | None = None,
        skip_broken: bool = False,
    ) -> Any:
        """Say what videos show.

        Nothing is written.  Frames are sampled, resized, cropped and normalized as when
        the model is tested.

        Args:
            source: Video file, folder, pattern of files, number of a camera, list of
                these, array of RGB frames (T, H, W, 3) in uint8, or iterator of frames.
            every: Seconds from one part of a video to the next; None for the video as a
                whole. A detector looks at a frame every second by default.
            window: Seconds of a part; by default ``every``, or what a clip of the model
                spans if that is more.
            fps: Frames per second of frames that are given.
            crops: ``'test'`` for the crops of the test pipeline, ``'center'`` for the
                one in the middle; by default ``'test'``, and ``'center'`` with
                ``every``.
            batch_size: Most clips at once.
            attention: Whether to record what the model attends to in whole videos.
            persons: For a detector, boxes of the persons: a file of proposals, boxes as
                parts of width and height, ``'frame'`` for one box of the whole frame,
                or a function of a picture and its second. None for a detector that
                finds them itself.
            skip_broken: Whether to leave out videos that cannot be read, with a
                warning.

        Returns:
            A :class:`Prediction`, a :class:`Timeline` (with ``every``) or
            :class:`Detections` (of a detector); a list of them for a folder, a pattern
            or a list.

        Raises:
            BrokenVideoError: If a video cannot be read.
            TypeError: If the source is nothing of these.
            ValueError: If a file does not exist or an option is out of its range.
        """
        sources, single = find_sources(source, self.network, fps=fps)
        options = Options(every, window, crops, batch_size, attention)
        found = []
        for result in self.each(sources, options, persons=persons):
            if not isinstance(result, Broken):
                found.append(result)
            elif skip_broken:
                text = f'left out {result.name}: {result.reason}'
                print_log(text, 'current', logging.WARNING)
            else:
                raise BrokenVideoError(f'{result.name}: {result.reason}')
        return found[0] if single and found else found

    def stream(
        self,
        source: Any,
        *,
        every: float,
        window: float | None = None,
        fps: float | None = None,
        crops: str | None = None,
    ) -> Iterator[Segment]:
        """Say what the parts of a video show, each as soon as it is over.

        Args:
            source: A video as in :meth:`predict`, or frames without an end.
            every: See :meth:`predict`, as the other arguments.
            window: The same.
            fps: The same.
            crops: The same.

        Raises:
            BrokenVideoError: If the video cannot be read.
            ValueError: If it is a detector, several videos are given, or an option is
                out of its range.
        """
        sources, _ = find_sources(source, self.network, fps=fps)
        if self.is_detector or len(sources) != 1:
            what = 'a detector' if self.is_detector else f'{len(sources)} videos'
            raise ValueError(f'stream: expected a recognizer and one video, got {what}')
        options = Options(every, window, crops)
        options.check()
        for part, output in self._predictor.parts(sources[0], options):
            yield Segment(float(part.start), float(part.end), output.scores)

    def each(
        self,
        sources: Sequence[Source],
        options: Options,
        *,
        persons: Persons | None = None,
    ) -> Iterator[Result | Broken]:
        """Say what videos show, one by one, and which of them cannot be read.

        Args:
            sources: The videos.
            options: How to look at them.
            persons: See :meth:`predict`.
        """
        options.check()
        if self.is_detector:
            for source in sources:
                yield self._detections(source, options, persons)
            return
        if persons is not None:
            raise ValueError('persons: expected none for a recognizer, got some')
        if options.every is None:
            yield from self._predictor.whole(sources, options)
            return
        for source in sources:
            yield self._predictor.timeline(source, options)

    @property
    def _predictor(self) -> Predictor:
        return Predictor(self.network, self.classes, bf16=self.bf16)

    def _detections(
        self, source: Source, options: Options, persons: Persons | None
    ) -> Detections | Broken:
        reader = None
        if source.path is None:
            require_fps(source)
            reader = array_reader(source)
        name = source.name if source.path is None else str(source.path)
        try:
            if reader is None:
                open_video(name).close()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                found = detect_actions(
                    self.network,
                    name,
                    _person_source(persons, source),
                    every_seconds=options.every or 1.0,
                    score_thr=0.0,
                    top=len(self.classes),
                    progress=False,
                    reader=reader,
                )
        except (BrokenVideoError, VideoError) as error:
            return Broken(source.name, str(error))
        return Detections(name, self.class_numbers, found, self.weights, reader)

    def __repr__(self) -> str:
        head = 'roi_head' if self.is_detector else 'cls_head'
        parts = [type(self.network).__name__]
        for name in ('backbone', 'neck', head):
            part = getattr(self.network, name, None)
            parts += [] if part is None else [type(part).__name__]
        millions = sum(p.numel() for p in self.network.parameters()) / 1e6
        trained = '' if self.weights else ', not trained'
        kind = 'bfloat16' if self.bf16 else 'float32'
        return (
            f'VideoModel({self.name}: {" > ".join(parts)}, {len(self.classes)} '
            f'classes, {millions:.1f} M parameters, {kind} on {self.device}{trained})'
        )


def _numbered_names(
    cfg: Config, classes: Sequence[str] | str | Path | None, files: ModelFiles
) -> dict[int, str]:
    if isinstance(classes, (str, Path)):
        return dict(class_names(cfg, classes))
    numbers = dict(class_names(cfg))
    classes = files.classes if classes is None else classes
    if classes is None:
        return numbers
    if len(numbers) != len(classes):
        raise ValueError(
            f'classes: expected the names of {len(numbers)} classes, got '
            f'{len(classes)} names'
        )
    return dict(zip(numbers, classes, strict=True))


def _person_source(persons: Persons | None, source: Source) -> PersonSource | None:
    if persons is None or callable(persons):
        return persons
    if isinstance(persons, str) and persons == WHOLE_FRAME:
        return GivenPersons([(0.0, 0.0, 1.0, 1.0)])
    if isinstance(persons, (str, Path)):
        return StoredPersons(persons, source.path or source.name)
    return GivenPersons([tuple(box) for box in persons])
