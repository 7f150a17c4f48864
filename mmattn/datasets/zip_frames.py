"""Folders of frames packed into one file each."""

import os
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from mmengine.fileio import BaseStorageBackend
from mmengine.fileio.file_client import FileClient


class ZipFrames(BaseStorageBackend):
    """Read ``<folder>/<frame>`` from ``<folder>.zip``, for ``RawFrameDecode``.

    Lists and ``data_prefix`` are those of folders; the step says where frames are:
    ``dict(type='RawFrameDecode', io_backend='zip')``.

    Raises:
        OSError: If there is no such file, or no such frame in it.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> with ZipFile(root / 'clip.zip', 'w') as file:
        ...     file.writestr('flow_x_00001.jpg', b'jpg')
        >>> ZipFrames().get(root / 'clip' / 'flow_x_00001.jpg')
        b'jpg'
    """

    def __init__(self) -> None:
        self._key: tuple[int, Path] | None = None
        self._file: ZipFile | None = None

    def get(self, filepath: str | Path) -> bytes:
        """Return the content of a frame.

        Args:
            filepath: Path that the frame would have in a folder.
        """
        path = Path(filepath)
        packed = path.parent.with_name(f'{path.parent.name}.zip')
        try:
            return self._open(packed).read(path.name)
        except (BadZipFile, KeyError) as error:
            raise OSError(f'expected {path.name} in {packed}, got: {error}') from error

    def get_text(self, filepath: str | Path, encoding: str = 'utf-8') -> str:
        """Return the content of a text file.

        Args:
            filepath: Path that the file would have in a folder.
            encoding: Its encoding.
        """
        return self.get(filepath).decode(encoding)

    def _open(self, packed: Path) -> ZipFile:
        key = (os.getpid(), packed)  # forked processes would share a position
        if self._file is None or key != self._key:
            self._key = None
            self._file = ZipFile(packed)
            self._key = key
        return self._file


FileClient.register_backend('zip', ZipFrames)
