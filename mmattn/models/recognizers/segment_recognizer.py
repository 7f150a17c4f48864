"""The host's 2D recognizer for networks that look at several segments at once."""

from typing import Any

from mmaction.models.recognizers import Recognizer2D
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmattn.models.layers.clips import tell_num_segments
from mmattn.models.recognizers.frame_recognizer import FrameRows, require_frames
from mmattn.registry import MODELS


@MODELS.register_module()
class SegmentRecognizer(Recognizer2D):
    """Tell the attention of the backbone and the neck which frames are one clip.

    Training, validation and test may sample different numbers of segments, and a test
    video may have several crops: the frames of one crop are a clip. The number is read
    from the metainfo ``num_clips``; without data samples (``mode='tensor'``) all frames
    of a video are one clip.

    The pipeline packs it with ``dict(type='mmattn.PackClipInputs')``, with the frame
    numbers that attention maps need. A frame, or a stack of flow, is sampled per
    segment.

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
        rows = FrameRows(inputs, data_samples, num_frames=num_segments)
        with rows.frames(0, rows.total):
            return super().forward(inputs, data_samples, mode=mode, **kwargs)


def _num_segments(inputs: Tensor, data_samples: list[ActionDataSample] | None) -> int:
    require_frames(inputs)
    M = inputs.shape[1]
    if not data_samples:
        return M
    found = {sample.get('num_clips') for sample in data_samples}
    if None in found:
        raise ValueError(
            "data_samples: expected the metainfo 'num_clips', got "
            f'{sorted(data_samples[0].metainfo)}: pack samples with '
            "dict(type='mmattn.PackClipInputs')"
        )
    if len(found) > 1 or min(found) < 1 or M % min(found):
        raise ValueError(
            f'num_clips: expected one divisor of the {M} frames of each video, got '
            f'{sorted(found)}'
        )
    return min(found)
