"""Whether attention looks at the right frames and places."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmattn.evaluation.functional.attention import (
    box_in_crop,
    mass_in_boxes,
    mass_on_frames,
    pointing_game,
    pointing_uniform,
)
from mmattn.registry import METRICS
from mmattn.utils.attention_layers import (
    AttentionLayer,
    Picks,
    attention_layers,
    check_picks,
    located,
)
from mmattn.utils.attention_records import AttentionRecords

NEEDED = ('original_shape', 'crop_quadruple')
HOOK = 'mmattn.AttentionCaptureHook'


@METRICS.register_module()
class AttentionQuality(BaseMetric):
    """Compare attention maps with boxes and key frames, each beside its uniform value.

    Needs ``dict(type='mmattn.AttentionCaptureHook')`` among the ``custom_hooks``, and
    for boxes ``original_shape`` and ``crop_quadruple`` among the ``meta_keys`` of
    ``PackActionInputs``. Each value is a mean over frames, then over videos; it is
    named after the map:

    ========================================  =====================================
    ``<map>/pointing``, ``pointing_uniform``  frames whose maximum is in the box
    ``<map>/box_mass``, ``box_mass_uniform``  share of the frame's weight in the box
    ``<map>/key_mass``, ``key_mass_uniform``  share of the video's weight on key frames
    ========================================  =====================================

    Args:
        ground_truth: Folder with a file ``<video>.npz`` for each video, as the
            synthetic data sets have. It holds ``boxes`` (T, 4), left, top, right and
            bottom in pixels of the video, NaN where a frame has none, or ``key``
            (T,), whether a frame shows the action, or both.
        names: Patterns of the maps, such as ``'cls_head.*'``; all by default.
        picks: Index along an axis that is averaged otherwise, see
            :func:`~mmattn.utils.attention_layers.attention_layers`.
        last_steps: Average over this many last steps of an axis ``step``.
        collect_device: As in MMEngine.
        prefix: Prefix of the metrics' names, ``'attention'`` by default.

    Raises:
        ValueError: If the folder, a video's file or meta information is missing, or the
            model hands out no such map.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.AttentionQuality',
        ...     ground_truth='data/keyframes/ground_truth', names=['cls_head.*'])
    """

    default_prefix = 'attention'

    def __init__(
        self,
        ground_truth: str,
        *,
        names: Sequence[str] = ('*',),
        picks: Picks | None = None,
        last_steps: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not Path(ground_truth).is_dir():
            raise ValueError(f'ground_truth: expected a folder, got {ground_truth!r}')
        check_picks(picks)
        self.folder = Path(ground_truth)
        self.names = tuple(names)
        self.picks = picks
        self.last_steps = last_steps
        self.records: AttentionRecords | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Compare the maps of each video of a batch."""
        if self.records is None:
            raise ValueError(
                f'custom_hooks: expected dict(type={HOOK!r}) for AttentionQuality, got '
                'none'
            )
        for index, sample in enumerate(data_samples):
            truth = self._truth(sample)
            layers = self._layers(sample, index, len(data_samples))
            self.results.append(
                {layer.name: _compared(layer, truth, sample) for layer in layers}
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average over the videos in which a value exists."""
        values: dict[str, list[float]] = {}
        for video in results:
            for layer, found in video.items():
                for key, value in found.items():
                    values.setdefault(f'{layer}/{key}', []).append(value)
        return {key: float(np.mean(one)) for key, one in values.items()}

    def _truth(self, sample: dict) -> dict[str, np.ndarray]:
        path = self.folder / f'{Path(str(sample["video_id"])).name}.npz'
        if not path.is_file():
            raise ValueError(f'ground_truth: expected a file {path}, got none')
        with np.load(path) as content:
            truth = {key: content[key] for key in ('boxes', 'key') if key in content}
        if not truth:
            raise ValueError(f'{path}: expected boxes or key, got neither')
        return truth

    def _layers(self, sample: dict, index: int, count: int) -> list[AttentionLayer]:
        assert self.records is not None
        wanted = AttentionRecords(
            record
            for record in self.records
            if any(record in self.records.by_name(name) for name in self.names)
        )
        if not wanted:
            names = sorted({record.name for record in self.records})
            raise ValueError(
                f'names: expected some of the maps {names}, got {self.names}'
            )
        if count > 1:
            wanted = wanted.by_sample(index)
        rows = np.asarray(sample.get('frame_inds', [[0]]))
        wanted = located(wanted, rows.reshape(-1, int(sample.get('clip_len', 1))))
        layers = [
            layer
            for record in wanted
            for layer in attention_layers(
                record, picks=self.picks, last_steps=self.last_steps
            )
            if layer.roi is None
        ]
        if not layers:
            raise ValueError(
                'names: expected maps of frames or places, with "frame_inds" and '
                '"clip_len" or "frame_indices" among the meta_keys, got '
                f'{[record.name for record in wanted]}'
            )
        return layers


def _compared(
    layer: AttentionLayer, truth: dict[str, np.ndarray], sample: dict
) -> dict[str, float]:
    found = {}
    if 'key' in truth and layer.weights is not None:
        share, uniform = mass_on_frames(layer.weights, truth['key'][layer.numbers])
        found = dict(key_mass=share, key_mass_uniform=uniform)
    if 'boxes' not in truth or layer.heat is None or layer.heat.min() < 0:
        return found
    missing = [key for key in NEEDED if key not in sample]
    if missing:
        raise ValueError(
            f'meta_keys: expected {NEEDED} for boxes, got none of {missing}'
        )
    boxes = box_in_crop(
        truth['boxes'][layer.numbers],
        sample['original_shape'],
        sample['crop_quadruple'],
    )
    seen = ~np.isnan(boxes).any(axis=1) & (layer.heat.sum(axis=(1, 2)) > 0)
    if not seen.any():
        return found
    heat, boxes = layer.heat[seen], boxes[seen]
    mass, area = mass_in_boxes(heat, boxes)
    values: dict[str, np.ndarray] = dict(
        pointing=pointing_game(heat, boxes),
        pointing_uniform=pointing_uniform(heat.shape[1:], boxes),
        box_mass=mass,
        box_mass_uniform=area,
    )
    return {**found, **{key: float(value.mean()) for key, value in values.items()}}
