"""Pyramid attention between two stages of a backbone.

Du et al., Interaction-aware spatio-temporal pyramid attention networks for action
classification.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmattn.models.layers.pyramid import Fusion, Norm, Pool, PyramidAttention, Size
from mmattn.models.necks.frame_reduction import FrameReduction, Reduced
from mmattn.registry import MODELS

LOSSES = (
    {'type': 'mmattn.PyramidInteractionLoss'},
    {'type': 'mmattn.PyramidAttentionLoss'},
)


@MODELS.register_module()
class PyramidAttentionNeck(FrameReduction):
    """Reduce the maps of K frames to one by attention on a pyramid of stages.

    Implements Eq. (1)-(8) of Interaction-aware spatio-temporal pyramid attention
    networks as a reduction of :class:`~mmattn.models.ReductionRecognizer`, see
    :class:`~mmattn.models.layers.PyramidAttention`. With ``num_frames=1`` it attends
    over the positions of one frame, section 3.1.

    Args:
        in_channels: Channels of the taps, in forward order; one tap per scale.
        top_size: Height and width of the last tap's map, which depend on the size of
            the frames; None for a vector, see the layer.
        fusion: 'mul', 'sum' or 'max', see the layer.
        pool: 'adaptive', 'average', 'conv', 'cascade2' or 'cascade3', see the layer.
        norm: 'l2' or 'sum', see the layer.
        whole_frames: Whether each map is averaged to one position first, so that frames
            are attended to as wholes; ``top_size`` is (1, 1) then.
        losses: Configs of the losses on the attention, Eq. (6)-(8), each logged under
            its ``log_name``; empty for none. They are computed in training mode only.
        init_cfg: As in MMEngine.

    Shape:
        - Input: taps (V K, C_j, H_j, W_j), the K frames of a view next to each other.
        - Output: (V, C, H, W) as the last tap, and the losses by name.

    Raises:
        ValueError: If an option is out of range, two losses have one name, or maps do
            not fit.

    Example:
        >>> import torch
        >>> neck = PyramidAttentionNeck((3, 5), (2, 2))
        >>> taps = torch.ones(2 * 7, 3, 4, 4), torch.ones(2 * 7, 5, 2, 2)
        >>> reduced, losses = neck(taps, num_frames=7)
        >>> reduced.shape, list(losses)
        (torch.Size([2, 5, 2, 2]), ['loss_inter', 'loss_attn'])
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        top_size: Size | None,
        *,
        fusion: Fusion = 'mul',
        pool: Pool = 'adaptive',
        norm: Norm = 'l2',
        whole_frames: bool = False,
        losses: Sequence[dict] = LOSSES,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.attention = PyramidAttention(
            in_channels, top_size, fusion=fusion, pool=pool, norm=norm
        )
        self.whole_frames = whole_frames
        self.losses = nn.ModuleList(MODELS.build(cfg) for cfg in losses)
        names = [loss.log_name for loss in self.losses]
        if len(set(names)) < len(names):
            raise ValueError(f'losses: expected each once, got {names}')

    def compact(self, taps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pool the maps to the size of the last, Eq. (1), or to one position."""
        if self.whole_frames:
            return tuple(x.mean(dim=(2, 3), keepdim=True) for x in taps)
        return self.attention.pool_maps(taps)

    def forward(self, taps: tuple[Tensor, ...], num_frames: int) -> Reduced:
        """Reduce K frames of each of V views to one map."""
        taps = self.compact(taps) if self.whole_frames else taps
        output = self.attention(taps, num_frames=num_frames)
        if not self.training:
            return output.aggregated, {}
        losses = {str(loss.log_name): loss(output) for loss in self.losses}
        return output.aggregated, losses
