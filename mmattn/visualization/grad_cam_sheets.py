"""Draw where in a video models see evidence for a class, one row for each model."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch.nn import functional as F

from mmattn.datasets.base import BrokenVideoError
from mmattn.inference.inputs import (
    NetworkInput,
    as_pictures,
    find_rgb,
    modality_of,
    rgb_frames,
)
from mmattn.inference.models import names_of_classes, probabilities
from mmattn.inference.video_parts import VideoPart, find_video_parts, read_video_part
from mmattn.utils.files import numbered_names
from mmattn.utils.progress import progress_bar
from mmattn.visualization.contact_sheet import FORMATS, Row, overlay_heat, save_sheet
from mmattn.visualization.grad_cam import NO_LAYER, REGION, find_layer, grad_cam
from mmattn.visualization.heat_overlay import WHOLE, Box, draw_boxes, place_heat


class Clip(NamedTuple):
    """What is drawn of one video and model.

    Args:
        images: What the model sees, (T, H, W, 3), RGB, uint8; flow by its color wheel,
            or the frames that it was computed from.
        heat: Its class activation, (T, H, W), from 0 to 1.
        numbers: Frame numbers (T).
        class_index: The class explained.
        prob: Probability of the class.
        peak: What 1 of the heat stands for, in the units of the map.
        person: Index and box of the region that is explained, if any.
    """

    images: np.ndarray
    heat: np.ndarray
    numbers: np.ndarray
    class_index: int
    prob: float
    peak: float
    person: tuple[int, Box] | None = None


def draw_grad_cams(
    models: Mapping[str, Any],
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    layers: str | Sequence[str] = 'backbone',
    method: str = 'grad_cam',
    persons: Mapping[str, np.ndarray] | None = None,
    class_index: int | Literal['fused'] | None = None,
    formats: Sequence[str] = ('png',),
    num_columns: int = 8,
    classes: Sequence[str] | str | Path | None = None,
    rgb: str | Path | None = None,
    progress: bool = True,
) -> tuple[list[Path], list[str]]:
    """Write pictures of the input of each video and of each model's activation maps.

    Like Fig. 1 and 5 of Spatial-temporal bottom-up top-down attention model for action
    recognition. Each model reads the video by its own test pipeline, with the center
    crop in place of several; of several clips (3D networks), the middle one is drawn.
    A map is scaled by its largest value in the video.

    Args:
        models: Models of :func:`mmattn.inference.models.load_model` by the names that
            stand above their rows.
        videos: Video files, or folders of frames or flow fields where the pipeline
            reads those.
        out: Folder for the pictures, named like the videos.
        layers: Layer of all models or of each, see
            :func:`mmattn.visualization.grad_cam.find_layer`.
        method: What weights the maps, one of
            :data:`mmattn.visualization.grad_cam.METHODS`.
        persons: For detectors, boxes of persons by ``'video,second'``, see
            :func:`mmattn.visualization.attention_pictures.draw_attention`: of each such
            second a picture is drawn, with one row for each person.
        class_index: Class that is explained; if None, the one each model predicts; if
            ``'fused'``, that of the mean of the models' probabilities, such as those of
            two streams.
        formats: Some of ``'png'`` (a sheet of frames), ``'gif'`` and ``'mp4'``.
        num_columns: Most frames on a sheet.
        classes: See :func:`mmattn.inference.models.names_of_classes`.
        rgb: Folder of videos, or of folders of frames, named like the folders of flow
            that were computed from them: maps of flow are drawn over these frames, and
            models of RGB read them.
        progress: Whether to show a progress bar.

    Returns:
        The pictures, and messages about videos that could not be read.

    Raises:
        ValueError: If a layer, format or class is unknown, a path does not exist, a
            video is not in ``rgb`` or its crop is not known, or if models of different
            classes or detectors are to be fused.
    """
    names = [layers] * len(models) if isinstance(layers, str) else list(layers)
    if len(names) != len(models):
        raise ValueError(
            f'layers: expected one, or one for each of {len(models)} models, got '
            f'{names}'
        )
    for model, layer in zip(models.values(), names, strict=True):
        find_layer(model, layer)
    known = {name: names_of_classes(model, classes) for name, model in models.items()}
    if not set(formats) <= set(FORMATS):
        raise ValueError(f'formats: expected some of {FORMATS}, got {tuple(formats)}')
    paths = _checked_videos(videos, rgb)
    parts = find_video_parts(list(models.values()), paths, persons)
    pictures: list[Path] = []
    broken: list[str] = []
    stems = numbered_names(part.stem for part in parts)
    bar = progress_bar(parts, description='videos', shown=progress)
    for stem, part in zip(stems, bar, strict=True):
        video = part.video
        try:
            seen = [
                read_video_part(model, _part_for(model, part, rgb))
                for model in models.values()
            ]
            frames = [_frames_of_flow(own, video, rgb) for own in seen]
        except BrokenVideoError as error:
            broken.append(f'{video}: {error}')
            continue
        clips, titles, wanted = [], [], class_index
        if wanted == 'fused':
            wanted = _fused_class(models, seen)
        for name, layer, own, images in zip(models, names, seen, frames, strict=True):
            for person in range(len(own.regions()) or 1):
                options = dict(layer=layer, method=method, person=person)
                clip = _explain(models[name], own, wanted, options)
                clips.append(clip if images is None else clip._replace(images=images))
                titles.append(name)
        rows = _rows(titles, clips, known)
        numbers = clips[0].numbers.tolist()
        for kind in formats:
            path = Path(out) / f'{stem}.{kind}'
            title = part.name
            save_sheet(path, rows, numbers, title=title, num_columns=num_columns)
            pictures.append(path)
    return pictures, broken


def _checked_videos(videos: Sequence[str | Path], rgb: str | Path | None) -> list[Path]:
    """Paths that exist, and of which RGB is there if it is wanted."""
    paths = [Path(video) for video in videos]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ValueError(f'videos: expected files or folders, got {missing}')
    if rgb is not None:
        for path in paths:
            find_rgb(path, rgb)
    return paths


def _part_for(model: Any, part: VideoPart, rgb: str | Path | None) -> VideoPart:
    """The folder of flow, for a model of RGB what that was computed from."""
    if rgb is None or modality_of(model) == 'Flow':
        return part
    return part._replace(video=find_rgb(part.video, rgb))


def _fused_class(models: Mapping[str, Any], seen: Sequence[NetworkInput]) -> int:
    """The class of the mean of the probabilities."""
    probs = []
    for model, own in zip(models.values(), seen, strict=True):
        if own.regions():
            raise ValueError("class: expected recognizers for 'fused', got a detector")
        sample = copy.deepcopy(own.item['data_samples'])
        batch = pseudo_collate([dict(own.item, data_samples=sample)])
        with torch.no_grad(), probabilities(model):
            probs.append(model.test_step(batch)[0].pred_score.double().cpu())
    counts = sorted({len(one) for one in probs})
    if len(counts) > 1:
        raise ValueError(f"class: expected the same classes for 'fused', got {counts}")
    return int(torch.stack(probs).mean(dim=0).argmax())


def _explain(
    model: Any, seen: NetworkInput, class_index: int | None, options: dict[str, Any]
) -> Clip:
    item = dict(seen.item, data_samples=copy.deepcopy(seen.item['data_samples']))
    found = grad_cam(model, pseudo_collate([item]), class_index=class_index, **options)
    layer, person = options['layer'], options['person']
    regions, inputs = seen.regions(), seen.inputs
    in_box = layer == REGION and options['method'] not in NO_LAYER
    if in_box:
        found = found._replace(maps=found.maps[person : person + 1])
    maps = found.maps.cpu().float()
    if inputs.ndim == 5:  # (clips, C, T, H, W)
        clip = len(inputs) // 2
        _require_count(layer, len(maps), len(inputs), 'clips')
        images, maps = inputs[clip].transpose(0, 1), maps[clip]
        numbers = seen.numbers[clip]
    else:  # (frames, C, H, W), with several fields in the channels
        maps = maps.flatten(0, 1)
        _require_count(layer, len(maps), len(inputs), 'frames')
        images, numbers = inputs, seen.numbers[:, 0]
    size = (len(images), *maps.shape[-2:])
    heat = F.interpolate(maps[None, None], size, mode='trilinear')[0, 0]
    box = regions[person] if in_box else WHOLE
    height, width = images.shape[-2:]
    placed = place_heat(heat.double().numpy(), (height, width), box=box)
    heat = torch.from_numpy(np.nan_to_num(placed)).float()
    peak = heat.max()
    heat = heat / peak.clamp(min=torch.finfo(heat.dtype).tiny)
    return Clip(
        as_pictures(images),
        heat.numpy(),
        numbers,
        found.class_index,
        found.prob,
        float(peak),
        (person, regions[person]) if regions else None,
    )


def _frames_of_flow(
    seen: NetworkInput, video: Path, rgb: str | Path | None
) -> np.ndarray | None:
    """The RGB frames of stacks of flow, if asked for."""
    inputs = seen.item['inputs']
    if rgb is None or inputs.ndim == 5 or inputs.shape[1] == 3:
        return None
    if seen.crop is None:
        raise ValueError(
            'test_pipeline: expected a crop that is known, to draw flow over RGB, got '
            'none'
        )
    # The middle field of a stack leads from this frame to the next.
    numbers = seen.numbers[:, 0] + inputs.shape[1] // 4
    height, width = inputs.shape[-2:]
    path = find_rgb(video, rgb)
    return rgb_frames(path, numbers.tolist(), seen.crop, (width, height))


def _require_count(layer: str, found: int, expected: int, what: str) -> None:
    if found != expected:
        raise ValueError(
            f'layer: expected one map for each of {expected} {what}, got {found} from '
            f'{layer!r}'
        )


def _rows(
    names: Sequence[str], clips: Sequence[Clip], classes: Mapping[str, Sequence[str]]
) -> list[Row]:
    """The first model's input, and each model's maps on its frames next to those."""
    first = clips[0]
    rows = [Row('input', first.images)]
    height, width = first.images.shape[1:3]
    for name, clip in zip(names, clips, strict=True):
        distance = np.abs(clip.numbers[:, None] - first.numbers)
        nearest = distance.argmin(axis=0)
        drawn = overlay_heat(clip.images[nearest], clip.heat[nearest])
        drawn = np.stack([cv2.resize(image, (width, height)) for image in drawn])
        what = classes[name][clip.class_index]
        if clip.person is not None:
            what = f'person {clip.person[0]}, {what}'
            drawn = draw_boxes(drawn, [clip.person[1]])
        ends = '0', f'{clip.peak:.3g}'
        rows.append(Row(f'{name}: {what} ({clip.prob:.2f})', drawn, ends))
    return rows
