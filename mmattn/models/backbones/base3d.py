"""What our 3D backbones share: clips as input, and weights of 2D networks."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmattn.models.backbones.base import StagedBackbone
from mmattn.models.weights.inflate import inflate_like
from mmattn.signatures import Positive


class StagedBackbone3d(StagedBackbone):
    """A chain of named stages for clips.

    Args:
        in_channels: Channels of a frame, 3 for RGB and 2 for flow.
        out: As in :class:`~mmattn.models.backbones.base.StagedBackbone`.
        pretrained2d: Whether the checkpoint of ``init_cfg`` holds a 2D network, whose
            kernels are inflated.
        **options: The other arguments of that class.

    Shape:
        - Input: (N, in_channels, T, H, W).

    Raises:
        ValueError: If an option is out of range, or a clip has another shape.
    """

    def __init__(
        self,
        in_channels: Positive = 3,
        out: str | Sequence[str] | None = None,
        *,
        pretrained2d: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(in_channels, out, **options)
        self.pretrained2d = pretrained2d

    def name_in_3d(self, name: str) -> str:
        """Name here of a tensor of the 2D network."""
        return name

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return one map if ``out`` is a name, a tuple if it is a sequence."""
        if x.dim() != 5 or x.shape[1] != self.in_channels or 0 in x.shape[2:]:
            raise ValueError(
                f'clips: expected (N, {self.in_channels}, T, H, W) with at least one '
                f'frame and pixel, got {tuple(x.shape)}'
            )
        return super().forward(x)

    def key_map(self, name: str, tensor: Tensor) -> tuple[str, Tensor] | None:
        """Rename and inflate the weights of a 2D network if ``pretrained2d``."""
        if not self.pretrained2d:
            return name, tensor
        name = self.name_in_3d(name)
        target = self.state_dict().get(name)
        return name, tensor if target is None else inflate_like(tensor, target)
