"""Plain data from pickles, without executing what they ask for.

A pickle names functions to call and objects to fill.  The only names that are served
here are those by which NumPy, PyTorch and the standard library write arrays, tensors
and dictionaries, and what they stand for are functions of this module: they check
every argument before memory is touched.  :func:`load_pickle` and
``torch.load(weights_only=True)`` use the same ones.
"""

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

NUMBERS = (
    *('b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8'),
    *('f2', 'f4', 'f8', 'c8', 'c16'),
)
DTYPE_STATE = (None, None, None, -1, -1, 0)  # no fields, no sub-array, no metadata
OPCODES = (
    'PROTO FRAME STOP MARK POP POP_MARK GLOBAL STACK_GLOBAL REDUCE BUILD '
    'NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT '
    'STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 '
    'BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_LIST LIST APPEND APPENDS '
    'EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS '
    'GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE'
)


class PlainDtype:
    """The type of numbers that a pickle names, in place of a ``numpy.dtype``.

    Args:
        name: One of :data:`NUMBERS`.
        align: What NumPy writes; means nothing here.
        copy: What NumPy writes; means nothing here.
    """

    __slots__ = ('dtype',)
    dtype: np.dtype

    def __new__(cls, name: str, align: Any = False, copy: Any = True) -> 'PlainDtype':
        """Look the name up; nothing but a name makes a type."""
        if type(name) is not str or name not in NUMBERS:
            raise pickle.UnpicklingError(
                f'expected an array of numbers ({", ".join(NUMBERS)}), got '
                f'the type {name!r}'
            )
        self = super().__new__(cls)
        self.dtype = np.dtype(name)
        return self

    def __setstate__(self, state: Any) -> None:
        """Take over the order of the bytes, the only state of a plain type."""
        if (
            not isinstance(state, tuple)
            or state[:1] != (3,)
            or state[1:2] not in (('<',), ('>',), ('|',), ('=',))
            or state[2:] != DTYPE_STATE
        ):
            raise pickle.UnpicklingError(
                f'expected a type of plain numbers, got the state {state!r}'
            )
        self.dtype = self.dtype.newbyteorder(state[1])


class PlainArray(np.ndarray):
    """Array that a pickle fills once, after what it brings has been checked."""

    __slots__ = ()

    def __new__(cls) -> 'PlainArray':
        """Start empty; the content comes as state."""
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state: Any) -> None:
        """Take over shape, type and bytes that fit each other."""
        if not isinstance(state, tuple) or len(state) != 5 or state[0] != 1:
            raise pickle.UnpicklingError('expected version, shape, type, order, bytes')
        _, shape, kind, is_fortran, content = state
        if self.shape != (0,) or self.dtype != np.int8:
            raise pickle.UnpicklingError('expected an array to be filled once')
        dtype = _checked(kind, shape, content)
        checked: Any = (1, shape, dtype, bool(is_fortran), bytes(content))
        super().__setstate__(checked)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Be written again as the usual array."""
        return self.view(np.ndarray).__reduce_ex__(protocol)


def _checked(kind: Any, shape: Any, content: Any) -> np.dtype:
    if type(kind) is not PlainDtype:
        raise pickle.UnpicklingError(f'expected the type of an array, got {kind!r}')
    if type(content) not in (bytes, bytearray):
        raise pickle.UnpicklingError(f'expected bytes, got {type(content).__name__}')
    _require_naturals('shape', shape)
    expected = math.prod(shape) * kind.dtype.itemsize
    if expected != len(content):
        raise pickle.UnpicklingError(
            f'expected {expected} bytes of an array {shape} of {kind.dtype}, got '
            f'{len(content)}'
        )
    return kind.dtype


def _require_naturals(name: str, numbers: Any) -> None:
    """Require what a shape can be: few whole numbers that fit an address."""
    if (
        not isinstance(numbers, tuple)
        or len(numbers) > 32  # what each NumPy can hold
        or any(type(number) is not int for number in numbers)
        or not all(0 <= number < 2**40 for number in numbers)
        or math.prod(max(number, 1) for number in numbers) >= 2**56
    ):
        raise pickle.UnpicklingError(f'expected a {name} of sizes, got {numbers!r}')


def _reconstruct(kind: Any, shape: Any, code: Any) -> PlainArray:
    if kind is not PlainArray or shape != (0,) or code not in (b'b', 'b'):
        raise pickle.UnpicklingError(
            f'expected an empty array to fill, got {(kind, shape, code)!r}'
        )
    return PlainArray()


def _scalar(kind: Any, content: Any) -> Any:
    return np.frombuffer(content, _checked(kind, (1,), content))[0]


def _frombuffer(
    content: Any, kind: Any, shape: Any, order: Any, axis_order: Any = None
) -> np.ndarray:
    if order not in ('C', 'F', 'K'):
        raise pickle.UnpicklingError(f"expected the order 'C', 'F' or 'K', got {order}")
    dtype = _checked(kind, shape, content)
    array = np.frombuffer(bytes(content), dtype).copy()
    if axis_order is None:
        return array.reshape(shape, order='F' if order == 'F' else 'C')
    _require_naturals('axis order', axis_order)
    return array.reshape(shape).transpose(axis_order)


def _latin1_bytes(text: Any, encoding: Any) -> bytes:
    """What protocol 2, in which MMEngine dumps, calls to make bytes."""
    if type(text) is not str or encoding != 'latin1':
        raise pickle.UnpicklingError(f"expected the codec 'latin1', got {encoding!r}")
    return text.encode('latin1')


def _no_bytes() -> bytes:
    """What protocol 2 calls to make ``b''``."""
    return b''


def _ordered() -> OrderedDict:
    return OrderedDict()


def _size(sizes: Any) -> torch.Size:
    _require_naturals('size', sizes)
    return torch.Size(sizes)


def _storage(content: Any) -> torch.storage.TypedStorage:
    if type(content) is not bytes:
        raise pickle.UnpicklingError(f'expected bytes, got {type(content).__name__}')
    storage = torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)
    if type(storage) is not torch.storage.TypedStorage:
        raise pickle.UnpicklingError(f'expected a storage, got {type(storage)}')
    return storage


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    hooks: Any,
    metadata: Any = None,
) -> torch.Tensor:
    """A tensor without gradient and hooks, all of whose elements are in the storage."""
    del requires_grad, hooks
    if type(storage) is not torch.storage.TypedStorage or metadata:
        raise pickle.UnpicklingError(
            f'expected a tensor over a storage, got {type(storage)}, {metadata}'
        )
    _require_naturals('offset', (offset,))
    _require_naturals('size', size)
    _require_naturals('stride', stride)
    count, room = math.prod(size), storage._size()
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=False))
    if len(size) != len(stride) or (count and (last >= room or count > room)):
        raise pickle.UnpicklingError(
            f'expected a tensor inside its storage of {room} elements, got '
            f'offset {offset}, size {size}, stride {stride}'
        )
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


ARRAYS: dict[str, Callable[..., Any]] = {
    'numpy.ndarray': PlainArray,
    'numpy.dtype': PlainDtype,
    **{
        f'numpy.{core}.{name}': function
        for core in ('core', '_core')  # before and since NumPy 2
        for name, function in (
            ('multiarray._reconstruct', _reconstruct),
            ('multiarray.scalar', _scalar),
            ('numeric._frombuffer', _frombuffer),
        )
    },
}
"""What a pickle names to write NumPy's arrays, and what it gets."""

PLAIN: dict[str, Callable[..., Any]] = {
    **ARRAYS,
    '_codecs.encode': _latin1_bytes,
    'builtins.bytes': _no_bytes,
    '__builtin__.bytes': _no_bytes,
    'collections.OrderedDict': _ordered,
    'torch.Size': _size,
    'torch._utils._rebuild_tensor_v2': _tensor,
    'torch.storage._load_from_bytes': _storage,
}
"""What :func:`load_pickle` serves; torch brings its own of the others."""

_BASE: Any = pickle._Unpickler  # type: ignore[attr-defined]  # the one in Python


class _Opcodes(dict):
    def __missing__(self, code: int) -> Any:
        raise pickle.UnpicklingError(f'expected plain data, got the opcode {code:#x}')


class _Unpickler(_BASE):
    """Unpickler of a few opcodes that fills only arrays, lists and dictionaries."""

    dispatch = _Opcodes(
        (code, _BASE.dispatch[code])
        for code in (getattr(pickle, name)[0] for name in OPCODES.split())
    )

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return PLAIN[f'{module}.{name}']
        except KeyError:
            raise pickle.UnpicklingError(
                f'expected arrays, tensors and builtin containers, got {module}.{name}'
            ) from None

    def load_build(self) -> None:
        target = self.stack[-2]
        if type(target) not in (PlainArray, PlainDtype):
            raise pickle.UnpicklingError(
                f'expected the state of an array, got one of {type(target)}'
            )
        target.__setstate__(self.stack.pop())

    def load_append(self) -> None:
        self._require_list(self.stack[-2])
        _BASE.load_append(self)

    def load_appends(self) -> None:
        self._require_list(self.metastack[-1][-1])
        _BASE.load_appends(self)

    def load_setitem(self) -> None:
        self._require_dict(self.stack[-3], self.stack[-2:-1])
        _BASE.load_setitem(self)

    def load_setitems(self) -> None:
        self._require_dict(self.metastack[-1][-1], self.stack[::2])
        _BASE.load_setitems(self)

    def load_dict(self) -> None:
        self._require_dict({}, self.stack[::2])
        _BASE.load_dict(self)

    @staticmethod
    def _require_list(target: Any) -> None:
        if type(target) is not list:
            raise pickle.UnpicklingError(f'expected a list, got {type(target)}')

    @staticmethod
    def _require_dict(target: Any, keys: list) -> None:
        """Keys in keys in keys would overflow the stack where they are hashed."""
        plain = (str, bytes, int, float, bool, type(None))
        for key in keys:
            parts = key if type(key) is tuple else (key,)
            if not all(isinstance(part, (*plain, np.generic)) for part in parts):
                raise pickle.UnpicklingError(
                    f'expected names or numbers as keys, got {type(key)}'
                )
        if type(target) not in (dict, OrderedDict):
            raise pickle.UnpicklingError(f'expected a dictionary, got {type(target)}')

    dispatch |= {
        pickle.BUILD[0]: load_build,
        pickle.APPEND[0]: load_append,
        pickle.APPENDS[0]: load_appends,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
    }


def load_pickle(path: str | Path) -> Any:
    """Read a pickle file that may hold only plain data.

    Args:
        path: File of arrays of numbers, CPU tensors, lists, tuples, dictionaries,
            numbers and strings.

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
            f'{path}: expected a pickle of plain data, got: '
            f'{str(error) or type(error).__name__}'
        ) from error
