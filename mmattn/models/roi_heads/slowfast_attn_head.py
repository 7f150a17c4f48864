"""SlowFast self-attention on the features of regions.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition, section 3 and Fig. 1.
"""

from typing import Any

import numpy as np
from torch import Tensor

from mmattn.attention.capture import attention_rows, attention_wanted
from mmattn.models.layers.slowfast_attn import SlowFastAttention
from mmattn.registry import MODELS


@MODELS.register_module()
class SlowFastSharedHead(SlowFastAttention):
    """Shared head of a RoI head: attention inside of each person's region.

    Takes the place of MMAction2's ``ACRNHead`` or ``FBOHead`` with any backbone; the
    box head's ``in_channels`` is the attribute ``out_channels`` of this module. A
    region extractor with ``with_temporal_pool=False`` leaves it the time axis.

    Args:
        As in :class:`~mmattn.models.layers.SlowFastAttention`.

    Shape:
        - Input: regions (R, in_channels, T, H, W) and boxes (R, 5) whose first column
          is the index of the video; the video's features are not looked at.
        - Output: (R, out_channels, 1, 1, 1).

    Example:
        >>> import torch
        >>> head = SlowFastSharedHead(16)
        >>> head(torch.ones(3, 16, 4, 7, 7), rois=torch.zeros(3, 5)).shape
        torch.Size([3, 64, 1, 1, 1])
    """

    def forward(
        self,
        x: Tensor,
        feat: Tensor | None = None,
        rois: Tensor | None = None,
        img_metas: list[dict] | None = None,
    ) -> Tensor:
        """Attend inside of the regions; maps know their video, region and box."""
        if rois is None or not attention_wanted():
            return super().forward(x)
        sample = rois[:, 0].long().tolist()
        roi = [sample[:k].count(index) for k, index in enumerate(sample)]
        with attention_rows(sample=sample, roi=roi, **_places(rois, img_metas)):
            return super().forward(x)


def _places(rois: Tensor, img_metas: list[dict] | None) -> dict[str, Any]:
    """Boxes in fractions of the frame and the frames' numbers, as far as known."""
    if not img_metas or not len(rois):
        return {}
    metas = [img_metas[index] for index in rois[:, 0].long().tolist()]
    known: dict[str, Any] = {}
    if all('img_shape' in meta for meta in metas):
        sizes = [meta['img_shape'][1::-1] * 2 for meta in metas]
        known['boxes'] = rois[:, 1:] / rois.new_tensor(sizes)
    if all('frame_inds' in meta for meta in metas):
        known['frames'] = np.stack([np.ravel(meta['frame_inds']) for meta in metas])
    return known
