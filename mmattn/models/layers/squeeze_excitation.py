"""Channel attention: Hu et al., Squeeze-and-excitation networks, section 3."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmattn.attention.capture import emit_attention
from mmattn.registry import MODELS
from mmattn.signatures import Positive


@MODELS.register_module()
class SqueezeExcitation(BaseModule):
    r"""Scale each channel by a weight computed from the means of all channels.

    Implements Eq. (2)-(4) of Squeeze-and-excitation networks:
    :math:`z_c` is the mean of channel c over the frame,
    :math:`s = \sigma(W_2 \max(0, W_1 z + b_1) + b_2)`, and
    :math:`\tilde x_c = s_c x_c`. Each frame of a clip has weights of its own.

    Hands out its weights as the attention map ``channel_weights``.

    Args:
        in_channels: Channels C of the map.
        reduction: Ratio r of C to the width of the hidden layer, which is at least 1.
        init_cfg: As in MMEngine.

    Shape:
        - Input: (N, C, H, W) or (N, C, T, H, W).
        - Output: as the input.

    Raises:
        ValueError: If ``reduction`` is below 1 or a map has another shape.

    Example:
        >>> import torch
        >>> SqueezeExcitation(32)(torch.ones(2, 32, 5, 7)).shape
        torch.Size([2, 32, 5, 7])
    """

    def __init__(
        self,
        in_channels: Positive,
        reduction: Positive = 16,
        *,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = in_channels
        hidden = max(in_channels // reduction, 1)
        self.fc1 = nn.Linear(in_channels, hidden)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Linear(hidden, in_channels)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Weight the channels of a map."""
        if x.dim() not in (4, 5) or x.shape[1] != self.in_channels:
            raise ValueError(
                f'map: expected (N, {self.in_channels}, H, W) or '
                f'(N, {self.in_channels}, T, H, W), got {tuple(x.shape)}'
            )
        z = x.mean(dim=(-2, -1)).movedim(1, -1)  # Eq. (2): (N, C) or (N, T, C)
        s = self.sigmoid(self.fc2(self.relu(self.fc1(z))))  # Eq. (3)
        axes = ('row', 'channel') if x.dim() == 4 else ('row', 'frame', 'channel')
        emit_attention(self, 'channel_weights', s, axes)
        return x * s.movedim(-1, 1)[..., None, None]  # Eq. (4)
