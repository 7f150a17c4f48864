"""Accuracy of the streams of a model beside that of their fusion."""

from collections.abc import Sequence
from typing import Any

from mmaction.evaluation import AccMetric

from mmattn.models.recognizers.two_stream_recognizer import SUFFIX
from mmattn.registry import METRICS
from mmattn.utils.arguments import require_some


@METRICS.register_module()
class StreamAccuracy(AccMetric):
    """The host's accuracy, for the fusion and for every stream.

    Reads ``pred_score`` and what :class:`~mmattn.models.TwoStreamRecognizer` adds, one
    field ``<stream>_stream_score`` per stream. Names are ``acc/fusion_top1``,
    ``acc/rgb_top1``, and so on; the fusion comes first, so that ``save_best='auto'``
    keeps its best model.

    Args:
        metric_list: Names of metrics of the host's ``AccMetric``.
        **host_args: The other arguments of that class.
    """

    def __init__(
        self,
        metric_list: str | Sequence[str] = ('top_k_accuracy', 'mean_class_accuracy'),
        **host_args: Any,
    ) -> None:
        if not isinstance(metric_list, str):
            metric_list = tuple(metric_list)  # a list in configs of other formats
        super().__init__(metric_list, **host_args)

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the scores of a batch.

        Args:
            data_batch: Unused; kept for the host's callers.
            data_samples: Predictions.

        Raises:
            ValueError: If a prediction has no streams.
        """
        samples = []
        for sample in data_samples:
            streams = {
                key.removesuffix(SUFFIX): score
                for key, score in sample.items()
                if key.endswith(SUFFIX)
            }
            if not streams:
                raise ValueError(
                    f'expected scores of streams (*{SUFFIX}) in each prediction, got '
                    f'{sorted(sample)}'
                )
            scores = dict(fusion=sample['pred_score'], **streams)
            samples.append(dict(pred_score=scores, gt_label=sample['gt_label']))
        super().process(data_batch, samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average over the videos.

        Args:
            results: Scores and labels of each.

        Raises:
            ValueError: If there are none.
        """
        require_some('test_dataloader', results)
        return super().compute_metrics(results)
