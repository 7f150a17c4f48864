"""What a network sees of a video: its input as pictures with their frame numbers."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from mmcv.visualization import flow2rgb
from mmengine.dataset import Compose
from mmengine.logging import print_log
from torch import Tensor

from mmattn.datasets.base import BrokenVideoError, run_steps
from mmattn.datasets.frame_folders import find_frames
from mmattn.datasets.transforms.flow import ZERO_LEVEL
from mmattn.datasets.video import FRAME_TEMPLATES
from mmattn.datasets.video_reader import (
    VIDEO_SUFFIXES,
    describe_files,
    looks_like_video,
    open_video,
)
from mmattn.inference.attend import video_info
from mmattn.inference.steps import STORED, frame_steps, stored_steps, test_steps

Box = tuple[float, float, float, float]


class NetworkInput(NamedTuple):
    """What a network sees of one video.

    Args:
        item: What its pipeline packs: ``inputs`` and ``data_samples``.
        numbers: Frame numbers of each row of ``inputs``, counted from 0, (R, T), with
            T = 1 where rows are single frames or stacks of flow.
        crop: Left, top, right and bottom of the crop in fractions of the whole frame;
            None if it is unknown or mirrored.
        collapsed: Whether ``inputs`` are one clip without an axis for clips.
        num_crops: How many crops of the same frames ``inputs`` holds, crop by crop.
    """

    item: dict[str, Any]
    numbers: np.ndarray
    crop: Box | None
    collapsed: bool = False
    num_crops: int = 1

    @property
    def inputs(self) -> Tensor:
        """Frames (M, C, H, W) or clips (M, C, T, H, W)."""
        inputs = self.item['inputs']
        return inputs[None] if self.collapsed else inputs

    def regions(self) -> list[Box]:
        """Return the regions that a detector looks at, in fractions of the input."""
        if 'proposals' not in self.item['data_samples']:
            return []
        height, width = self.inputs.shape[-2:]
        boxes = self.item['data_samples'].proposals.bboxes.double().numpy()
        return [tuple(box) for box in (boxes / ([width, height] * 2)).tolist()]

    def pictures(self) -> dict[int, np.ndarray]:
        """Return each frame once, by its number, as the network sees it.

        Raises:
            ValueError: If the input is no RGB video nor flow in uint8.
        """
        inputs = self.inputs
        if inputs.ndim == 5:  # (R, C, T, H, W)
            inputs = inputs.transpose(1, 2).flatten(0, 1)
        images = as_pictures(inputs)
        numbers = self.numbers.reshape(-1).tolist()
        first = {number: k for k, number in reversed(list(enumerate(numbers)))}
        return {number: images[first[number]] for number in sorted(first)}


def find_videos(paths: Sequence[str | Path], models: Sequence[Any] = ()) -> list[Path]:
    """Return video files, with those in folders, sorted, in place of the folders.

    A folder without video files is a video itself, stored as frames or flow, where all
    models read those; so is a zip file.

    Args:
        paths: Files and folders.
        models: Models that are to read them.

    Raises:
        ValueError: If a path does not exist, a folder holds no video, or a model cannot
            read such a video.
    """
    frame_folders = bool(models) and all(map(reads_frame_folders, models))
    found: list[Path] = []
    for path in map(Path, paths):
        packed = path.parent / f'{path.name}.zip'
        if frame_folders and not path.exists() and packed.is_file():
            path = packed
        if not path.exists():
            raise ValueError(f'videos: expected a file or folder, got {path}')
        if path.is_file():
            found.append(path)
            continue
        suffixes = (*VIDEO_SUFFIXES, '.zip') if frame_folders else VIDEO_SUFFIXES
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
        if not inside and not frame_folders:
            raise ValueError(
                f'videos: expected video files in the folder {path}, got '
                f'{describe_files(path.iterdir())}'
            )
        skipped = sorted(str(p) for p in path.iterdir() if looks_like_video(p))
        if skipped:
            print_log(
                f'videos: expected the endings of videos, got {skipped}, which are '
                'left out',
                'current',
                logging.WARNING,
            )
        found += inside or [path]
    if not found:
        raise ValueError('videos: expected at least one, got none')
    if any(modality_of(model) == 'Flow' for model in models):
        files = [str(path) for path in found if not is_frames(path)]
        if files:
            raise ValueError(
                f'videos: expected folders of flow for a model on flow, got {files}'
            )
    return found


def is_frames(path: Path) -> bool:
    """Say whether a video is stored as frames or flow, in a folder or a zip file.

    Args:
        path: The video.
    """
    return path.is_dir() or path.suffix.lower() == '.zip'


def reads_frame_folders(model: Any) -> bool:
    """Say whether a model's test pipeline reads frames or flow stored one by one.

    Args:
        model: Model of :func:`mmattn.inference.models.load_model`.
    """
    return any(step['type'] == STORED for step in test_steps(model.cfg))


def read_video(
    model: Any,
    video: Path,
    *,
    more: dict[str, Any] | None = None,
    crops: str = 'center',
) -> NetworkInput:
    """Read a video file, or a folder of frames or flow, as a network sees it.

    Args:
        model: Model whose config says how videos are read and folders laid out.
        video: File or folder.
        more: More that its pipeline needs to know.
        crops: ``'center'`` for the crop in the middle in place of several, ``'test'``
            for those of the test pipeline.

    Raises:
        BrokenVideoError: If the video cannot be read.
        ValueError: If frame numbers do not fit the input.
    """
    more = more or {}
    if not is_frames(video):
        steps = [dict(type='mmattn.VideoInit'), *frame_steps(model.cfg, crops=crops)]
        return read_input(Compose(steps), {**video_info(video), **more})
    if not reads_frame_folders(model):
        raise ValueError(
            f'videos: expected a video file, as no step {STORED} of the test_pipeline '
            f'reads stored frames, got {video}'
        )
    steps = stored_steps(model.cfg, 'disk' if video.is_dir() else 'zip', crops=crops)
    return read_input(Compose(steps), {**_folder_info(model, video), **more})


def read_frames(pipeline: Compose, reader: Any, name: str) -> NetworkInput:
    """Read what a network sees of frames that are open.

    Args:
        pipeline: Of :func:`mmattn.inference.steps.frame_steps`.
        reader: The frames, as :mod:`mmattn.inference.readers` has them.
        name: What to call them.

    Raises:
        BrokenVideoError: If a frame cannot be read.
        ValueError: If frame numbers do not fit the input, or there would be too many.
    """
    frames = dict(video_reader=reader, total_frames=len(reader), avg_fps=reader.fps)
    info = {**video_info(Path(name)), 'filename': name, 'video_id': name}
    return read_input(pipeline, {**info, **frames})


def read_input(pipeline: Compose, info: dict[str, Any]) -> NetworkInput:
    """Run a pipeline and keep which frames its output shows.

    Args:
        pipeline: Pipeline that ends with packing.
        info: Sample of a data set.

    Raises:
        BrokenVideoError: If the video cannot be read.
        ValueError: If frame numbers do not fit the input.
    """
    *steps, pack = pipeline.transforms
    try:
        results = run_steps(steps, info)
    except cv2.error as error:  # of a step that has no use for such small pictures
        cause = ' '.join(str(error).split())
        raise BrokenVideoError(
            f'a step of the test_pipeline failed: {cause}'
        ) from error
    item = pack(results)
    inputs, clip_len = item['inputs'], results.get('clip_len')
    collapsed = any(getattr(step, 'collapse', False) for step in steps)
    if collapsed:
        inputs = inputs[None]
    if clip_len is None or inputs.ndim not in (4, 5):
        raise ValueError(
            'test_pipeline: expected sampled frames (M, C, H, W) or clips '
            f'(M, C, T, H, W), got {tuple(inputs.shape)}'
        )
    positions = np.asarray(results['frame_inds']) - results['start_index']
    numbers = positions.reshape(-1, clip_len)
    if inputs.ndim == 4:
        numbers = numbers[:, :1]
    fits = inputs.ndim == 4 or inputs.shape[2] == clip_len
    if len(inputs) % len(numbers) or not fits:
        raise ValueError(
            f'test_pipeline: expected {len(numbers)} clips of {clip_len} frames, or '
            f'several crops of them, got {tuple(inputs.shape)}'
        )
    num_crops = len(inputs) // len(numbers)
    numbers = np.tile(numbers, (num_crops, 1))
    # By these recognizers say of which frames their attention maps are.
    item['data_samples'].set_metainfo(
        dict(
            frame_inds=positions.reshape(-1),
            frame_indices=positions.reshape(-1, clip_len)[:, 0],
            clip_len=clip_len,
        )
    )
    return NetworkInput(item, numbers, _crop(steps, results), collapsed, num_crops)


def as_pictures(images: Tensor) -> np.ndarray:
    """Return frames as RGB pictures, flow by its color wheel.

    Args:
        images: RGB frames, or flow of L fields of which the middle one is shown.

    Shape:
        - images: (T, 3, H, W) or (T, 2L, H, W), uint8
        - Output: (T, H, W, 3), uint8

    Raises:
        ValueError: If they are neither.
    """
    array = images.permute(0, 2, 3, 1).numpy()  # (T, H, W, C)
    T, H, W, C = array.shape
    if array.dtype != np.uint8 or (C != 3 and C % 2):
        raise ValueError(
            f'test_pipeline: expected RGB or flow in uint8, got {C} channels in '
            f'{array.dtype}'
        )
    if C == 3:
        return array
    middle = C // 4 * 2
    fields = array[..., middle : middle + 2].astype(np.float32) - ZERO_LEVEL
    # As one tall field, so that all frames have one scale.
    colors = flow2rgb(fields.reshape(T * H, W, 2))
    return (colors * 255).round().astype(np.uint8).reshape(T, H, W, 3)


def whole_frames(
    video: Path, numbers: Sequence[int], *, longest: int = 480
) -> dict[int, np.ndarray]:
    """Read frames of a video file as they are, without the network's crop.

    Args:
        video: The file.
        numbers: Numbers of the frames.
        longest: Most pixels of the longer side; larger frames are shrunk.

    Returns:
        RGB pictures (H, W, 3) by their numbers.
    """
    shrunk = {}
    with open_video(video) as reader:
        for number in sorted(numbers):
            (image,) = reader.read([number])
            shrunk[number] = of_longest_side(image, longest)
    return {number: shrunk[number] for number in numbers}


def of_longest_side(
    picture: np.ndarray, pixels: int, *, enlarge: bool = False
) -> np.ndarray:
    """Shrink a picture until its longer side has at most so many pixels.

    Args:
        picture: Picture of uint8.
        pixels: The most pixels.
        enlarge: Whether a smaller picture gets as many, too.

    Shape:
        - picture: (H, W, 3).

    Example:
        >>> of_longest_side(np.zeros((20, 40, 3), np.uint8), 10).shape
        (5, 10, 3)
    """
    height, width = picture.shape[:2]
    factor = pixels / max(height, width)
    factor = factor if enlarge else min(1.0, factor)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    kind = cv2.INTER_LINEAR if factor > 1 else cv2.INTER_AREA
    return cv2.resize(picture, size, interpolation=kind)


def find_rgb(flow: Path, folder: str | Path) -> Path:
    """Return the video, or the folder of frames, that flow was computed from.

    Args:
        flow: Folder of the flow fields.
        folder: Folder with a video file, or a folder of frames, of the same name.

    Raises:
        ValueError: If there is neither.
    """
    path = Path(folder) / (flow.name if flow.is_dir() else flow.stem)
    files = [path.with_name(path.name + suffix) for suffix in VIDEO_SUFFIXES]
    found = [file for file in files if file.is_file()]
    if any(path.glob('*')):
        found.append(path)
    if not found:
        raise ValueError(
            f'rgb: expected a video {flow.name} or its frames '
            f'({FRAME_TEMPLATES["RGB"]}) in {folder}, got neither'
        )
    return found[0]


def rgb_frames(
    path: Path, numbers: Sequence[int], crop: Box, size: tuple[int, int]
) -> np.ndarray:
    """Read frames as a network with another input would see them.

    Args:
        path: Video or folder of frames of :func:`find_rgb`.
        numbers: Numbers of the frames, counted from 0.
        crop: See :class:`NetworkInput`.
        size: Width and height of the result, in pixels.

    Shape:
        - Output: (T, H, W, 3), RGB, uint8

    Raises:
        BrokenVideoError: If a frame cannot be read.
    """
    try:
        with _rgb_images(path, numbers) as images:
            return np.stack([_cut(image, crop, size) for image in images])
    except (ValueError, cv2.error, IndexError) as error:
        raise BrokenVideoError(f'{path}: expected frames {numbers}: {error}') from error


@contextmanager
def _rgb_images(path: Path, numbers: Sequence[int]) -> Iterator[Iterator[np.ndarray]]:
    """Yield frames one by one."""
    if path.is_file():
        with open_video(path) as reader:
            yield (reader.read([number])[0] for number in numbers)
    else:
        frames = find_frames(path, FRAME_TEMPLATES['RGB'])
        yield (
            cv2.cvtColor(cv2.imread(str(frames.file(n))), cv2.COLOR_BGR2RGB)
            for n in numbers
        )


def _cut(image: np.ndarray, crop: Box, size: tuple[int, int]) -> np.ndarray:
    height, width = image.shape[:2]
    left, top, right, bottom = (
        round(x * side) for x, side in zip(crop, (width, height) * 2, strict=True)
    )
    return cv2.resize(image[top:bottom, left:right], size)


def _crop(steps: Sequence[Any], results: dict[str, Any]) -> Box | None:
    """What the host's crops have kept of the whole frame."""
    names = [type(step).__name__ for step in steps]
    if results.get('flip') or any(
        'Crop' in name and name not in ('CenterCrop', 'RandomCrop', 'RandomResizedCrop')
        for name in names
    ):
        return None
    x, y, width, height = map(float, results.get('crop_quadruple', (0, 0, 1, 1)))
    return x, y, x + width, y + height


def _folder_info(model: Any, folder: Path) -> dict[str, Any]:
    dataset, modality = model.cfg.test_dataloader.dataset, modality_of(model)
    template = dataset.get('filename_tmpl') or FRAME_TEMPLATES[modality]
    frames = find_frames(folder, template, modality=modality)
    return dict(
        frame_dir=str(frames.folder),
        filename_tmpl=frames.template,
        total_frames=frames.count,
        video_id=frames.folder.name,
        label=-1,
        start_index=frames.first,
        modality=modality,
    )


def modality_of(model: Any) -> str:
    """Return what a model reads, such as ``'RGB'`` or ``'Flow'``.

    A model without a data set in its config reads RGB.

    Args:
        model: Model with its config ``cfg``.
    """
    loader = model.cfg.get('test_dataloader') or {}
    return loader.get('dataset', {}).get('modality', 'RGB')
