"""Recognizer whose backbone goes on from one map after reducing several frames."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.structures import ActionDataSample
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mmattn.models.backbones.base import StagedBackbone
from mmattn.models.necks.frame_reduction import split_taps
from mmattn.models.recognizers.frame_recognizer import FrameRows, require_frames
from mmattn.registry import MODELS
from mmattn.signatures import Component, Positive


@MODELS.register_module()
class ReductionRecognizer(BaseRecognizer):
    """Reduce K frames to one map between two stages of a backbone.

    .. code-block:: text

        frames (B * crops * K) -> trunk, the stages up to the last tap
          -> reduction: maps of the tapped stages -> one map per video and crop
          -> the other stages (B * crops) -> head -> scores, averaged over crops

    The weights of the backbone keep their names (``backbone.*``), whatever the place;
    those of the reduction are named ``reduction.*``.

    At test a video has views: crops, and what else multiplies the frames. A pipeline
    says how many frames K one view has by ``num_clips``, which
    ``mmattn.PackClipInputs`` packs with the frame numbers that attention maps need;
    ``clip_len`` is 1 for RGB and the number of stacked fields for flow. K may differ
    between training and testing. Views are never mixed, with
    ``test_cfg=dict(fcn_test=True)`` or without.

    Args:
        backbone: Config of a backbone with named stages, bare or in
            :class:`~mmattn.models.AttentionBackbone`. Its last stage is the output.
        cls_head: Config of a head for single maps, called with ``num_segs=1``.
        reduction: ``dict(taps=('<stage>', ...), module=dict(type=...))``: the stages
            whose maps are handed to the module, in forward order, and the config of a
            :class:`~mmattn.models.FrameReduction`. Its result takes the place of the
            last tapped map.
        chunk_frames: Most frames that pass the trunk at once where it needs no
            gradient. At test the views of a batch, too, go on in groups of about as
            many frames.
        stored_channels: Channels of each tap where inputs are not frames but stored
            maps of the taps, side by side as ``compact`` leaves them.
        data_preprocessor: As in MMAction2.
        train_cfg: As in MMAction2; unused.
        test_cfg: ``dict(num_segs=K)`` stands for ``num_clips`` where samples lack it.

    Shape:
        - Input: (B, crops * K, C, H, W), crop after crop.
        - Features: (B * crops, C', H', W').

    Raises:
        ValueError: If ``chunk_frames`` is below 1, ``reduction`` is malformed, a tap is
            no stage or out of order, or the backbone has no named stages.

    Example:
        >>> model = ReductionRecognizer(
        ...     dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv5'),
        ...     reduction=dict(
        ...         taps=('conv2', 'conv3'), module=dict(type='mmattn.FrameMean')
        ...     ),
        ... )
        >>> model(torch.ones(2, 3, 3, 32, 48)).shape
        torch.Size([2, 32, 2, 3])
    """

    def __init__(
        self,
        backbone: Component,
        cls_head: Component | None = None,
        *,
        reduction: dict,
        chunk_frames: Positive = 64,
        stored_channels: Sequence[int] | None = None,
        data_preprocessor: Component | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
    ) -> None:
        if set(reduction) != {'taps', 'module'}:
            raise ValueError(
                "reduction: expected dict(taps=('<stage>', ...), module=dict(...)), "
                f'got {reduction}'
            )
        super().__init__(
            backbone,
            cls_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
        )
        if not isinstance(self.backbone, StagedBackbone):
            raise ValueError(
                'backbone: expected one with named stages, such as mmattn.VGG, got '
                f'{backbone["type"]}'
            )
        self.taps = _checked_taps(reduction['taps'], self.backbone.stage_names)
        self.reduction = MODELS.build(reduction['module'])
        self.chunk_frames = chunk_frames
        self.stored_channels = stored_channels

    def extract_feat(
        self,
        inputs: Tensor,
        stage: str = 'neck',
        data_samples: list[ActionDataSample] | None = None,
        test_mode: bool = False,
    ) -> tuple[Tensor, dict]:
        """Extract one map per view.

        Without ``data_samples`` and ``test_cfg``, all frames of a video are one view.

        Args:
            inputs: Batch of frames, see the class.
            stage: ``'backbone'`` or ``'neck'`` for the maps of the last stage,
                ``'head'`` for the head's raw output.
            data_samples: Samples of the B videos, with ``num_clips`` in the metainfo.
            test_mode: Whether the frames are those of a test; views may then go group
                after group, and auxiliary losses are dropped.

        Returns:
            Features of all views, and the arguments that the head needs.

        Raises:
            ValueError: If frames do not fill whole views, samples disagree, or nothing
                says at test how many frames a view has.
        """
        num_frames = self._frames_per_view(inputs, data_samples, test_mode)
        rows = FrameRows(inputs, data_samples, num_frames=num_frames)
        frames = inputs.flatten(0, 1)
        size = rows.total
        if test_mode and not self.training:
            size = max(1, self.chunk_frames // num_frames) * num_frames
        feats, losses = [], {}
        for start in range(0, rows.total, size):
            taps = self._run_trunk(frames[start : start + size], rows, start)
            with rows.sequences(num_frames, start, start + size):
                reduced, losses = self.reduction(taps, num_frames)
                _require_one_map_per_view(reduced, len(taps[-1]) // num_frames)
                feats.append(self._run_rest(reduced))
        head_kwargs = dict(num_segs=1, loss_aux={} if test_mode else losses)
        if stage != 'head':
            return torch.cat(feats), head_kwargs
        with rows.sequences(num_frames):
            return self.cls_head(torch.cat(feats), **head_kwargs), head_kwargs

    def loss(
        self, inputs: Tensor, data_samples: list[ActionDataSample], **kwargs: object
    ) -> dict[str, Tensor]:
        """Calculate the losses of the head and of the reduction.

        Args:
            inputs: Batch of frames, one view per video.
            data_samples: Ground truth of the B videos.
            **kwargs: Unused; kept for the host's callers.

        Raises:
            ValueError: If there are several views per video, or if the reduction and
                the head use the same name.
        """
        feats, head_kwargs = self.extract_feat(inputs, data_samples=data_samples)
        if len(feats) != len(data_samples):
            raise ValueError(
                'num_clips: expected one view per video in training, got '
                f'{len(feats)} views of {len(data_samples)} videos'
            )
        with _view_rows(inputs, data_samples, len(feats)):
            losses = self.cls_head.loss(feats, data_samples, **head_kwargs)
        auxiliary = head_kwargs['loss_aux']
        taken = sorted(losses.keys() & auxiliary)
        if taken:
            raise ValueError(
                f'reduction: expected other names of losses than the head has, got '
                f'{taken}'
            )
        return {**losses, **auxiliary}

    def predict(
        self, inputs: Tensor, data_samples: list[ActionDataSample], **kwargs: object
    ) -> list[ActionDataSample]:
        """Predict one score vector per video, averaged over its views by the head.

        Args:
            inputs: Batch of frames.
            data_samples: Samples of the B videos.
            **kwargs: Unused; kept for the host's callers.
        """
        feats, head_kwargs = self.extract_feat(
            inputs, data_samples=data_samples, test_mode=True
        )
        with _view_rows(inputs, data_samples, len(feats)):
            return self.cls_head.predict(feats, data_samples, **head_kwargs)

    def _frames_per_view(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None,
        test_mode: bool,
    ) -> int:
        if not isinstance(inputs, Tensor) or inputs.ndim != 5:
            got = inputs.shape if isinstance(inputs, Tensor) else type(inputs)
            raise ValueError(f'inputs: expected a batch (B, M, C, H, W), got {got}')
        require_frames(inputs)
        count = inputs.shape[1]
        stated = {sample.get('num_clips') for sample in data_samples or ()} - {None}
        if not stated and (test_mode or data_samples is None):
            stated = {(self.test_cfg or {}).get('num_segs')} - {None}
        if not stated and test_mode:
            raise ValueError(
                "num_clips: expected it in the metainfo, from the test pipeline's "
                "dict(type='mmattn.PackClipInputs'), or num_segs in test_cfg, got "
                'neither'
            )
        num_frames = stated.pop() if stated else count
        if stated or num_frames < 1 or count % num_frames:
            raise ValueError(
                'num_clips: expected the same in all samples of a batch and a divisor '
                f'of the {count} frames of a video, got {sorted({num_frames, *stated})}'
            )
        return num_frames

    def _run_trunk(
        self, frames: Tensor, rows: FrameRows, first: int
    ) -> tuple[Tensor, ...]:
        if self.stored_channels is not None:
            return split_taps(frames, self.stored_channels)
        size = len(frames) if self._trunk_learns() else self.chunk_frames
        parts = []
        for chunk in frames.split(size):
            with rows.frames(first, first + len(chunk)):
                parts.append(self.reduction.compact(tuple(self._tapped(chunk))))
            first += len(chunk)
        return tuple(torch.cat(maps) for maps in zip(*parts, strict=True))

    def _tapped(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        start = None
        for tap in self.taps:
            stop = self._stage_after(tap)
            x = self.backbone.forward_stages(x, start, stop)
            maps.append(x)
            start = stop
        return maps

    def _run_rest(self, x: Tensor) -> Tensor:
        start = self._stage_after(self.taps[-1])
        return x if start is None else self.backbone.forward_stages(x, start)

    def _stage_after(self, name: str) -> str | None:
        names = self.backbone.stage_names
        following = names.index(name) + 1
        return names[following] if following < len(names) else None

    def _trunk_learns(self) -> bool:
        """Whether the trunk needs gradients or statistics over the batch."""
        names = self.backbone.stage_names
        trunk = names[: names.index(self.taps[-1]) + 1]
        layers = [layer for name in trunk for layer in self.backbone.stage_layers(name)]
        # Of the modules of an AttentionBackbone some are in the trunk.
        layers += getattr(self.backbone, 'attentions', ())
        needs_grad = torch.is_grad_enabled() and any(
            parameter.requires_grad
            for layer in layers
            for parameter in layer.parameters()
        )
        return needs_grad or any(
            isinstance(module, _BatchNorm) and module.training
            for layer in layers
            for module in layer.modules()
        )


def _view_rows(
    inputs: Tensor, data_samples: list[ActionDataSample], num_views: int
) -> AbstractContextManager:
    num_frames = inputs.shape[0] * inputs.shape[1] // num_views
    rows = FrameRows(inputs, data_samples, num_frames=num_frames)
    return rows.sequences(num_frames)


def _checked_taps(taps: Sequence[str], stage_names: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(taps, str) or not taps or set(taps) - set(stage_names):
        raise ValueError(
            f'reduction.taps: expected stages among {stage_names}, got {taps!r}'
        )
    in_order = tuple(name for name in stage_names if name in taps)
    if tuple(taps) != in_order:
        raise ValueError(
            f'reduction.taps: expected each stage once and in forward order, '
            f'{in_order}, got {tuple(taps)}'
        )
    return in_order


def _require_one_map_per_view(reduced: Tensor, num_views: int) -> None:
    if len(reduced) != num_views:
        raise ValueError(
            f'reduction: expected one map for each of {num_views} views, got '
            f'{len(reduced)}'
        )
