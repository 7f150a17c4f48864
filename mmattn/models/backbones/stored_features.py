"""Backbone stand-in for features that were extracted beforehand."""

import torch
from mmengine.model import BaseModule

from mmattn.registry import MODELS


@MODELS.register_module()
class StoredFeatures(BaseModule):
    """Pass stored features through, so that a head trains on them alone.

    Its state dict is empty: a head trained on stored features joins the network that
    made them with ``tools/convert/join_checkpoints.py``.

    Shape:
        - Input and output: (frames, C) or (frames, C, h, w).

    Example:
        >>> StoredFeatures()(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Return ``feats`` unchanged."""
        return feats
