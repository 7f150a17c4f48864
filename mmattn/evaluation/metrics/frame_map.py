"""Frame-AP as a metric of test loops."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmattn.datasets.ava import (
    ActionBox,
    read_label_map,
    read_truths,
    write_detections,
)
from mmattn.evaluation.functional.frame_map import (
    check_frames,
    evaluate_frames,
    without_excluded,
)
from mmattn.registry import METRICS


@METRICS.register_module()
class FrameMAP(BaseMetric):
    """Frame-AP at IoU 0.5 by the rules of AVA's official evaluator.

    Takes the place of the host's ``AVAMetric``, whose ``ann_file``, ``label_file``,
    ``exclude_file``, ``action_thr`` and ``custom_classes`` it keeps. See
    :func:`~mmattn.evaluation.functional.frame_map.evaluate_frames` for the rules.

    Reports ``overall`` and the groups of classes; prints the table of classes.

    Args:
        ann_file: Ground truth csv.
        label_file: Classes to evaluate, ``pbtxt``: AVA's list of 60 or of all 80.
        exclude_file: Csv of frames to leave out.
        action_thr: Lowest score that is reported, exclusive.
        custom_classes: Numbers of the classes that columns 1, 2, .. of the scores
            stand for, as in the data set; None if column k is class k.
        with_groups: Whether the classes are AVA's, with its three groups.
        out_file: Csv to write the detections to, for submission and
            ``tools/analysis/frame_ap.py``.
        collect_device: As in MMEngine.
        prefix: As in MMEngine.

    Raises:
        ValueError: If a file is malformed, a score is not finite, or the tested frames
            are not those of ``ann_file``.

    Example:
        >>> cfg = dict(
        ...     type='mmattn.FrameMAP', ann_file='ava_val_v2.2.csv',
        ...     label_file='ava_action_list_v2.2_for_activitynet_2019.pbtxt',
        ...     exclude_file='ava_val_excluded_timestamps_v2.2.csv')
    """

    default_prefix = 'mAP'

    def __init__(
        self,
        ann_file: str,
        label_file: str,
        *,
        exclude_file: str | None = None,
        action_thr: float = 0.002,
        custom_classes: Sequence[int] | None = None,
        with_groups: bool = True,
        out_file: str | Path | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.names = read_label_map(label_file)
        self.frames, self.truths = read_truths(ann_file)
        if exclude_file is not None:
            self.frames = without_excluded(self.frames, exclude_file, ann_file)
        self.ann_file = ann_file
        self.action_thr = action_thr
        self.labels = None if custom_classes is None else (0, *custom_classes)
        self.with_groups = with_groups
        self.out_file = out_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the actions of a batch that pass the threshold.

        Args:
            data_batch: Not looked at.
            data_samples: Predictions, boxes relative to the frame and scores of
                background and classes.
        """
        for sample in data_samples:
            frame = (sample['video_id'], int(sample['timestamp']))
            instances = sample['pred_instances']
            boxes, scores = instances['bboxes'].cpu(), instances['scores'].cpu()
            if not (boxes.isfinite().all() and scores.isfinite().all()):
                raise ValueError(
                    f'expected finite boxes and scores of {frame[0]}, second '
                    f'{frame[1]}, got nan or inf: see whether the weights are finite'
                )
            person, column = torch.nonzero(
                scores[:, 1:] > self.action_thr, as_tuple=True
            )
            columns = (column + 1).tolist()
            labels = (
                columns if self.labels is None else [self.labels[c] for c in columns]
            )
            found = (
                boxes[person].tolist(),
                labels,
                scores[person, column + 1].tolist(),
            )
            rows = [(tuple(box), *rest) for box, *rest in zip(*found, strict=True)]
            self.results.append((frame, rows))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Evaluate all actions.

        Args:
            results: What :meth:`process` kept, frame after frame.
        """
        frames = {frame for frame, _ in results}
        check_frames(frames, self.frames, 'the tested data', self.ann_file)
        detections = [ActionBox(frame, *row) for frame, rows in results for row in rows]
        if self.out_file is not None:
            write_detections(detections, self.out_file)
        aps = evaluate_frames(self.truths, detections, self.names, self.frames)
        table = aps.table(with_groups=self.with_groups)
        print_log(f'frame-AP in percent\n{table}', 'current')
        figures = dict(overall=aps.mean)
        if self.with_groups:
            figures |= {name.replace(' ', '_'): ap for name, ap in aps.groups.items()}
        return figures
