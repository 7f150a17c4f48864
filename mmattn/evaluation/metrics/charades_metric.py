"""Mean average precision of Charades."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmattn.evaluation.functional.charades import charades_map, dump_submission
from mmattn.registry import METRICS
from mmattn.utils.arguments import require_some


@METRICS.register_module()
class CharadesMetric(BaseMetric):
    """mAP and wAP of videos with any number of actions, as Charades' script has them.

    See :func:`~mmattn.evaluation.charades_map`. Samples need ``pred_score``, a label
    of 0 or 1 per class in ``gt_label``, and for a submission file ``video_id``.

    Args:
        submission: Text file to write in the official format of the classification
            task, one line per video; None for no file.
        collect_device: As in MMEngine.
        prefix: As in MMEngine, ``'charades'`` by default.

    Raises:
        ValueError: If a sample has no label of 0 or 1 for each class, or no name for
            the submission.

    Example:
        >>> import torch
        >>> metric = CharadesMetric()
        >>> sample = dict(
        ...     pred_score=torch.tensor([0.2, 0.7]), gt_label=torch.tensor([0.0, 1.0])
        ... )
        >>> metric.process([], [sample])
        >>> metric.evaluate(1)
        {'charades/mAP': 1.0, 'charades/wAP': 1.0}
    """

    default_prefix = 'charades'

    def __init__(
        self,
        submission: str | None = None,
        *,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.submission = submission

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store the scores and labels of a batch.

        Args:
            data_batch: Unused.
            data_samples: Predicted samples.
        """
        for sample in data_samples:
            scores, labels = sample['pred_score'], sample['gt_label']
            if scores.shape != labels.shape or not labels.is_floating_point():
                raise ValueError(
                    f'gt_label: expected a label of 0. or 1. for each of {len(scores)} '
                    'classes, as data sets with multi_class=True give, got '
                    f'{labels.dtype} of shape {tuple(labels.shape)}'
                )
            video = sample.get('video_id')
            if self.submission and not video:
                raise ValueError(
                    'video_id: expected it in the metainfo, where '
                    'mmattn.PackClipInputs packs it, for the submission file, got none'
                )
            self.results.append(
                (video, scores.float().numpy(force=True), labels.numpy(force=True))
            )

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Evaluate all videos, and write the submission.

        Args:
            results: Name, scores and labels of each video.
        """
        require_some('test_dataloader', results)
        videos, scores, labels = zip(*results, strict=True)
        if self.submission:
            dump_submission(self.submission, videos, np.stack(scores))
        result = charades_map(np.stack(scores), np.stack(labels))
        return dict(mAP=result.mAP, wAP=result.wAP)
