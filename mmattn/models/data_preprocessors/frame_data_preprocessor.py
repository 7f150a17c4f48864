"""Data preprocessor for videos with different numbers of frames."""

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.structures import ActionDataSample

from mmattn.registry import MODELS


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
        std: Standard deviation of every channel.
        to_rgb: Whether the channels arrive as BGR.
        eager_frames: Largest number of frames of a batch that is normalised at once.

    Shape:
        - Input: list of N tensors (M_i, C, H, W), or (M_i, C) for stored features.
        - Output: float32 (N, M, C, H, W), or the list itself.

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
        eager_frames: int = 256,
    ) -> None:
        super().__init__(mean=mean, std=std, to_rgb=to_rgb, format_shape='NCHW')
        self.eager_frames = eager_frames

    def preprocess(
        self,
        inputs: list[torch.Tensor],
        data_samples: list[ActionDataSample],
        training: bool = False,
    ) -> tuple[torch.Tensor | list[torch.Tensor], list[ActionDataSample]]:
        """Stack and normalise a batch, or leave a long or uneven one as a list."""
        num_frames = sum(len(frames) for frames in inputs)
        if len({x.shape for x in inputs}) == 1 and num_frames <= self.eager_frames:
            return super().preprocess(inputs, data_samples, training)
        return inputs, data_samples

    def normalize(self, frames: torch.Tensor) -> torch.Tensor:
        """Normalise raw frames (n, C, H, W) to float32 of the same shape."""
        batch, _ = super().preprocess([frames], [])
        return batch[0]
