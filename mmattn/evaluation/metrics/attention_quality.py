"""Whether attention looks at the right frames and places."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmattn.attention.maps import (
    AttentionMap,
    Picks,
    attention_maps,
    check_picks,
    is_uniform,
    with_frame_numbers,
)
from mmattn.attention.records import AttentionRecords
from mmattn.evaluation.functional.attention import (
    box_in_crop,
    mass_in_boxes,
    mass_on_frames,
    pointing_game,
    pointing_uniform,
    read_ground_truth,
)
from mmattn.registry import METRICS

NEEDED = ('original_shape', 'crop_quadruple')
HOOK = 'mmattn.AttentionCaptureHook'


@METRICS.register_module()
class AttentionQuality(BaseMetric):
    """Compare attention maps with boxes and key frames, each beside its uniform value.

    Needs ``dict(type='mmattn.AttentionCaptureHook')`` among the ``custom_hooks``, and
    at the end of the pipeline ``mmattn.PackClipInputs``, which says which frames, and
    which part of them, the network has seen. Each value is a mean over frames, then
    over videos; it is named after the map:

    ========================================  =====================================
    ``<map>/pointing``, ``pointing_uniform``  frames whose maximum is in the box
    ``<map>/box_mass``, ``box_mass_uniform``  share of the frame's weight in the box
    ``<map>/key_mass``, ``key_mass_uniform``  share of the video's weight on key frames
    ``<map>/uniform``                         share of videos whose map is uniform
    ========================================  =====================================

    Maps are those that pictures show, :func:`~mmattn.attention.maps.attention_maps`:
    of the same steps, with negative values as none. A map is uniform whose values
    differ by at most 1 % of the largest; a uniform frame points at chance.

    Args:
        ground_truth: Folder with a file ``<video>.npz`` for each video, as the
            synthetic data sets have. It holds ``boxes`` (T, 4), left, top, right and
            bottom in pixels of the video, NaN where a frame has none, or ``key``
            (T,), whether a frame shows the action, or both.
        names: Patterns of the maps, such as ``'cls_head.*'``; all by default.
        picks: Index along an axis that is averaged otherwise, see
            :func:`~mmattn.attention.maps.attention_maps`.
        last_steps: Average over this many last steps of an axis ``step``; by default
            those that make the score of a video, as in pictures.
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
            maps = self._maps(sample, index, len(data_samples))
            _require_frames(truth, maps, sample)
            compared = {x.name: _compared(x, truth, sample) for x in maps}
            for attention in maps:
                if compared[attention.name]:
                    compared[attention.name]['uniform'] = float(attention.uniform)
            self.results.append(compared)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average over the videos in which a value exists.

        Raises:
            ValueError: If there is none.
        """
        values: dict[str, list[float]] = {}
        for video in results:
            for name, found in video.items():
                for key, value in found.items():
                    values.setdefault(f'{name}/{key}', []).append(value)
        if not values:
            raise ValueError(
                f'ground_truth: expected a box or key frame to compare some map of '
                f'{self.names} with, got none in {len(results)} videos'
            )
        return {key: float(np.mean(one)) for key, one in values.items()}

    def _truth(self, sample: dict) -> dict[str, np.ndarray]:
        truth = read_ground_truth(self.folder, Path(str(sample['video_id'])).name)
        return {key: x for key, x in truth.items() if key != 'label'}

    def _maps(self, sample: dict, index: int, count: int) -> list[AttentionMap]:
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
        wanted = wanted.merged()
        if any(record.frames is None for record in wanted):
            wanted = with_frame_numbers(wanted, _input_rows(sample))
        maps = [
            attention
            for record in wanted
            for attention in attention_maps(
                record, picks=self.picks, last_steps=self.last_steps
            )
            if attention.roi is None
        ]
        if not maps:
            raise ValueError(
                'names: expected maps of frames or places, got '
                f'{[record.name for record in wanted]}'
            )
        return maps


def _require_frames(
    truth: dict[str, np.ndarray], maps: list[AttentionMap], sample: dict
) -> None:
    last = max(int(attention.numbers.max()) for attention in maps)
    short = [key for key, values in truth.items() if len(values) <= last]
    if short:
        raise ValueError(
            f'ground_truth: expected {short[0]} of all frames of {sample["video_id"]}, '
            f'got {len(truth[short[0]])} values, and attention to frame {last}'
        )


def _input_rows(sample: dict) -> np.ndarray:
    """Frame numbers of each row of a network's input, (R, T)."""
    missing = [key for key in ('frame_inds', 'clip_len') if key not in sample]
    if missing:
        raise ValueError(
            "test_pipeline: expected 'frame_inds' and 'clip_len' in the metainfo, as "
            f"dict(type='mmattn.PackClipInputs') packs it, got none of {missing}"
        )
    return np.asarray(sample['frame_inds']).reshape(-1, int(sample['clip_len']))


def _compared(
    attention: AttentionMap, truth: dict[str, np.ndarray], sample: dict
) -> dict[str, float]:
    found: dict[str, float] = {}
    if 'key' in truth and attention.weights is not None:
        share, uniform = mass_on_frames(
            attention.weights, truth['key'][attention.numbers]
        )
        found = dict(key_mass=share, key_mass_uniform=uniform)
    heat = attention.seen_heat
    if 'boxes' not in truth or heat is None:
        return found
    missing = [key for key in NEEDED if key not in sample]
    if missing:
        raise ValueError(
            f'test_pipeline: expected {NEEDED} in the metainfo for boxes, as '
            f"dict(type='mmattn.PackClipInputs') packs it, got none of {missing}"
        )
    if sample.get('flip'):
        raise ValueError(
            'test_pipeline: expected no flip, to compare attention with boxes, got '
            f'{sample["video_id"]} flipped'
        )
    boxes = box_in_crop(
        truth['boxes'][attention.numbers],
        sample['original_shape'],
        sample['crop_quadruple'],
    )
    seen = ~np.isnan(boxes).any(axis=1) & (heat.sum(axis=(1, 2)) > 0)
    if not seen.any():
        return found
    heat, boxes = heat[seen], boxes[seen]
    mass, area = mass_in_boxes(heat, boxes)
    chance = pointing_uniform(heat.shape[1:], boxes)
    flat = np.array([is_uniform(frame) for frame in heat])
    values: dict[str, np.ndarray] = dict(
        pointing=np.where(flat, chance, pointing_game(heat, boxes)),
        pointing_uniform=chance,
        box_mass=mass,
        box_mass_uniform=area,
    )
    return {**found, **{key: float(value.mean()) for key, value in values.items()}}
