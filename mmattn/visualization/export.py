"""Attention records as files: JSON to read, npz with the maps themselves."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmattn.attention.records import ROW_INFO, AttentionRecord, AttentionRecords
from mmattn.utils.arrays import read_npz
from mmattn.utils.files import write_json
from mmattn.utils.text import read_json

FORMAT = 'mmattn.attention'
VERSION = 1
DEFAULT_STEM = 'attention'


def save_records(
    records: Iterable[AttentionRecord],
    path: str | Path,
    *,
    fps: float | None = None,
    max_values: int = 4096,
) -> Path:
    """Write attention records as a JSON file and an npz file beside it.

    The JSON file says of each record its name, axes and shape, what is known of its
    rows, and lists the values of small maps.  Values that are no numbers are null in
    it.  The npz file holds every map as it is; bfloat16, which NumPy does not know,
    is stored as float32.

    Args:
        records: What :func:`mmattn.attention.capture.capture_attention` recorded.
        path: A name that ends in ``.json`` or ``.npz``, or else a folder, in which
            ``attention.json`` and ``attention.npz`` are written.
        fps: Frames per second of the videos; with it, times in seconds are written
            beside the frame numbers.
        max_values: Largest number of values that the JSON file lists for one map.

    Returns:
        The JSON file.

    Raises:
        ValueError: If ``fps`` is not positive.

    Example:
        >>> import tempfile
        >>> record = AttentionRecord('head.w', torch.rand(1, 4), ('row', 'frame'))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_records([record], folder).name
        ...     load_records(folder)[0].axes
        'attention.json'
        ('row', 'frame')
    """
    if fps is not None and not (fps > 0 and math.isfinite(fps)):
        raise ValueError(f'expected fps above 0, got {fps}')
    json_file = _json_file(path)
    json_file.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    entries = []
    for index, record in enumerate(records):
        key = f'map_{index}'
        arrays[key] = _to_array(record.map)
        entries.append(_entry(record, arrays[key], key, fps, max_values))
    npz_file = json_file.with_suffix('.npz')
    np.savez_compressed(npz_file, **arrays)
    content = {
        'format': FORMAT,
        'version': VERSION,
        'maps': npz_file.name,
        'fps': fps,
        'records': entries,
    }
    return write_json(json_file, content)


def load_records(path: str | Path) -> AttentionRecords:
    """Read the records that :func:`save_records` wrote.

    Args:
        path: The folder, the JSON file, or the npz file.

    Raises:
        FileNotFoundError: If one of the two files is missing.
        ValueError: If the file is of another format, or if the two do not fit.
    """
    json_file = _json_file(path)
    content = read_json(json_file)
    if not isinstance(content, dict):
        raise ValueError(f'{json_file}: expected {FORMAT}, got {content!r:.60}')
    found = (content.get('format'), content.get('version'))
    if found != (FORMAT, VERSION):
        raise ValueError(f'expected {(FORMAT, VERSION)} in {json_file}, got {found}')
    arrays = read_npz(json_file.with_suffix('.npz'))
    records = AttentionRecords()
    for number, entry in enumerate(_entries(json_file, content)):
        array = arrays.get(entry['array'])
        if array is None or list(array.shape) != entry['shape']:
            shape = None if array is None else array.shape
            raise ValueError(
                f"expected '{entry['array']}' of shape {entry['shape']} beside "
                f'{json_file}, got {shape}'
            )
        try:
            records.append(_record(entry, array))
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as e:
            raise ValueError(
                f'{json_file}: expected record {number} as it was saved, got: {e}'
            ) from e
    return records


def _entries(json_file: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of the records, each with all its keys and names."""
    entries = content.get('records')
    if not isinstance(entries, list) or not all(isinstance(x, dict) for x in entries):
        raise ValueError(
            f'{json_file}: expected a list of records, got {entries!r:.60}'
        )
    needed = ('name', 'axes', 'shape', 'dtype', 'array', 'frames', *ROW_INFO)
    for number, entry in enumerate(entries):
        missing = [key for key in needed if key not in entry]
        if missing:
            raise ValueError(
                f'{json_file}: expected {missing[0]!r} in record {number}, got none'
            )
        if not all(isinstance(entry[key], str) for key in ('name', 'array')):
            raise ValueError(
                f'{json_file}: expected names in record {number}, got '
                f'{entry["name"]!r} and {entry["array"]!r}'
            )
    return entries


def _json_file(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix in ('.json', '.npz'):
        return path.with_suffix('.json')
    return path / f'{DEFAULT_STEM}.json'


def _to_array(maps: Tensor) -> np.ndarray:
    maps = maps.detach().cpu()
    return (maps.float() if maps.dtype == torch.bfloat16 else maps).numpy()


def _entry(
    record: AttentionRecord, array: np.ndarray, key: str, fps: float | None, limit: int
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        'name': record.name,
        'axes': list(record.axes),
        'shape': list(array.shape),
        'dtype': str(record.map.dtype).removeprefix('torch.'),
        'array': key,
        'last_steps': record.last_steps,
    }
    for name in ROW_INFO:
        value = getattr(record, name)
        entry[name] = None if value is None else list(value)
    frames = record.frames
    entry['frames'] = None if frames is None else frames.tolist()
    entry['boxes'] = None if record.boxes is None else record.boxes.tolist()
    if fps is not None and frames is not None:
        entry['times'] = (frames.double() / fps).round(decimals=6).tolist()
    if array.size <= limit:
        entry['values'] = _plain_values(array)
    return entry


def _plain_values(array: np.ndarray) -> Any:
    """Nest the values in lists, each as short as its type allows, or None."""
    if array.ndim:
        return [_plain_values(part) for part in array]
    value = float(str(array))
    return value if math.isfinite(value) else None


def _record(entry: dict[str, Any], array: np.ndarray) -> AttentionRecord:
    known = {
        name: None if entry[name] is None else tuple(entry[name]) for name in ROW_INFO
    }
    frames, boxes = entry['frames'], entry.get('boxes')
    return AttentionRecord(
        entry['name'],
        torch.from_numpy(array).to(getattr(torch, entry['dtype'])),
        tuple(entry['axes']),
        frames=None if frames is None else torch.tensor(frames, dtype=torch.long),
        boxes=None if boxes is None else torch.tensor(boxes).reshape(-1, 4),
        last_steps=entry.get('last_steps'),
        **known,
    )
