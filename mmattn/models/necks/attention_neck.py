"""Attention between the backbone and the head of the host's recognizers."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmattn.models.layers.build import build_attention
from mmattn.models.layers.clips import SegmentModule, fold_frames, unfold_clips
from mmattn.registry import MODELS
from mmattn.signatures import Component, Positive


@MODELS.register_module()
class AttentionNeck(SegmentModule):
    """Apply an attention module to clips of a backbone's last map.

    In a 3D recognizer the map keeps its shape. In a 2D recognizer the frames of a video
    are averaged afterwards, as the host expects of a neck; for a linear classifier that
    is the average consensus of its scores. There the backbone must return a tuple:
    ``out=('mixed_7c',)``, or two ``out_indices`` of the host's ResNet, which returns
    one alone bare. Of several maps, the last is taken.

    Args:
        in_channels: Channels C of the map.
        module: Config of the attention module; it sees clips (N, C, T, H, W).
        num_segments: Frames T of a clip in a 2D recognizer, for videos of several
            crops; None for all of a video. :class:`SegmentRecognizer` reads it from
            the data.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (N, C, T, H, W), or a list of (N, C_i, crops*T, H_i, W_i), crop by
          crop.
        - Output: (N, C, T, H, W), for a list (N, C, 1, H, W); and an empty dict, the
          losses of the neck.

    Raises:
        ValueError: If maps have another shape, or the frames of a video are no whole
            number of clips.

    Example:
        >>> import torch
        >>> neck = AttentionNeck(32, dict(type='mmattn.STBTA'))
        >>> neck([torch.ones(2, 32, 3, 7, 7)])[0].shape
        torch.Size([2, 32, 1, 7, 7])
    """

    def __init__(
        self,
        in_channels: Positive,
        module: Component,
        *,
        num_segments: Positive | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_segments, init_cfg)
        self.attention = build_attention('module', module, in_channels)
        self._said = False

    def forward(
        self, x: Tensor | Sequence[Tensor], data_samples: Any = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the map and the losses, none; ``data_samples`` is not used."""
        if isinstance(x, Tensor):
            return self.attention(x), {}
        last = x[-1]
        if last.dim() != 5 or 0 in last.shape:
            raise ValueError(
                'neck: expected maps (N, C, T, H, W), each of 1 or more, of a backbone '
                f'that returns a tuple, got {tuple(last.shape)}'
            )
        M = last.shape[2]
        if self.num_segments is None and not self.training:
            self._say_once(M)
        clips = unfold_clips(fold_frames(last), self.num_segments or M)
        y = fold_frames(self.attention(clips))  # (N*crops*T, C, H, W)
        return unfold_clips(y, M).mean(dim=2, keepdim=True), {}

    def _say_once(self, num_frames: int) -> None:
        """Several crops of a video would be taken for one clip."""
        if not self._said and not torch.compiler.is_compiling():
            print_log(
                f'num_segments: taking all {num_frames} frames of a video as one clip; '
                'where they are of several crops, give num_segments or take '
                "type='mmattn.SegmentRecognizer'",
                'current',
                logging.WARNING,
            )
            self._said = True
