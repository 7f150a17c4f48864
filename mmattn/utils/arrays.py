"""Files of arrays, of which a damaged one is named, and places in a list."""

import errno
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from mmattn.utils.files import replaced_atomically

BROKEN = (  # what NumPy and the zip under it raise on damaged files
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz file; nothing in it is ever unpickled.

    Args:
        path: The file.

    Returns:
        Arrays by name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no npz of numbers, or damaged, naming the file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), 'a.npz')
        >>> np.savez(path, weights=np.ones(3))
        >>> read_npz(path)['weights'].tolist()
        [1.0, 1.0, 1.0]
    """
    cause: Exception
    try:
        # opened here, since NumPy leaves broken files open
        with open(path, 'rb') as file, np.load(file, allow_pickle=False) as arrays:
            found = dict(arrays)
            size = os.fstat(file.fileno()).st_size
        if not found and size > zipfile.sizeEndCentDir:  # type: ignore[attr-defined]
            raise ValueError('no list of its arrays')
        return found
    except BROKEN as error:
        cause = error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the start of the file
            raise
        cause = error
    raise ValueError(
        f'{path}: expected a whole npz of arrays of numbers, got: {cause or "a part"}'
    ) from cause


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array as ``.npy``, whole or not at all.

    Args:
        path: File to write; its folder is made.
        array: The array.
    """
    with replaced_atomically(path) as part, part.open('wb') as file:
        np.save(file, array)


def evenly(count: int, most: int) -> list[int]:
    """Return some of the positions of a list, at equal distances.

    Args:
        count: Length of the list.
        most: How many at most, at least 1.

    Example:
        >>> evenly(9, 3), evenly(2, 3)
        ([0, 4, 8], [0, 1])
    """
    places = np.linspace(0, count - 1, min(count, most))
    return places.round().astype(int).tolist()
