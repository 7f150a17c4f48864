"""One way for every attention module to hand out its maps.

A module calls :func:`emit_attention` in its forward; who wants the maps runs the
model inside :func:`capture_attention`; a recognizer says with
:func:`attention_rows` which video each row of a batch belongs to.

Nothing is recorded outside a capture: the functions that run in a forward then look at
one module-level number and return.  A plain number, because the context variable that
holds the captures (each thread sees only its own) costs more, and ``torch.compile``
cannot trace it.  Code that is being compiled never records: while a capture is open,
compiled modules run eagerly, so that graphs stay whole and are not compiled again.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Union

import numpy as np
import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmattn.attention.records import AXES, AttentionRecord, AttentionRecords

Rows = Union[Sequence[int], np.ndarray, Tensor]


@dataclass(frozen=True, eq=False)
class _Capture:
    modules: dict[nn.Module, str]
    patterns: Sequence[str] | None
    to_cpu: bool
    records: AttentionRecords = field(default_factory=AttentionRecords)


_num_open = 0
_lock = threading.Lock()
_stance: Any = None
_captures: ContextVar[tuple[_Capture, ...]] = ContextVar('captures', default=())
_rows: ContextVar[dict[str, Any] | None] = ContextVar('rows', default=None)


def attention_wanted() -> bool:
    """Say whether a capture is open, for modules that never build their map.

    Such a module builds the map beside its fused path and takes its output from the
    fused path all the same: a capture never changes what a model computes.

    Example:
        >>> attention_wanted()
        False
    """
    if torch.compiler.is_compiling() or not _num_open:
        return False
    return bool(_captures.get())


def emit_attention(
    module: nn.Module,
    name: str,
    maps: Tensor,
    axes: Sequence[str],
    *,
    sample: Rows | None = None,
    crop: Rows | None = None,
    roi: Rows | None = None,
    frames: Sequence[Sequence[int]] | np.ndarray | Tensor | None = None,
    last_steps: int | None = None,
) -> None:
    """Hand out attention maps; does nothing unless a capture of the model is open.

    What is not said of the rows here is taken from :func:`attention_rows`.  A module
    that gives ``sample`` has rows of its own (regions, say), and nothing is taken.

    Args:
        module: The module that computed the maps.
        name: Name of the map inside the module.
        maps: The maps; they are copied.
        axes: One name of :data:`AXES` per axis, ``'row'`` first.
        sample: Index of the video in the batch, per row.
        crop: Index of the crop, per row.
        roi: Index of the region, per row.
        frames: Numbers of the video frames along the axis ``frame``.
        last_steps: How many last steps of the axis ``step`` make the model's score;
            pictures and metrics average these. None for all.

    Shape:
        - maps: :math:`(rows, ...)`
        - sample, crop, roi: :math:`(rows)`
        - frames: :math:`(rows, T)`

    Raises:
        TypeError: If ``maps`` is no tensor, or an index is no integer.
        ValueError: If axes are unknown, repeated or too few, or if the information
            on rows does not fit the rows.  Only seen while a capture is open.

    Example:
        >>> class Head(nn.Module):
        ...     def forward(self, x):
        ...         weights = x.softmax(1)
        ...         emit_attention(self, 'frame_weights', weights, ('row', 'frame'))
        ...         return (weights * x).sum(1)
        >>> model = nn.ModuleDict({'cls_head': Head()})
        >>> with capture_attention(model) as records:
        ...     output = model['cls_head'](torch.zeros(2, 4))
        >>> records[0].name, tuple(records[0].map.shape)
        ('cls_head.frame_weights', (2, 4))
    """
    if torch.compiler.is_compiling() or not _num_open:
        return
    receivers = [
        (capture, _qualified(capture.modules[module], name))
        for capture in _captures.get()
        if module in capture.modules
    ]
    if not receivers:
        return
    axes = _checked_axes(name, maps, axes)
    info = _row_info(sample=sample, crop=crop, roi=roi, frames=frames)
    if sample is None:
        info = {**_rows_of_clips(_rows.get() or {}, maps, axes), **info}
        if frames is None and 'frames' in info and 'frame' in axes:
            size = maps.shape[axes.index('frame')]
            info['frames'] = _every_nth(name, info['frames'], size)
    _check_rows(name, maps, axes, info)
    for capture, full_name in receivers:
        if capture.patterns is None or any(
            fnmatchcase(full_name, pattern) for pattern in capture.patterns
        ):
            device = 'cpu' if capture.to_cpu else maps.device
            copied = maps.detach().to(device, copy=True)
            capture.records.append(
                AttentionRecord(full_name, copied, axes, last_steps=last_steps, **info)
            )


def attention_rows(
    *,
    sample: Rows | None = None,
    crop: Rows | None = None,
    window: Rows | None = None,
    roi: Rows | None = None,
    boxes: Tensor | None = None,
    frames: Sequence[Sequence[int]] | np.ndarray | Tensor | None = None,
) -> contextlib.AbstractContextManager[None]:
    """Say, around a call of a backbone or head, what the rows of its input are.

    A nested call replaces the outer one as a whole: a head that sees sequences
    inside a recognizer whose backbone sees single frames has rows of its own.

    Args:
        sample: Index of the video in the batch, per row.
        crop: Index of the crop of that video, per row.
        window: Index of the window of that video, per row.
        roi: Index of the region of that video, per row.
        boxes: Left, top, right and bottom of that region, in fractions of the frame.
        frames: Numbers of the video frames that each row was made from.  A map with
            fewer frames (a network with a stride in time) gets every n-th of them.

    Shape:
        - sample, crop, window, roi: :math:`(rows)`
        - boxes: :math:`(rows, 4)`
        - frames: :math:`(rows, T)`

    Raises:
        TypeError: If an index is no integer.
        ValueError: If an argument has the wrong number of axes, or if the arguments
            are of different lengths.  Only seen while a capture is open.

    Example:
        >>> with attention_rows(sample=[0, 0, 1], crop=[0, 1, 0]):
        ...     pass
    """
    if torch.compiler.is_compiling() or not _num_open:
        return contextlib.nullcontext()
    info = _row_info(sample=sample, crop=crop, window=window, roi=roi, frames=frames)
    if boxes is not None:
        info['boxes'] = _checked_boxes(boxes)
    lengths = {key: len(value) for key, value in info.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f'expected attention_rows of one length, got {lengths}')
    return _use_rows(info)


@contextlib.contextmanager
def _use_rows(info: dict[str, Any]) -> Iterator[None]:
    token = _rows.set(info)
    try:
        yield
    finally:
        _rows.reset(token)


@contextlib.contextmanager
def capture_attention(
    model: nn.Module, *, names: str | Sequence[str] | None = None, to_cpu: bool = True
) -> Iterator[AttentionRecords]:
    """Record what the modules of a model hand out in this thread.

    The records stay valid after the block.  A capture inside another gets the maps
    too, and so does the outer one.  Other threads and processes are not seen: with
    several GPUs each process has the maps of its own videos.

    Args:
        model: The model; wrappers (DistributedDataParallel, ``torch.compile``) leave
            no trace in the names.
        names: Shell patterns on the names of records, as in ``'backbone.*'``; None
            takes all.
        to_cpu: Whether maps are moved to the CPU, which waits for the GPU.

    Raises:
        TypeError: If ``model`` is no module.

    Example:
        >>> with capture_attention(nn.Linear(2, 3)) as records:
        ...     pass
        >>> len(records)
        0
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f'expected a torch module to capture, got {type(model)}')
    patterns = (names,) if isinstance(names, str) else names
    modules: dict[nn.Module, str] = {}
    _collect(model, '', modules)
    capture = _Capture(modules, patterns, to_cpu)
    _open_one()
    token = _captures.set((*_captures.get(), capture))
    try:
        yield capture.records
    finally:
        _close_one()
        _captures.reset(token)


def _open_one() -> None:
    global _num_open, _stance
    with _lock:
        if _num_open == 0:
            _stance = torch.compiler.set_stance('force_eager')
        _num_open += 1


def _close_one() -> None:
    global _num_open, _stance
    with _lock:
        _num_open -= 1
        if _num_open == 0:
            _stance.__exit__(None, None, None)


def _collect(module: nn.Module, name: str, found: dict[nn.Module, str]) -> None:
    """Map each module below ``module`` to its name without wrappers."""
    found.setdefault(module, name)
    for child_name, child in module.named_children():
        wrapped = child_name == '_orig_mod' or (
            child_name == 'module' and is_model_wrapper(module)
        )
        _collect(child, name if wrapped else _qualified(name, child_name), found)


def _qualified(prefix: str, name: str) -> str:
    return f'{prefix}.{name}' if prefix else name


def _checked_axes(name: str, maps: Tensor, axes: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(maps, Tensor):
        raise TypeError(f"expected a tensor as map '{name}', got {type(maps)}")
    axes = tuple(axes)
    unknown = [axis for axis in axes if axis not in AXES]
    if unknown:
        raise ValueError(
            f"expected axes of the map '{name}' among {list(AXES)}, got {unknown}"
        )
    if len(axes) != maps.ndim or len(set(axes)) != len(axes):
        raise ValueError(
            f"expected one name per axis of the map '{name}' of shape "
            f'{tuple(maps.shape)}, each once, got {axes}'
        )
    if axes[:1] != ('row',):
        raise ValueError(
            f"expected 'row' as first axis of the map '{name}', got {axes}"
        )
    return axes


def _integers(key: str, values: Any, ndim: int) -> Tensor:
    tensor = torch.as_tensor(values, device='cpu')
    if tensor.numel() and (tensor.is_floating_point() or tensor.dtype == torch.bool):
        raise TypeError(f"expected integers in '{key}', got {tensor.dtype}")
    if tensor.ndim != ndim:
        raise ValueError(
            f"expected '{key}' with {ndim} axes, got shape {tuple(tensor.shape)}"
        )
    return tensor.detach().to(torch.long, copy=True)


def _checked_boxes(boxes: Tensor) -> Tensor:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"expected 'boxes' (rows, 4), got shape {tuple(boxes.shape)}")
    return boxes.detach().to('cpu', torch.float32, copy=True)


def _row_info(**values: Any) -> dict[str, Any]:
    """Check what is given of the rows; what is None is left out."""
    given: dict[str, Any] = {}
    for key, value in values.items():
        if key == 'frames' and value is not None:
            given[key] = _integers(key, value, 2)
        elif value is not None:
            given[key] = tuple(_integers(key, value, 1).tolist())
    return given


def _rows_of_clips(
    rows: dict[str, Any], maps: Tensor, axes: tuple[str, ...]
) -> dict[str, Any]:
    """Say of clips what is said of their frames: T rows in a row are one of the map."""
    T = maps.shape[axes.index('frame')] if 'frame' in axes else 1
    frames = rows.get('frames')
    if any(len(value) != T * maps.shape[0] for value in rows.values()) or (
        frames is not None and frames.shape[1] != 1
    ):
        return rows
    clips = {key: value[::T] for key, value in rows.items()}
    return clips if frames is None else {**clips, 'frames': frames.view(-1, T)}


def _every_nth(name: str, frames: Tensor, size: int) -> Tensor:
    """Pick the frames that a network with a stride in time has kept."""
    count = frames.shape[1]
    stride = max(1, -(-count // max(1, size)))
    if len(range(0, count, stride)) != size:
        raise ValueError(
            f'expected {count} frames of attention_rows, or every n-th of them, in the '
            f"map '{name}', got {size}"
        )
    return frames[:, ::stride].clone()


def _check_rows(
    name: str, maps: Tensor, axes: tuple[str, ...], info: dict[str, Any]
) -> None:
    for key, value in info.items():
        if len(value) != maps.shape[0]:
            raise ValueError(
                f"expected {maps.shape[0]} values of '{key}', one per row of the map "
                f"'{name}', got {len(value)}"
            )
    if 'frames' in info and 'frame' in axes:
        size, count = maps.shape[axes.index('frame')], info['frames'].shape[1]
        if count != size:
            raise ValueError(
                f"expected {size} frames per row of the map '{name}', got {count}"
            )
