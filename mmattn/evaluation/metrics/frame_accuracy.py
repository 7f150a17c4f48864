"""Accuracy of the predictions of single frames."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from mmattn.registry import METRICS
from mmattn.utils.arguments import require_some


@METRICS.register_module()
class FrameAccuracy(BaseMetric):
    """Share of all frames that are classified as their video is labeled.

    Section 4 of Spatio-temporal attention for video action recognition: "Prediction is
    calculated individually for each image frame and compared with the label of the
    video containing that frame".  The accuracy of videos, from the mean scores of their
    frames, is MMAction2's ``AccMetric``.

    Args:
        topk: Frames count as right whose label is among the k highest scores.
        collect_device: As in MMEngine.
        prefix: Prefix of the metrics' names, ``'frame'`` by default.

    Shape:
        - ``pred_frame_scores`` of a sample: (frames, classes).

    Raises:
        ValueError: If the model leaves no scores of frames, or a video has not exactly
            one label.

    Example:
        >>> import torch
        >>> metric = FrameAccuracy()
        >>> scores, label = torch.eye(4), torch.tensor([1])
        >>> sample = {'pred_frame_scores': scores, 'gt_label': label}
        >>> metric.process({}, [sample])
        >>> metric.evaluate(1)['frame/top1']
        0.25
    """

    default_prefix = 'frame'

    def __init__(
        self,
        *,
        topk: Sequence[int] = (1,),
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not topk or min(topk) < 1:
            raise ValueError(f'topk: expected numbers of at least 1, got {topk}')
        self.topk = tuple(topk)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the right frames of each video of a batch."""
        for sample in data_samples:
            if 'pred_frame_scores' not in sample:
                raise ValueError(
                    'FrameAccuracy: expected a head that writes pred_frame_scores, '
                    f'such as mmattn.ConvLSTMHead, got results with {sorted(sample)}'
                )
            scores, label = sample['pred_frame_scores'], sample['gt_label']
            if label.numel() != 1:
                raise ValueError(
                    f'FrameAccuracy: expected one label per video, got {label.numel()}'
                )
            order = scores.argsort(dim=1, descending=True)
            hits = order == label.to(order)
            right = [int(hits[:, :k].sum()) for k in self.topk]
            self.results.append((right, len(scores)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Add up the videos; every frame counts the same."""
        require_some('test_dataloader', results)
        total = sum(frames for _, frames in results)
        return {
            f'top{k}': sum(right[n] for right, _ in results) / total
            for n, k in enumerate(self.topk)
        }
