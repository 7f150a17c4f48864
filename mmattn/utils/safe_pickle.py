"""Read pickle files of plain data without executing what they ask for."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch


def _storage(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """What protocol 2, in which MMEngine dumps, calls to make bytes."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f"expected the codec 'latin1', got {encoding!r}")
    return text.encode('latin1')


def _allowed() -> dict[tuple[str, str], Any]:
    core: Any = getattr(np, '_core', None) or np.core
    multiarray = core.multiarray
    allowed: dict[tuple[str, str], Any] = {
        ('_codecs', 'encode'): _latin1_bytes,
        ('collections', 'OrderedDict'): OrderedDict,
        ('numpy', 'ndarray'): np.ndarray,
        ('numpy', 'dtype'): np.dtype,
        ('torch', 'Size'): torch.Size,
        ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
        ('torch.storage', '_load_from_bytes'): _storage,
    }
    for builtin in (bytearray, bytes, complex, frozenset, set, slice):
        for module in ('builtins', '__builtin__'):  # the name in protocols up to 2
            allowed[module, builtin.__name__] = builtin
    for package in ('numpy.core', 'numpy._core'):
        for name in ('_reconstruct', 'scalar'):
            function = getattr(multiarray, name)
            allowed[f'{package}.multiarray', name] = function
        allowed[f'{package}.numeric', '_frombuffer'] = core.numeric._frombuffer
    return allowed


class _Unpickler(pickle.Unpickler):
    """Unpickler that finds only the classes of arrays and containers."""

    allowed = _allowed()

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'expected arrays, tensors and builtin containers, got {module}.{name}'
            ) from None


def load_pickle(path: str | Path) -> Any:
    """Read a pickle file that may hold only plain data.

    Args:
        path: File of arrays, CPU tensors, builtin containers, numbers and strings.

    Returns:
        What the file holds.

    Raises:
        ValueError: If the file is missing, broken or asks for anything else.
    """
    try:
        with open(path, 'rb') as file:
            return _Unpickler(file).load()
    except Exception as error:  # a broken file can make the unpickler raise anything
        raise ValueError(
            f'{path}: expected a pickle of plain data, got: {error}'
        ) from error
