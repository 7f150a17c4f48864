"""Draw where in a video models see evidence for a class, one row for each model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmcv.visualization import flow2rgb
from mmengine.dataset import Compose, pseudo_collate
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from mmattn.apis.attention import video_info
from mmattn.apis.timelines import class_name
from mmattn.datasets.base import BrokenVideoError, run_steps
from mmattn.datasets.transforms.flow import ZERO_LEVEL
from mmattn.datasets.video import FRAME_TEMPLATES
from mmattn.visualization.contact_sheet import FORMATS, Row, overlay_heat, save_sheet
from mmattn.visualization.grad_cam import find_layer, grad_cam

CENTER = {'TenCrop': 'CenterCrop', 'ThreeCrop': 'CenterCrop'}
CENTER['mmattn.FlowTenCrop'] = 'CenterCrop'


class Clip(NamedTuple):
    """What is drawn of one video and model.

    Args:
        images: What the model sees, (T, H, W, 3), RGB, uint8; flow by its color wheel.
        heat: Its class activation, (T, H, W), from 0 to 1.
        numbers: Frame numbers (T).
        class_index: The class explained.
        prob: Probability of the class.
    """

    images: np.ndarray
    heat: np.ndarray
    numbers: np.ndarray
    class_index: int
    prob: float


def draw_grad_cams(
    models: Mapping[str, Any],
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    layers: str | Sequence[str] = 'backbone',
    class_index: int | None = None,
    formats: Sequence[str] = ('png',),
    num_columns: int = 8,
    classes: Sequence[str] | None = None,
    progress: bool = True,
) -> tuple[list[Path], list[str]]:
    """Write pictures of the input of each video and of each model's activation maps.

    Like Fig. 1 and 5 of Spatial-temporal bottom-up top-down attention model for action
    recognition. Each model reads the video by its own test pipeline, with the center
    crop in place of several; of several clips (3D networks), the middle one is drawn.
    A map is scaled by its largest value in the video.

    Args:
        models: Models of :func:`mmattn.apis.attention.load_model` by the names that
            stand above their rows.
        videos: Video files, or folders of frames or flow fields where the pipeline
            reads those.
        out: Folder for the pictures, named like the videos.
        layers: Layer of all models or of each, see
            :func:`mmattn.visualization.grad_cam.find_layer`.
        class_index: Class that is explained; if None, the one each model predicts.
        formats: Some of ``'png'`` (a sheet of frames), ``'gif'`` and ``'mp4'``.
        num_columns: Most frames on a sheet.
        classes: Names of the classes.
        progress: Whether to show a progress bar.

    Returns:
        The pictures, and messages about videos that could not be read.

    Raises:
        ValueError: If a layer, format or class is unknown or a path does not exist.
    """
    names = _checked(models, videos, layers, formats)
    pipelines = [_center_pipeline(model) for model in models.values()]
    pictures: list[Path] = []
    broken: list[str] = []
    for video in tqdm(videos, desc='videos', disable=not progress):
        try:
            items = [
                _read(pipeline, model, Path(video))
                for pipeline, model in zip(pipelines, models.values(), strict=True)
            ]
        except BrokenVideoError as error:
            broken.append(f'{video}: {error}')
            continue
        clips = [
            _explain(model, layer, results, item, class_index)
            for model, layer, (results, item) in zip(
                models.values(), names, items, strict=True
            )
        ]
        rows = _rows(list(models), clips, classes)
        numbers = clips[0].numbers.tolist()
        for kind in formats:
            path = Path(out) / f'{Path(video).stem}.{kind}'
            title = Path(video).name
            save_sheet(path, rows, numbers, title=title, num_columns=num_columns)
            pictures.append(path)
    return pictures, broken


def _checked(
    models: Mapping[str, Any],
    videos: Sequence[str | Path],
    layers: str | Sequence[str],
    formats: Sequence[str],
) -> list[str]:
    """Layer of each model; refuse what cannot be done before any long work."""
    names = [layers] * len(models) if isinstance(layers, str) else list(layers)
    if len(names) != len(models):
        raise ValueError(
            f'layers: expected one, or one for each of {len(models)} models, got '
            f'{names}'
        )
    for model, layer in zip(models.values(), names, strict=True):
        find_layer(model, layer)
    if not set(formats) <= set(FORMATS):
        raise ValueError(f'formats: expected some of {FORMATS}, got {tuple(formats)}')
    missing = [str(video) for video in videos if not Path(video).exists()]
    if missing:
        raise ValueError(f'videos: expected files or folders, got {missing}')
    return names


def _center_pipeline(model: Any) -> Compose:
    steps = [dict(step) for step in model.cfg.test_pipeline]
    for step in steps:
        step['type'] = CENTER.get(step['type'], step['type'])
    return Compose(steps)


def _read(pipeline: Compose, model: Any, video: Path) -> tuple[dict, dict]:
    """The sample before and after packing, whose keys say what the frames are."""
    info = _folder_info(model, video) if video.is_dir() else video_info(video)
    *steps, pack = pipeline.transforms
    results = run_steps(steps, info)
    return results, pack(results)


def _folder_info(model: Any, folder: Path) -> dict[str, Any]:
    dataset = model.cfg.test_dataloader.dataset
    modality = dataset.get('modality', 'RGB')
    template = dataset.get('filename_tmpl') or FRAME_TEMPLATES[modality]
    fields = ('x',) if modality == 'Flow' else ()
    count = 0
    while (folder / template.format(*fields, count + 1)).is_file():
        count += 1
    if count == 0:
        first = template.format(*fields, 1)
        raise BrokenVideoError(f'expected frames from {first} on, got none')
    return dict(
        frame_dir=str(folder),
        filename_tmpl=template,
        total_frames=count,
        video_id=folder.name,
        label=-1,
        start_index=1,
        modality=modality,
    )


def _explain(
    model: Any, layer: str, results: dict, item: dict, class_index: int | None
) -> Clip:
    found = grad_cam(
        model, pseudo_collate([item]), layer=layer, class_index=class_index
    )
    inputs = item['inputs']
    frames = np.asarray(results['frame_inds']) - results['start_index']
    frames = frames.reshape(-1, results['clip_len'])
    maps = found.maps.cpu().float()
    if inputs.ndim == 5:  # (clips, C, T, H, W)
        clip = len(inputs) // 2
        _require_count(layer, len(maps), len(inputs), 'clips')
        images, maps, numbers = inputs[clip].transpose(0, 1), maps[clip], frames[clip]
    else:  # (frames, C, H, W), with several fields in the channels
        maps = maps.flatten(0, 1)
        _require_count(layer, len(maps), len(inputs), 'frames')
        images, numbers = inputs, frames[:, frames.shape[1] // 2]
    size = (len(images), *images.shape[-2:])
    heat = F.interpolate(maps[None, None], size, mode='trilinear')[0, 0]
    heat = heat / heat.max().clamp(min=torch.finfo(heat.dtype).tiny)
    prob = float(found.scores.softmax(0)[found.class_index])
    return Clip(_pictures(images), heat.numpy(), numbers, found.class_index, prob)


def _require_count(layer: str, found: int, expected: int, what: str) -> None:
    if found != expected:
        raise ValueError(
            f'layer: expected one map for each of {expected} {what}, got {found} from '
            f'{layer!r}'
        )


def _pictures(images: Tensor) -> np.ndarray:
    """RGB of images (T, 3, H, W); colors of the middle field of flow (T, 2L, H, W)."""
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


def _rows(
    names: Sequence[str], clips: Sequence[Clip], classes: Sequence[str] | None
) -> list[Row]:
    """The first model's input, and each model's maps on its frames nearest to those."""
    first = clips[0]
    rows = [('input', first.images)]
    height, width = first.images.shape[1:3]
    for name, clip in zip(names, clips, strict=True):
        distance = np.abs(clip.numbers[:, None] - first.numbers)
        nearest = distance.argmin(axis=0)
        drawn = overlay_heat(clip.images[nearest], clip.heat[nearest])
        drawn = np.stack([cv2.resize(image, (width, height)) for image in drawn])
        what = class_name(clip.class_index, classes)
        rows.append((f'{name}: {what} ({clip.prob:.2f})', drawn))
    return rows
