"""Frames that a per-frame network has seen are not computed again."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from typing import Any

import torch
from torch import Tensor

from mmattn.models.backbones.attention_backbone import AttentionBackbone
from mmattn.models.backbones.base import StagedBackbone


@contextmanager
def remembered_frames(model: Any) -> Iterator[None]:
    """Let a recognizer compute each frame's features once while this is open.

    For clips that differ in which of the same frames they hold. Does nothing for 3D
    networks, or where modules of attention stand between a network's stages. All
    features are kept until the end.

    Args:
        model: Recognizer or detector in eval mode.
    """
    network: Any = getattr(model, 'backbone', None)
    alone = isinstance(network, StagedBackbone) and isinstance(network.out, str)
    if not alone or isinstance(network, AttentionBackbone):  # which may mix frames
        yield
        return
    compute = network.forward
    features: dict[bytes, Tensor] = {}

    def recall(frames: Tensor) -> Tensor:
        if frames.ndim != 4:
            return compute(frames)
        keys = [sha1(frame.cpu().numpy().tobytes()).digest() for frame in frames]
        new = {key: k for k, key in enumerate(keys) if key not in features}
        if new:
            features.update(zip(new, compute(frames[list(new.values())]), strict=True))
        return torch.stack([features[key] for key in keys])

    network.forward = recall
    try:
        yield
    finally:
        del network.forward
