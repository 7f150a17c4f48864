"""The host's 2D recognizer for networks that look at several segments at once."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmaction.models.recognizers import Recognizer2D
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmattn.models.layers.clips import tell_num_segments
from mmattn.registry import MODELS
from mmattn.utils.attention_maps import attention_rows, attention_wanted


@MODELS.register_module()
class SegmentRecognizer(Recognizer2D):
    """Tell the attention of the backbone and the neck which frames are one clip.

    Training, validation and test may sample different numbers of segments, and a test
    video may have several crops: the frames of one crop are a clip. The number is read
    from the metainfo ``num_clips``; without data samples (``mode='tensor'``) all frames
    of a video are one clip.

    The pipeline packs it with ``dict(type='PackActionInputs', meta_keys=('num_clips',
    'clip_len', 'frame_inds', ...))``; ``frame_inds`` and ``clip_len`` give attention
    maps their frame numbers. A frame, or a stack of flow, is sampled per segment.

    Args: those of the host's ``Recognizer2D``.

    Shape:
        - Input: (N, crops*T, C, H, W), crop by crop.

    Raises:
        ValueError: If ``num_clips`` is missing, differs between the videos of a batch
            or does not divide the number of frames.
    """

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
        **kwargs: Any,
    ) -> Any:
        """Return losses, predictions or features, as the host's recognizer."""
        num_segments = _num_segments(inputs, data_samples)
        tell_num_segments(self, num_segments)
        with _rows(inputs, data_samples, num_segments):
            return super().forward(inputs, data_samples, mode=mode, **kwargs)


def _num_segments(inputs: Tensor, data_samples: list[ActionDataSample] | None) -> int:
    M = inputs.shape[1]
    if not data_samples:
        return M
    found = {sample.get('num_clips') for sample in data_samples}
    if None in found:
        raise ValueError(
            "data_samples: expected the metainfo 'num_clips' (name it in meta_keys of "
            f'PackActionInputs), got {sorted(data_samples[0].metainfo)}'
        )
    if len(found) > 1 or M % next(iter(found)):
        raise ValueError(
            f'num_clips: expected one divisor of the {M} frames of each video, got '
            f'{sorted(found)}'
        )
    return next(iter(found))


def _rows(
    inputs: Tensor, data_samples: list[ActionDataSample] | None, num_segments: int
) -> AbstractContextManager:
    """Context that tells attention maps the video, crop and number of each frame."""
    if not attention_wanted():
        return nullcontext()
    N, M = inputs.shape[:2]
    sample = torch.arange(N).repeat_interleave(M)
    crop = torch.arange(M).div(num_segments, rounding_mode='floor').repeat(N)
    numbers = [
        _frame_numbers(data_samples[i] if data_samples else None, num_segments)
        for i in range(N)
    ]
    frames = torch.cat([n.repeat(M // len(n)) for n in numbers])
    return attention_rows(sample=sample, crop=crop, frames=frames[:, None])


def _frame_numbers(sample: ActionDataSample | None, num_segments: int) -> Tensor:
    """First frame of each segment, or its position if the numbers are unknown."""
    if sample is None or sample.get('frame_inds') is None:
        return torch.arange(num_segments)
    numbers = torch.as_tensor(sample.frame_inds).long()
    return numbers.reshape(-1, sample.get('clip_len', 1))[:, 0]
