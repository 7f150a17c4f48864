"""Attention for maps between the blocks of a transformer."""

from typing import Literal

from mmengine.model import BaseModule
from torch import Tensor, cat

from mmattn.models.layers.build import build_attention
from mmattn.registry import MODELS
from mmattn.signatures import Component, NotNegative, Positive


@MODELS.register_module()
class TokenAttention(BaseModule):
    """Make tokens a map for an attention module, and its output tokens again.

    Class tokens pass by unchanged.

    Args:
        in_channels: Channels C of the tokens.
        module: Config of a module that takes maps (N, C, T, H, W) and keeps their
            shape.
        grid: Frames T, height H and width W of the map.
        class_tokens: How many tokens before those of the map belong to no place.
        order: ``'time first'`` for tokens that lie frame by frame, as in ViT and MViT,
            ``'time last'`` for those of one place next to each other, as in
            TimeSformer.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (N, class_tokens + T * H * W, C).
        - Output: as the input.

    Raises:
        ValueError: If an argument is out of its range, or there are other numbers of
            tokens.

    Example:
        >>> import torch
        >>> gate = dict(type='mmattn.SqueezeExcitation')
        >>> module = TokenAttention(32, gate, grid=(2, 3, 5), class_tokens=1)
        >>> module(torch.ones(7, 31, 32)).shape
        torch.Size([7, 31, 32])
    """

    def __init__(
        self,
        in_channels: int,
        module: Component,
        *,
        grid: tuple[Positive, Positive, Positive],
        class_tokens: NotNegative = 0,
        order: Literal['time first', 'time last'] = 'time first',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = in_channels
        self.grid = tuple(grid)
        self.class_tokens = class_tokens
        self.time_last = order == 'time last'
        self.module = build_attention('module', module, in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to the tokens of the map."""
        T, H, W = self.grid
        expected = (self.class_tokens + T * H * W, self.in_channels)
        if tuple(x.shape[1:]) != expected:
            raise ValueError(
                f'tokens: expected (N, {expected[0]}, {expected[1]}) for a grid of '
                f'{self.grid} and {self.class_tokens} class tokens, got '
                f'{tuple(x.shape)}: the input of the network has another size'
            )
        apart, tokens = x[:, : self.class_tokens], x[:, self.class_tokens :]
        if self.time_last:
            maps = tokens.unflatten(1, (H, W, T)).permute(0, 4, 3, 1, 2)
        else:
            maps = tokens.unflatten(1, (T, H, W)).permute(0, 4, 1, 2, 3)
        maps = self.module(maps)  # (N, C, T, H, W)
        order = (0, 3, 4, 2, 1) if self.time_last else (0, 2, 3, 4, 1)
        return cat([apart, maps.permute(order).flatten(1, 3)], dim=1)
