"""Attention in a trained network, which it leaves as it is at the start."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmattn.models.layers.build import build_attention
from mmattn.registry import MODELS
from mmattn.signatures import Component


@MODELS.register_module()
class FadeIn(BaseModule):
    r"""Let an attention module take effect as training goes on.

    :math:`y = x + s (f(x) - x)`, where f is the module and s a learned scale of each
    channel that starts at 0: the network's first output is the one without the module,
    bit for bit. A module that itself returns its input at first has to start at 1:
    with 0 neither the scale nor the module would ever get a gradient.

    Args:
        in_channels: Channels of the map.
        module: Config of a module whose output has the shape of its input.
        per_frame: Give the frames of a clip to the module one by one, as maps of a
            batch, for modules that take (N, C, H, W) alone.
        start: First value of the scale.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (N, C, H, W) or (N, C, T, H, W).
        - Output: as the input.

    Raises:
        ValueError: If the module changes the shape.

    Example:
        >>> gate = dict(type='mmattn.SqueezeExcitation')
        >>> x = torch.rand(2, 32, 5, 7)
        >>> torch.equal(FadeIn(32, gate)(x), x)
        True
    """

    def __init__(
        self,
        in_channels: int,
        module: Component,
        *,
        per_frame: bool = False,
        start: float = 0.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = in_channels
        self.per_frame = per_frame
        self.module = build_attention('module', module, in_channels)
        self.scale = nn.Parameter(torch.full((in_channels,), float(start)))

    def forward(self, x: Tensor) -> Tensor:
        """Blend the module's output in."""
        if self.per_frame and x.dim() == 5:
            frames = x.transpose(1, 2).flatten(0, 1)  # (N T, C, H, W)
            attended = self.module(frames)
            attended = attended.unflatten(0, (len(x), -1)).transpose(1, 2)
        else:
            attended = self.module(x)
        if attended.shape != x.shape:
            raise ValueError(
                f'module: expected an output of {tuple(x.shape)}, the shape of its '
                f'input, got {tuple(attended.shape)}'
            )
        scale = self.scale.view(-1, *[1] * (x.dim() - 2))
        return x + scale * (attended - x)
