"""Two recognizers on two inputs of the same videos, fused late."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from mmattn.registry import MODELS
from mmattn.signatures import Component

SUFFIX = '_stream_score'


@MODELS.register_module()
class TwoStreamRecognizer(BaseModel):
    r"""Train or test an RGB and a flow stream in one process.

    The streams share nothing but the optimizer: the loss is the sum of theirs, so that
    each gets the gradients that it has alone. At test the scores are

    .. math:: p = (w_1 p_{rgb} + w_2 p_{flow}) / (w_1 + w_2)

    A clip of the gradients by their norm takes both streams together.

    Args:
        rgb: Config of a recognizer, with its ``data_preprocessor``.
        flow: Config of a recognizer, with its ``data_preprocessor``.
        weights: Weights of the scores of RGB and flow, such as (1, 1.5).
        init_cfg: As in MMEngine; the streams have their own.

    Shape:
        - Input: batches of :class:`~mmattn.datasets.TwoStreamDataset`, ``rgb`` and
          ``flow`` with ``inputs`` and ``data_samples`` each.

    Raises:
        ValueError: If the weights are not two non-negative numbers, not both 0, or if
            the streams of a batch hold different videos.

    Example:
        >>> stream = dict(
        ...     type='mmattn.FrameRecognizer',
        ...     backbone=dict(type='mmattn.StoredFeatures'),
        ...     cls_head=dict(type='mmattn.TemporalLSTMHead', num_classes=3,
        ...                   in_channels=4, num_segments=2),
        ... )
        >>> model = TwoStreamRecognizer(stream, stream, weights=(1, 2))
        >>> model.weights.sum().item()
        1.0
    """

    weights: Tensor

    def __init__(
        self,
        rgb: Component,
        flow: Component,
        *,
        weights: Sequence[float] = (1.0, 1.0),
        init_cfg: dict | None = None,
    ) -> None:
        if len(weights) != 2 or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(
                f'weights: expected two non-negative numbers, not both 0, got {weights}'
            )
        super().__init__(init_cfg=init_cfg)
        self.rgb: Any = MODELS.build(rgb)
        self.flow: Any = MODELS.build(flow)
        self.register_buffer('weights', _shares(weights), persistent=False)

    def forward(self, rgb: dict, flow: dict, mode: str = 'tensor') -> Any:
        """Return losses, predictions or the features of both streams.

        Args:
            rgb: Raw ``inputs`` and ``data_samples`` of the RGB stream.
            flow: The same of the flow stream.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.
        """
        _require_same_videos(rgb['data_samples'], flow['data_samples'])
        results = [
            stream(**stream.data_preprocessor(batch, mode == 'loss'), mode=mode)
            for stream, batch in ((self.rgb, rgb), (self.flow, flow))
        ]
        if mode == 'loss':
            return {
                f'{name}_{key}': value
                for name, losses in zip(('rgb', 'flow'), results, strict=True)
                for key, value in losses.items()
            }
        return self._fused(*results) if mode == 'predict' else tuple(results)

    def _fused(self, rgb: list, flow: list) -> list:
        """Predictions of the RGB stream with fused scores in place of its own."""
        for first, second in zip(rgb, flow, strict=True):
            scores = first.pred_score, second.pred_score
            fused = self.weights[0] * scores[0] + self.weights[1] * scores[1]
            first.set_pred_score(fused).set_pred_label(fused.argmax(-1, keepdim=True))
            for name, score in zip(('rgb', 'flow'), scores, strict=True):
                first.set_field(score, name + SUFFIX)
        return rgb


def _shares(weights: Sequence[float]) -> Tensor:
    values = Tensor(list(weights))
    return values / values.sum()


def _require_same_videos(rgb: list, flow: list) -> None:
    names = [[sample.get('video_id') for sample in samples] for samples in (rgb, flow)]
    if names[0] != names[1]:
        raise ValueError(
            f'data_samples: expected the same videos in both streams, got {names[0]} '
            f'and {names[1]}'
        )
