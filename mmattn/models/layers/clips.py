"""Modules that look at clips, plugged into networks that look at frames."""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmattn.utils.autograd import plain_operations_wanted


class SegmentModule(BaseModule):
    """A module that is told how many frames of a 2D network's batch are one clip.

    Args:
        num_segments: Frames T of a clip; None for what :func:`tell_num_segments` has
            not said.
        init_cfg: As in MMEngine.

    Raises:
        ValueError: If ``num_segments`` is below 1.
    """

    def __init__(
        self,
        num_segments: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_segments = num_segments


class ClipModule(SegmentModule):
    """A module that maps clips to clips of the same shape, and frames to frames.

    A subclass implements :meth:`forward_clips`. Frames (B*T, C, H, W) reach it as a
    view (B, C, T, H, W), with T = ``num_segments`` consecutive frames to a clip. If it
    is None, each frame is a clip of its own, which a module that looks across frames
    refuses.

    Args:
        num_segments: Frames T of a clip in a batch of frames.
        init_cfg: As in MMEngine.

    Raises:
        ValueError: If a map has another shape or holds nothing, or if nothing says how
            many of its frames are a clip.
    """

    across_frames = False

    def looks_across_frames(self) -> bool:
        """Say whether it, or a module in it, mixes what is in different frames."""
        return any(getattr(module, 'across_frames', False) for module in self.modules())

    def forward_clips(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to clips of the same shape."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of ``x``, frames or clips."""
        if x.dim() not in (4, 5) or 0 in x.shape:
            raise ValueError(
                'map: expected frames (N, C, H, W) or clips (N, C, T, H, W), one or '
                f'more, got {tuple(x.shape)}'
            )
        if x.dim() == 5:
            return self.forward_clips(x)
        if self.num_segments is None and self.looks_across_frames():
            raise ValueError(
                f'num_segments: expected how many of the {len(x)} frames are a clip, '
                f'as {type(self).__name__} looks across frames, got None: take '
                "type='mmattn.SegmentRecognizer', which reads it from the data, or "
                'num_segments=1 for frames on their own'
            )
        return fold_frames(self.forward_clips(unfold_clips(x, self.num_segments or 1)))


def unfold_clips(frames: Tensor, num_segments: int) -> Tensor:
    """View frames as clips; of a clip, the frame index is fastest.

    Args:
        frames: Frames of B clips, one clip after the other.
        num_segments: Frames T of a clip.

    Shape:
        - frames: (B*T, C, H, W).
        - Output: (B, C, T, H, W).

    Raises:
        ValueError: If the frames are no whole number of clips.

    Example:
        >>> import torch
        >>> unfold_clips(torch.ones(6, 5, 7, 7), 3).shape
        torch.Size([2, 5, 3, 7, 7])
    """
    if len(frames) % num_segments:
        raise ValueError(
            f'num_segments: expected a divisor of the {len(frames)} frames of the '
            f'batch, got {num_segments}; mmattn.SegmentRecognizer reads the number '
            'from the data, which may differ between training and test'
        )
    clips = frames.unflatten(0, (len(frames) // num_segments, num_segments))
    return clips.transpose(1, 2)


def fold_frames(clips: Tensor) -> Tensor:
    """Frames of clips in one batch, a view where memory allows.

    Args:
        clips: Clips.

    Shape:
        - clips: (B, C, T, H, W).
        - Output: (B*T, C, H, W).

    Example:
        >>> import torch
        >>> fold_frames(torch.ones(2, 5, 3, 7, 7)).shape
        torch.Size([6, 5, 7, 7])
    """
    return clips.transpose(1, 2).flatten(0, 1)


def keep_layout(x: Tensor) -> Tensor:
    """Return ``x``, whose gradient will arrive in the memory layout of ``x``.

    Without it a gradient from a plainly laid out part of the network makes all of the
    backward pass through a part with channels last mix both layouts, which is slow.
    ``torch.compile`` chooses layouts itself, and where plain operations are wanted
    (:func:`~mmattn.utils.autograd.plain_operations_wanted`) nothing is done.

    Args:
        x: Any map.

    Shape:
        - Output: as the input, a view of it.

    Example:
        >>> import torch
        >>> keep_layout(torch.ones(2, 5, 7, 7)).shape
        torch.Size([2, 5, 7, 7])
    """
    if x.requires_grad and not plain_operations_wanted():
        return _KeepLayout.apply(x)
    return x


class _KeepLayout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.stride = x.stride()
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        if grad.stride() == ctx.stride:
            return grad
        like = torch.empty_strided(
            grad.shape, ctx.stride, dtype=grad.dtype, device=grad.device
        )
        return like.copy_(grad)


def tell_num_segments(model: nn.Module, num_segments: int) -> None:
    """Tell all modules below ``model`` how many frames are a clip, until told again.

    It is not taken back after a forward: activation checkpointing runs modules again
    in the backward pass.

    Args:
        model: Model with any number of :class:`SegmentModule` in it.
        num_segments: Frames T of a clip.
    """
    for module in model.modules():
        if isinstance(module, SegmentModule):
            module.num_segments = num_segments
