"""Data preprocessor for videos with different numbers of frames."""

import logging

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.structures import ActionDataSample
from mmengine.logging import print_log

from mmattn.registry import MODELS
from mmattn.signatures import NotNegative


@MODELS.register_module()
class FrameDataPreprocessor(ActionDataPreprocessor):
    """Batch videos of any number of frames, normalising long ones late.

    Videos of equal shape that fit ``eager_frames`` are stacked and normalised as by
    the host.  Otherwise the batch stays a list of raw frames, and
    :class:`~mmattn.models.FrameRecognizer` normalises it chunk by chunk with
    :meth:`normalize`, so that a long video never stands in memory as float32.

    Args:
        mean: Mean of every channel, in the units of the input (0-255). Stacked flow
            of L fields has 2L channels: ``[128] * 2L``.
        std: Standard deviation of every channel, in the same units.
        to_rgb: Whether the channels arrive as BGR.
        eager_frames: Largest number of frames of a batch that is normalised at once.

    Shape:
        - Input: list of N tensors (M_i, C, H, W), or (M_i, C) for stored features.
        - Output: float32 (N, M, C, H, W), or the list itself.

    Raises:
        ValueError: If ``std`` is in units of 0-1, or ``mean``, ``std`` or ``to_rgb`` do
            not fit the channels of the input.

    Example:
        >>> preprocessor = FrameDataPreprocessor(mean=[1.0], std=[2.0])
        >>> batch = dict(inputs=[torch.full((2, 1, 4, 4), 3)], data_samples=[None])
        >>> preprocessor(batch)['inputs'].unique()
        tensor([1.])
    """

    def __init__(
        self,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        *,
        to_rgb: bool = False,
        eager_frames: NotNegative = 256,
    ) -> None:
        if std is not None and max(std, default=0) < 1:
            raise ValueError(
                'data_preprocessor: expected mean and std in the units of the input, 0 '
                f'to 255, got std={list(std)}: multiply both by 255'
            )
        super().__init__(mean=mean, std=std, to_rgb=to_rgb, format_shape='NCHW')
        self.eager_frames = eager_frames
        self._warned = False

    def preprocess(
        self,
        inputs: list[torch.Tensor],
        data_samples: list[ActionDataSample],
        training: bool = False,
    ) -> tuple[torch.Tensor | list[torch.Tensor], list[ActionDataSample]]:
        """Stack and normalise a batch, or leave a long or uneven one as a list."""
        for frames in inputs:
            self._require_channels(frames)
        num_frames = sum(len(frames) for frames in inputs)
        if len({x.shape for x in inputs}) == 1 and num_frames <= self.eager_frames:
            return super().preprocess(inputs, data_samples, training)
        return inputs, data_samples

    def normalize(self, frames: torch.Tensor) -> torch.Tensor:
        """Normalise raw frames (n, C, H, W), or features (n, C), to float32."""
        batch, _ = super().preprocess([frames], [])
        return batch[0]

    def _require_channels(self, frames: torch.Tensor) -> None:
        """Refuse what would be broadcast, or picked, in silence."""
        stored = frames.ndim == 2  # features
        if stored and (self._enable_normalize or self.to_rgb):
            raise ValueError(
                'data_preprocessor: expected neither mean, std nor to_rgb for stored '
                f'features of {frames.shape[1]} channels, got some'
            )
        channels = frames.shape[1]
        known = self.mean.numel() if self._enable_normalize else channels
        if not stored and known not in (1, channels):
            raise ValueError(
                f'data_preprocessor.mean: expected a value for each of {channels} '
                f'channels of the input, got {known}'
            )
        if self.to_rgb and channels != 3:
            raise ValueError(
                f'data_preprocessor.to_rgb: expected 3 channels, got {channels}'
            )
        if self._warned or not self._enable_normalize or stored:
            return
        if frames.is_floating_point() and self.mean.max() > 1 and frames.amax() <= 1:
            self._warned = True
            print_log(
                'data_preprocessor: expected inputs from 0 to 255, as its mean '
                f'{self.mean.flatten().tolist()} says, got none above 1',
                'current',
                logging.WARNING,
            )
