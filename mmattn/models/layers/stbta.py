"""Spatial-temporal bottom-up top-down attention module.

Wang and Ma, Spatial-temporal bottom-up top-down attention model for action
recognition, section 3.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmattn.attention.capture import attention_wanted
from mmattn.models.layers.build import build_attention
from mmattn.models.layers.clips import ClipModule, keep_layout
from mmattn.models.layers.stbta_hourglass import Hourglass
from mmattn.registry import MODELS
from mmattn.signatures import Component, Positive
from mmattn.utils.autograd import recomputing_possible

SPATIAL = {'sam1': 'mmattn.SpatialAttentionI', 'sam2': 'mmattn.SpatialAttentionII'}
TEMPORAL = {'tam': 'mmattn.TemporalAttention'}
CHANNEL = {'se': 'mmattn.SqueezeExcitation'}


@MODELS.register_module()
class STBTA(ClipModule):
    r"""Add to a map what matters of all its scales: where, when, and which channels.

    Implements section 3 of Spatial-temporal bottom-up top-down attention model for
    action recognition: :math:`u = hourglass(x)`, :math:`y = SE(TAM(SAM(u)))`, and the
    output :math:`x + y`. Frames are looked at one by one but for TAM.

    Differs from the paper in: the order of SAM and TAM, "two branch" there, and the
    form of the channel attention are not given; its tables hold no channel attention,
    and none (``channel_attention='none'``) fits them better.

    Args:
        in_channels: Channels C of the map.
        t: Number of down- and of up-samplings of the hourglass.
        spatial_attention: 'sam1', 'sam2', 'none', or the config of a module.
        temporal_attention: 'tam', 'none', or the config of a module.
        channel_attention: 'se', 'none', or the config of a module.
        hourglass: Further options of :class:`Hourglass`.
        arrangement: 'sequential' for SAM then TAM, 'parallel' for the sum of both.
        sam_every_upsample: Spatial attention after each up-sampling, not only after
            the last; the same for t = 1.
        residual: Whether :math:`x` is added.
        zero_init: Multiply :math:`y` by a learned scale per channel that starts at 0:
            a fresh module changes nothing of a pretrained network's features.
        with_cp: Recompute the attentions, and of the hourglass the pooling, in the
            backward pass: they take little time, and most of the module's memory.
        num_segments: Frames T of a clip in a batch of frames; 1 for frames on their
            own. :class:`SegmentRecognizer` reads it from the data; None, with TAM, is
            refused elsewhere.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (B*T, C, H, W), frame index fastest, or (B, C, T, H, W); H and W at
          least 2^t.
        - Output: as the input.

    Raises:
        ValueError: If an option is out of range, a map is too small or has another
            shape, or the batch is no whole number of clips.

    Example:
        >>> import torch
        >>> STBTA(32, t=2, num_segments=3)(torch.ones(6, 32, 7, 11)).shape
        torch.Size([6, 32, 7, 11])
        >>> STBTA(32, spatial_attention='sam2')(torch.ones(2, 32, 3, 7, 11)).shape
        torch.Size([2, 32, 3, 7, 11])
    """

    layer_options: ClassVar[dict[str, type]] = {'hourglass': Hourglass}

    def __init__(
        self,
        in_channels: Positive,
        t: int = 1,
        *,
        spatial_attention: str | Component = 'sam1',
        temporal_attention: str | Component = 'tam',
        channel_attention: str | Component = 'se',
        hourglass: dict | None = None,
        arrangement: Literal['sequential', 'parallel'] = 'sequential',
        sam_every_upsample: bool = False,
        residual: bool = True,
        zero_init: bool = False,
        with_cp: bool = True,
        num_segments: Positive | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_segments, init_cfg)
        sam = _config_of('spatial_attention', spatial_attention, SPATIAL)
        tam = _config_of('temporal_attention', temporal_attention, TEMPORAL)
        se = _config_of('channel_attention', channel_attention, CHANNEL)
        self.in_channels = in_channels
        self.arrangement = arrangement
        self.residual = residual
        self.with_cp = with_cp
        self.hourglass = Hourglass(
            in_channels,
            t,
            **dict(
                attention=sam if sam_every_upsample else None,
                with_cp=with_cp,
                **(hourglass or {}),
            ),
        )
        self.spatial_attention = _build('spatial_attention', sam, in_channels)
        self.temporal_attention = _build('temporal_attention', tam, in_channels)
        self.channel_attention = _build('channel_attention', se, in_channels)
        self.scale: nn.Parameter | None = None
        if zero_init:
            self.scale = nn.Parameter(torch.zeros(in_channels, 1, 1, 1))

    def forward_clips(self, x: Tensor) -> Tensor:
        """Refine clips."""
        u = self.hourglass(x)
        # A capture would see what is recomputed a second time.
        if self.with_cp and recomputing_possible() and not attention_wanted():
            y = checkpoint(self._refine, u, use_reentrant=False)
        else:
            y = self._refine(u)
        y = keep_layout(y)
        return x + y if self.residual else y

    def _refine(self, u: Tensor) -> Tensor:
        y = self._attend(u)
        if self.channel_attention is not None:
            y = self.channel_attention(y)
        return y if self.scale is None else y * self.scale

    def _attend(self, u: Tensor) -> Tensor:
        sam, tam = self.spatial_attention, self.temporal_attention
        if self.arrangement == 'parallel' and sam is not None and tam is not None:
            return sam(u) + tam(u)
        for module in (sam, tam):
            u = u if module is None else module(u)
        return u


def _config_of(key: str, value: str | dict, types: dict[str, str]) -> dict | None:
    if isinstance(value, dict):
        return value
    if value not in ('none', *types):
        raise ValueError(
            f'{key}: expected one of {(*types, "none")} or a config, got {value!r}'
        )
    return None if value == 'none' else dict(type=types[value])


def _build(key: str, config: dict | None, channels: int) -> nn.Module | None:
    return None if config is None else build_attention(key, config, channels)
