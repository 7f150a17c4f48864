"""Packing of samples with all that is known of their frames."""

from collections.abc import Sequence

import numpy as np
from mmaction.datasets.transforms import PackActionInputs

from mmattn.registry import TRANSFORMS

META_KEYS = (
    'img_shape',
    'img_key',
    'video_id',
    'timestamp',
    'num_clips',
    'clip_len',
    'frame_interval',
    'frame_inds',
    'frame_indices',
    'num_windows',
    'window_frames',
    'original_shape',
    'crop_quadruple',
    'flip',
)


@TRANSFORMS.register_module()
class PackClipInputs(PackActionInputs):
    """Pack a sample with all that our models, metrics and pictures read of it.

    MMAction2's ``PackActionInputs`` keeps only what its ``meta_keys`` name; this one
    always keeps how many clips of how many frames there are, which frames of the video
    they show, and what was cut out of them. Frames are counted from 0, wherever
    numbers of files start: ``frame_inds`` are all of them, ``frame_indices`` the first
    of each clip, as :class:`SampleWindows` has them.

    Required keys: imgs; what else is there is kept.

    Args:
        meta_keys: Further keys to keep in the metainfo.
        algorithm_keys: As in MMAction2.

    Raises:
        TypeError: If ``meta_keys`` is one string.

    Example:
        >>> sample = {'imgs': np.zeros((2, 3, 4, 4), np.uint8), 'num_clips': 2}
        >>> sample |= {'frame_inds': np.array([1, 5]), 'clip_len': 1, 'start_index': 1}
        >>> PackClipInputs()(sample)['data_samples'].frame_inds.tolist()
        [0, 4]
    """

    def __init__(
        self, meta_keys: Sequence[str] = (), algorithm_keys: Sequence[str] = ()
    ) -> None:
        if isinstance(meta_keys, str):
            raise TypeError(f'meta_keys: expected a list of keys, got {meta_keys!r}')
        super().__init__(
            meta_keys=tuple(dict.fromkeys((*META_KEYS, *meta_keys))),
            algorithm_keys=algorithm_keys,
        )

    def transform(self, results: dict) -> dict:
        """Pack the sample.

        Args:
            results: The sample.
        """
        results = dict(results)
        if 'frame_inds' in results:
            positions = np.ravel(results['frame_inds']) - results.get('start_index', 0)
            results['frame_inds'] = positions
            first = positions[:: results.get('clip_len', 1)]
            results.setdefault('frame_indices', first)
        return super().transform(results)
