"""Draw the salient receptive fields of pyramid attention."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmattn.datasets.base import BrokenVideoError
from mmattn.inference.inputs import NetworkInput, find_videos, read_video
from mmattn.models.layers.pyramid import (
    PyramidAttention,
    attend_positions,
    fuse_scales,
)
from mmattn.models.receptive_field import (
    ReceptiveField,
    ReceptiveFields,
    receptive_field,
)
from mmattn.utils.arrays import evenly
from mmattn.utils.progress import progress_bar
from mmattn.visualization.attention_pictures import writable_folder
from mmattn.visualization.contact_sheet import Row, save_sheet

COLORS = ((60, 110, 255), (60, 220, 60), (255, 50, 50), (255, 200, 0))  # of 1, 2, ...
WHITE = (255, 255, 255)


class FieldOptions(NamedTuple):
    """What is drawn of the receptive fields, and how.

    Args:
        threshold: Attention above which a position is salient, 0 to 1: a share of the
            row's largest, or with ``absolute`` the attention itself. None takes 0.5,
            and for output positions with ``absolute`` 0.7, as the paper does.
        absolute: Whether the threshold is one of the attention itself.
        scales: Numbers of scales, counted from the top; None for 1 to all.
        position: Output position (y, x) of which the frames are drawn.
        frame: Which of the sampled frames is drawn for several output positions.
        num_columns: Most frames, and most output positions.
        alpha: Share of the color in salient places, 0 to 1.
    """

    threshold: float | None = None
    absolute: bool = False
    scales: Sequence[int] | None = None
    position: tuple[int, int] = (0, 0)
    frame: int = 0
    num_columns: int = 5
    alpha: float = 0.5


class Rows(NamedTuple):
    """Attention of a video by number of scales, each (h, w, K, h, w)."""

    attention: dict[int, np.ndarray]
    field: ReceptiveField


def draw_receptive_fields(
    model: Any,
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    others: Sequence[Any] = (),
    options: FieldOptions | None = None,
    progress: bool = True,
) -> tuple[list[Path], list[str]]:
    """Write pictures of what pyramid attention takes from where.

    Like Fig. 4 and 5 of Interaction-aware spatio-temporal pyramid attention networks:
    ``<video>-frames.png`` shows, for one output position, the centers of salient
    receptive fields in the frames, and ``<video>-positions.png`` those in one frame for
    several output positions, each with its own place outlined. A row stands for the
    scores of the top scale, the top two and so on of one model, or, as in the paper,
    for a model trained with so many scales. The threshold is relative to the largest
    attention of the output position in all frames, unless it is absolute, as the
    paper's is: rows have a unit norm, and single values shrink as frames are added.

    Args:
        model: :class:`~mmattn.models.ReductionRecognizer` with
            :class:`~mmattn.models.PyramidAttentionNeck`.
        videos: Video files and folders.
        out: Folder.
        others: Models with other numbers of scales; each is then drawn with all of its
            scales.
        options: What to draw, and how.
        progress: Whether to show a progress bar.

    Returns:
        The pictures, and messages about videos that could not be read.

    Raises:
        ValueError: If a model has no such attention, two have as many scales, an option
            is out of range or a path cannot be read or written.
    """
    options = options or FieldOptions()
    _check(options, _layer(model))
    _check_others(model, others, options)
    paths = find_videos(videos, [model])
    out = writable_folder(out)
    files: list[Path] = []
    broken: list[str] = []
    for path in progress_bar(paths, description='videos', shown=progress):
        try:
            seen = read_video(model, path)
        except BrokenVideoError as error:
            broken.append(f'{path}: {error}')
            continue
        rows = _attend(model, seen, options)
        if others:
            more = (
                _attend(other, read_video(other, path), options) for other in others
            )
            rows = _join([rows, *more])
        images = np.stack(list(seen.pictures().values()))
        height, width = rows.field.size
        what = f'{path.name} · fields of {width} x {height} pixels'
        drawn: dict[str, tuple[list[Row], Sequence[int | str]]] = {
            'frames': _frames(rows, images, list(seen.pictures()), options),
            'positions': _positions(rows, images, options),
        }
        for name, (pictures, columns) in drawn.items():
            picture = out / f'{path.stem}-{name}.png'
            save_sheet(
                picture, pictures, columns, title=what, num_columns=options.num_columns
            )
            files.append(picture)
    return files, broken


def _layer(model: Any) -> PyramidAttention:
    found = getattr(getattr(model, 'reduction', None), 'attention', None)
    if not isinstance(found, PyramidAttention) or found.top_size is None:
        raise ValueError(
            'model: expected mmattn.ReductionRecognizer with a '
            'mmattn.PyramidAttentionNeck whose top_size is no None, got '
            f'{type(model).__name__}'
        )
    return found


def _check_others(model: Any, others: Sequence[Any], options: FieldOptions) -> None:
    counts = [len(_layer(m).in_channels) for m in (model, *others)]
    if len(set(counts)) != len(counts):
        raise ValueError(
            f'others: expected models with different numbers of scales, got {counts}'
        )
    if others and options.scales is not None:
        raise ValueError(
            f'scales: expected none with several models, got {options.scales}'
        )


def _join(parts: Sequence[Rows]) -> Rows:
    """One row of each model, with all of its scales."""
    best = {max(part.attention): part.attention[max(part.attention)] for part in parts}
    shapes = {attention.shape for attention in best.values()}
    if len(shapes) != 1:
        raise ValueError(
            f'others: expected models of the same top map and frames, got {shapes}'
        )
    return Rows(dict(sorted(best.items())), parts[0].field)


def _check(options: FieldOptions, layer: PyramidAttention) -> None:
    for name in ('threshold', 'alpha'):
        value = getattr(options, name)
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f'{name}: expected 0 to 1, got {getattr(options, name)}')
    if options.num_columns < 1:
        raise ValueError(f'num_columns: expected at least 1, got {options.num_columns}')
    count = len(layer.in_channels)
    if options.scales is not None and not set(options.scales) <= {*range(1, count + 1)}:
        raise ValueError(
            f'scales: expected numbers from 1 to {count}, got {options.scales}'
        )
    y, x = options.position
    height, width = layer.top_size or (0, 0)
    if not (0 <= y < height and 0 <= x < width):
        raise ValueError(
            f'position: expected (y, x) below {(height, width)}, got {options.position}'
        )


def _attend(model: Any, seen: NetworkInput, options: FieldOptions) -> Rows:
    """Run the model and keep the attention of one view with the top scales' scores."""
    layer = _layer(model)
    outputs: list[Any] = []
    handle = layer.register_forward_hook(
        lambda _, inputs, output: outputs.append(output)
    )
    try:
        with torch.no_grad():
            model.test_step(pseudo_collate([seen.item]))
    finally:
        handle.remove()
    if len(outputs) != 1 or len(outputs[0].scores[0]) != 1:
        raise ValueError(
            'test_pipeline: expected one view of a video, got several; num_clips '
            'says how many frames a view has, and mmattn.PackClipInputs packs it'
        )
    scores = [score.float() for score in outputs[0].scores]
    scales = options.scales or range(1, len(scores) + 1)
    attention = {
        count: _as_maps(fuse_scales(scores[-count:], fusion=layer.fusion), layer)
        for count in scales
    }
    return Rows(attention, _field(model, seen))


def _as_maps(scores: Tensor, layer: PyramidAttention) -> np.ndarray:
    A = attend_positions(scores)[0]  # (d, n)
    h, w = layer.top_size or (1, 1)
    return A.view(h, w, -1, h, w).cpu().numpy()


def _field(model: Any, seen: NetworkInput) -> ReceptiveField:
    names = model.backbone.stage_names
    after = names.index(model.taps[-1]) + 1
    stop = names[after] if after < len(names) else None
    device = next(model.parameters()).device
    frame = torch.zeros_like(seen.inputs[:1], dtype=torch.float32, device=device)
    with torch.no_grad(), ReceptiveFields(frame):
        return receptive_field(model.backbone.forward_stages(frame, None, stop))


def _frames(
    rows: Rows, images: np.ndarray, numbers: list[int], options: FieldOptions
) -> tuple[list[Row], list[int]]:
    y, x = options.position
    drawn = [Row('input', images)]
    for count, attention in rows.attention.items():
        salient = _salient(attention[y, x], options, 0.5)
        marked = _mark(images, salient, rows.field, _color(count), options.alpha)
        words = f'{_scales(count)}, output position ({y}, {x})'
        drawn.append(Row(words, marked))
    return drawn, numbers


def _positions(
    rows: Rows, images: np.ndarray, options: FieldOptions
) -> tuple[list[Row], list[str]]:
    if not 0 <= options.frame < len(images):
        raise ValueError(f'frame: expected 0 to {len(images) - 1}, got {options.frame}')
    h, w = next(iter(rows.attention.values())).shape[:2]
    kept = evenly(h * w, options.num_columns)
    drawn = []
    for scales, attention in rows.attention.items():
        pictures = []
        for m in kept:
            y, x = divmod(m, w)
            usual = 0.7 if options.absolute else 0.5
            salient = _salient(attention[y, x], options, usual)[options.frame]
            marked = _mark(
                images[options.frame][None],
                salient[None],
                rows.field,
                _color(scales),
                options.alpha,
            )[0]
            own = np.zeros((h, w), dtype=bool)
            own[y, x] = True
            pictures.append(_outlined(marked, _cells(own, rows.field, marked)))
        words = f'{_scales(scales)}, by output position'
        drawn.append(Row(words, np.stack(pictures)))
    return drawn, [str(divmod(m, w)) for m in kept]


def _salient(attention: np.ndarray, options: FieldOptions, usual: float) -> np.ndarray:
    """Which positions of which frames pass the threshold, (K, h, w)."""
    threshold = usual if options.threshold is None else options.threshold
    return attention > threshold * (1.0 if options.absolute else attention.max())


def _mark(
    images: np.ndarray,
    salient: np.ndarray,
    field: ReceptiveField,
    color: tuple[int, int, int],
    alpha: float,
) -> np.ndarray:
    marked = images.copy()
    for picture, cells in zip(marked, salient, strict=True):
        inside = _cells(cells, field, picture)
        picture[inside] = alpha * np.array(color) + (1 - alpha) * picture[inside]
    return marked


def _cells(
    salient: np.ndarray, field: ReceptiveField, picture: np.ndarray
) -> np.ndarray:
    """Pixels nearest to the centers of salient receptive fields, (H, W)."""
    h, w = salient.shape
    centers_y = [field.center(y, 0)[0] for y in range(h)]
    centers_x = [field.center(0, x)[1] for x in range(w)]
    rows = np.abs(np.arange(len(picture))[:, None] + 0.5 - centers_y).argmin(axis=1)
    columns = np.abs(np.arange(picture.shape[1])[:, None] + 0.5 - centers_x)
    return salient[rows[:, None], columns.argmin(axis=1)[None]]


def _outlined(picture: np.ndarray, inside: np.ndarray) -> np.ndarray:
    padded = np.pad(inside, 1)
    deep = padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]
    picture = picture.copy()
    picture[inside & ~deep] = WHITE
    return picture


def _color(count: int) -> tuple[int, int, int]:
    return COLORS[(count - 1) % len(COLORS)]


def _scales(count: int) -> str:
    return '1 scale' if count == 1 else f'{count} scales'
