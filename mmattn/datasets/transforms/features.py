"""Reading stored per-frame features."""

import os

import numpy as np
from mmcv.transforms import BaseTransform

from mmattn.registry import TRANSFORMS

from ..base import BrokenVideoError


def open_features(path: str) -> np.ndarray:
    """Open a feature file without reading its rows.

    The file is mapped into memory; nothing in it is ever unpickled.

    Args:
        path: An ``.npy`` file.

    Shape:
        (frames, C), or maps (frames, C, h, w), float16 or float32.

    Raises:
        BrokenVideoError: If the file is missing, damaged, or holds something else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f'{folder}/v.npy', np.eye(3, dtype=np.float16))
        ...     open_features(f'{folder}/v.npy').shape
        (3, 3)
    """
    try:
        array = np.lib.format.open_memmap(path, mode='r')
        size, expected = os.path.getsize(path), array.offset + array.nbytes
        if size != expected:
            raise ValueError(f'expected {expected} bytes, got {size}')
    except Exception as error:
        # Damaged headers make NumPy's parser raise TokenError, TypeError and others.
        raise BrokenVideoError(f'{path}: {error}') from error
    typed = array.dtype in (np.float16, np.float32)
    if array.ndim not in (2, 4) or not typed or not array.size:
        raise BrokenVideoError(
            f'{path}: expected a non-empty array (frames, C) or (frames, C, h, w) of '
            f'float16 or float32, got shape {array.shape} of {array.dtype}'
        )
    return array


@TRANSFORMS.register_module()
class LoadFeatures(BaseTransform):
    """Read the features of the sampled frames.

    Takes the place of decoding: ``imgs`` becomes the rows ``frame_inds`` of the file
    as float32, which :class:`PackClipInputs` packs as ``inputs``.  A stored flow
    feature already covers its stack of fields, so ``clip_len`` must be 1.

    Required keys: filename, frame_inds, clip_len.  Added keys: imgs, input_shape.

    Shape:
        imgs: (windows * window_frames, C), or maps with (C, h, w) in place of C.

    Raises:
        ValueError: If ``clip_len`` is not 1.
        BrokenVideoError: If the file is damaged or a feature is not finite.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f'{folder}/v.npy'
        ...     np.save(path, np.eye(3, dtype=np.float16))
        ...     LoadFeatures()(
        ...         {'filename': path, 'frame_inds': np.array([2]), 'clip_len': 1}
        ...     )['imgs']
        array([[0., 0., 1.]], dtype=float32)
    """

    reads_files = True

    def transform(self, results: dict) -> dict:
        """Read the rows.

        Args:
            results: The sample.
        """
        if results['clip_len'] != 1:
            raise ValueError(
                'expected `clip_len=1` in the sampling step before LoadFeatures, '
                f'got {results["clip_len"]}'
            )
        rows = open_features(results['filename'])[results['frame_inds']]
        imgs = np.array(rows, dtype=np.float32)
        if not np.isfinite(imgs).all():
            raise BrokenVideoError(
                f'{results["filename"]}: expected finite features, got nan or inf'
            )
        results['imgs'] = imgs
        results['input_shape'] = imgs.shape
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
