"""Recognizer of per-frame features followed by a head that reads sequences."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.structures import ActionDataSample
from torch import nn

from mmattn.attention.capture import attention_rows, attention_wanted
from mmattn.registry import MODELS
from mmattn.signatures import Component, Positive
from mmattn.utils.arguments import require_some

Inputs = torch.Tensor | list[torch.Tensor]
CHUNK_PIXELS = 16 * 224 * 224


@MODELS.register_module()
class FrameRecognizer(BaseRecognizer):
    """Run a backbone on every frame, or every short clip, and hand all to the head.

    Differs from the host's ``Recognizer2D``: the videos of a batch may have
    different numbers of frames (windows x crops), the head learns how many each has
    (``frames_per_video``), and wherever no gradient is needed the backbone runs on
    ``chunk_frames`` frames at a time, which bounds the memory of a long video without
    changing the result.

    With ``clip_len`` the backbone is a 3D network that sees clips of so many successive
    frames.  Its maps are averaged over time, one for each clip (those of SlowFast's two
    pathways one after the other), and the head reads sequences of clips.

    Args:
        backbone: Config of the per-frame or per-clip network.
        cls_head: Config of the head; it is called with (frames of all videos, ...)
            features and ``frames_per_video``.
        freeze_backbone: Keep the backbone in eval mode and without gradients.
        chunk_frames: Most frames that pass the backbone at once where no gradient
            is needed, at least one clip; by default as many as have the pixels of 16
            frames of 224 x 224.
        clip_len: Frames of a clip, as MMAction2's ``SampleFrames`` calls them; None for
            a network of single frames.
        data_preprocessor: Config, :class:`FrameDataPreprocessor` by default.
        train_cfg: As in MMAction2; unused.
        test_cfg: As in MMAction2; unused.

    Shape:
        - Input: (N, M, C, H, W), or a list of N raw tensors (M_i, C, H, W).
        - Features: (sum of M_i, C', ...), or of the M_i / clip_len clips.

    Raises:
        ValueError: If ``chunk_frames`` or ``clip_len`` is below 1, or frames do not
            fill their clips.
    """

    def __init__(
        self,
        backbone: Component,
        cls_head: Component | None = None,
        *,
        freeze_backbone: bool = False,
        chunk_frames: Positive | None = None,
        clip_len: Positive | None = None,
        data_preprocessor: Component | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone,
            cls_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor
            or dict(type='mmattn.FrameDataPreprocessor'),
        )
        self.freeze_backbone = freeze_backbone
        self.sees_clips = clip_len is not None
        self.clip_len = clip_len or 1
        self.chunk_frames = chunk_frames
        if freeze_backbone:
            self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode; a frozen backbone stays in eval mode."""
        super().train(mode)
        if self.freeze_backbone:
            self.backbone.eval()
        return self

    def extract_feat(
        self,
        inputs: Inputs,
        stage: str = 'neck',
        data_samples: list[ActionDataSample] | None = None,
        test_mode: bool = False,
    ) -> tuple[torch.Tensor, dict]:
        """Extract features up to ``stage``.

        Args:
            inputs: Batch of frames, see the class.
            stage: ``'backbone'`` or ``'neck'`` for the features of frames or clips,
                ``'head'`` for the head's raw output.
            data_samples: Ground truth and metainfo of the N videos.
            test_mode: Unused; kept for the host's callers.

        Returns:
            Features of all frames or clips, and the arguments that the head needs.
        """
        rows = FrameRows(inputs, data_samples)
        clip = self.clip_len
        if any(frames % clip for frames in rows.frames_per_video):
            raise ValueError(
                f'inputs: expected clips of clip_len={clip} frames, got '
                f'{rows.frames_per_video} frames per video'
            )
        feats = self._backbone_features(inputs, rows)
        head_kwargs = dict(frames_per_video=[n // clip for n in rows.frames_per_video])
        if stage != 'head':
            return feats, head_kwargs
        return self.cls_head(feats, **head_kwargs), head_kwargs

    def loss(
        self, inputs: Inputs, data_samples: list[ActionDataSample], **kwargs: object
    ) -> dict[str, torch.Tensor]:
        """Calculate the head's losses of a batch."""
        feats, head_kwargs = self.extract_feat(inputs, data_samples=data_samples)
        with self._head_rows(inputs, data_samples):
            return self.cls_head.loss(feats, data_samples, **head_kwargs)

    def predict(
        self, inputs: Inputs, data_samples: list[ActionDataSample], **kwargs: object
    ) -> list[ActionDataSample]:
        """Predict one score vector per video."""
        feats, head_kwargs = self.extract_feat(
            inputs, data_samples=data_samples, test_mode=True
        )
        with self._head_rows(inputs, data_samples):
            return self.cls_head.predict(feats, data_samples, **head_kwargs)

    def _backbone_features(self, inputs: Inputs, rows: 'FrameRows') -> torch.Tensor:
        needs_grad = torch.is_grad_enabled() and not self.freeze_backbone
        if needs_grad or (self.backbone.training and not self.freeze_backbone):
            return self._features(torch.cat(list(self._videos(inputs))), rows, 0)
        # Written into one tensor: pieces between the chunks would keep their memory.
        feats, start, clip = torch.empty(0), 0, self.clip_len
        with torch.no_grad():
            for chunk in self._chunks(inputs):
                piece = self._features(chunk, rows, start * clip)
                stop = start + len(piece)
                if not start:
                    feats = piece.new_empty(rows.total // clip, *piece.shape[1:])
                feats[start:stop] = piece
                start = stop
        return feats

    def _features(
        self, frames: torch.Tensor, rows: 'FrameRows', first: int
    ) -> torch.Tensor:
        """Features of frames or clips, of which ``first`` is the number of one."""
        with rows.sequences(self.clip_len, first, first + len(frames)):
            if not self.sees_clips:
                return self.backbone(frames)
            clips = frames.unflatten(0, (-1, self.clip_len)).transpose(1, 2)
            maps = self.backbone(clips)
        maps = [maps] if isinstance(maps, torch.Tensor) else maps
        return torch.cat([x.mean(dim=2) for x in maps], dim=1)

    def _chunks(self, inputs: Inputs) -> Iterator[torch.Tensor]:
        if isinstance(inputs, torch.Tensor):
            frames = inputs.flatten(0, 1)
            yield from frames.split(self._chunk_size(frames))
            return
        for video in inputs:
            for chunk in video.split(self._chunk_size(video)):
                yield self.data_preprocessor.normalize(chunk)

    def _chunk_size(self, frames: torch.Tensor) -> int:
        most = self.chunk_frames or CHUNK_PIXELS // frames.shape[-2:].numel()
        return max(most // self.clip_len, 1) * self.clip_len

    def _videos(self, inputs: Inputs) -> Iterator[torch.Tensor]:
        for video in inputs:  # what is no batch was left raw
            raw = not isinstance(inputs, torch.Tensor)
            yield self.data_preprocessor.normalize(video) if raw else video

    def _head_rows(
        self, inputs: Inputs, data_samples: list[ActionDataSample]
    ) -> AbstractContextManager:
        length = getattr(self.cls_head, 'num_segments', 1)
        rows = FrameRows(inputs, data_samples)
        return rows.sequences(length, clip_len=self.clip_len)


class FrameRows:
    """Which video, crop and frame each row of a batch is, for attention maps.

    Frames lie as (video, crop, window, position), position fastest; their numbers are
    in the metainfo, see :func:`frame_numbers`.  Without data samples they count from 0.

    Args:
        inputs: Batch of frames, (N, M, ...) or a list of N tensors (M_i, ...).
        data_samples: Metainfo of the N videos.
        num_frames: Frames of a view, without data samples; None for all of a video.
    """

    def __init__(
        self,
        inputs: Inputs,
        data_samples: list[ActionDataSample] | None,
        *,
        num_frames: int | None = None,
    ) -> None:
        require_frames(inputs)
        self.frames_per_video = [len(video) for video in inputs]
        self.total = sum(self.frames_per_video)
        self.data_samples = data_samples
        self.num_frames = num_frames

    def _table(self) -> torch.Tensor:
        """Rows of (sample, crop, frame number), (total, 3)."""
        table = []
        for i, num_rows in enumerate(self.frames_per_video):
            numbers = self._numbers(i)
            crops = num_rows // len(numbers)
            crop = torch.arange(crops).repeat_interleave(len(numbers))
            video = torch.full((num_rows,), i)
            table.append(torch.stack([video, crop, numbers.repeat(crops)], dim=1))
        return torch.cat(table)

    def _numbers(self, video: int) -> torch.Tensor:
        """Frame numbers of the crops of one video, (numbers of a crop)."""
        count = self.frames_per_video[video]
        if not self.data_samples:
            return torch.arange(self.num_frames or count)
        numbers = frame_numbers(self.data_samples[video])
        if count % len(numbers):
            raise ValueError(
                f"data_samples: expected 'frame_indices' of the {count} frames of "
                f'{self.data_samples[video].get("video_id")}, or of each of its crops, '
                f'got {len(numbers)}'
            )
        return numbers

    def frames(self, start: int, stop: int) -> AbstractContextManager:
        """Context in which a row is one frame, for rows ``start`` to ``stop``."""
        return self.sequences(1, start, stop)

    def sequences(
        self, length: int, start: int = 0, stop: int | None = None, *, clip_len: int = 1
    ) -> AbstractContextManager:
        """Context in which a row is a sequence of ``length`` of these frames.

        With ``clip_len`` it is a sequence of so many clips, each known by the frame in
        its middle.
        """
        if not attention_wanted() or self.total % (length * clip_len):
            return nullcontext()
        rows = self._table()[start:stop].reshape(-1, length, clip_len, 3)
        rows = rows[:, :, clip_len // 2]
        return attention_rows(
            sample=rows[:, 0, 0], crop=rows[:, 0, 1], frames=rows[:, :, 2]
        )


def frame_numbers(sample: ActionDataSample) -> torch.Tensor:
    """Return the numbers of the frames of a video that a network sees, from 0.

    Args:
        sample: Sample of the video, whose metainfo ``frame_indices`` they are.

    Shape:
        - Output: (frames), of one crop; of stacks of flow, the first field of each.

    Raises:
        ValueError: If the metainfo lacks them.

    Example:
        >>> frame_numbers(ActionDataSample(metainfo=dict(frame_indices=[[3, 5]])))
        tensor([3, 5])
    """
    numbers = sample.get('frame_indices')
    if numbers is None:
        raise ValueError(
            "data_samples: expected the metainfo 'frame_indices' for attention maps, "
            f'got {sorted(sample.metainfo)}: pack samples with '
            "dict(type='mmattn.PackClipInputs')"
        )
    return torch.as_tensor(numbers).flatten().long()


def require_frames(inputs: Inputs) -> None:
    """Refuse a batch without videos, or with a video without frames.

    Args:
        inputs: Batch of frames, (N, M, ...) or a list of N tensors (M_i, ...).

    Raises:
        ValueError: If something is missing.

    Example:
        >>> require_frames(torch.ones(2, 3, 5))
    """
    require_some('inputs', inputs)
    if isinstance(inputs, torch.Tensor):
        counts = list(inputs.shape[1:2])  # a traced batch may have any size
    else:
        counts = [len(video) for video in inputs]
    if min(counts) < 1:
        raise ValueError(f'inputs: expected one or more frames per video, got {counts}')
