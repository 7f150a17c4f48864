"""Every kind of map through one interface: those of one clip and one class."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from mmattn.attention.maps import (
    AttentionMap,
    Picks,
    attention_maps,
    with_frame_numbers,
)
from mmattn.attention.records import AttentionRecord, AttentionRecords
from mmattn.explain.clips import ScoredClip
from mmattn.inference.attend import attend
from mmattn.utils.arguments import require_choice
from mmattn.visualization.grad_cam import METHODS as CLASS_METHODS
from mmattn.visualization.grad_cam import NO_LAYER, REGION, feature_maps, grad_cam
from mmattn.visualization.heat_overlay import place_heat

MapSource = Callable[[ScoredClip], list[AttentionMap]]
METHODS = ('attention', *CLASS_METHODS, 'score_cam')
DEFAULTS = ('attention', 'grad_cam')
SCORE_CAM_CHANNELS = 32
REDRAWN = ('head', 'all')


def map_source(
    method: str,
    *,
    names: Sequence[str] | None = None,
    picks: Picks | None = None,
    layer: str = 'backbone',
) -> MapSource:
    """Return what makes the maps of a clip for the class that it explains.

    Args:
        method: ``'attention'`` for what the model's modules hand out; one of
            :data:`mmattn.visualization.grad_cam.METHODS`; ``'score_cam'``.
        names: Patterns of the attention maps; all by default.
        picks: See :func:`mmattn.attention.maps.attention_maps`.
        layer: Module whose maps are weighted, see
            :func:`mmattn.visualization.grad_cam.find_layer`.

    Raises:
        ValueError: If the method is unknown.
    """
    require_choice('maps', method, METHODS)
    if method == 'attention':
        return lambda clip: recorded_maps(clip, names=names, picks=picks)
    if method == 'score_cam':
        return lambda clip: score_cam(clip, layer=layer)
    return lambda clip: class_maps(clip, layer=layer, method=method)


def recorded_maps(
    clip: ScoredClip,
    *,
    names: Sequence[str] | None = None,
    picks: Picks | None = None,
) -> list[AttentionMap]:
    """Return the attention maps of a clip, of a detector those of its person.

    Args:
        clip: The clip.
        names: See :func:`map_source`.
        picks: See :func:`map_source`.

    Raises:
        ValueError: If a pattern fits no map.
    """
    ((_, records),) = attend(clip.model, [clip.item()])
    records = with_frame_numbers(records.matching(names), clip.seen.numbers)
    return [
        _of_any_person(attention)
        for record in records
        for attention in attention_maps(record, picks=picks)
        if attention.roi in (None, clip.person)
    ]


def _of_any_person(attention: AttentionMap) -> AttentionMap:
    """The map without the number of its region: all persons are judged together."""
    name = attention.name.replace(f' region {attention.roi}', '', 1)
    return replace(attention, name=name)


def class_maps(
    clip: ScoredClip, *, layer: str = 'backbone', method: str = 'grad_cam'
) -> list[AttentionMap]:
    """Return the gradient-weighted maps of a clip, of a detector those of its person.

    Args:
        clip: The clip.
        layer: See :func:`map_source`.
        method: One of :data:`mmattn.visualization.grad_cam.METHODS`.

    Raises:
        ValueError: If the layer's maps are not of the frames that the model sees.
    """
    found = grad_cam(
        clip.model,
        pseudo_collate([clip.item()]),
        layer=layer,
        class_index=clip.class_index,
        method=method,
        person=clip.person,
    )
    name = method if method in NO_LAYER else f'{method} {layer}'
    if layer == REGION and method not in NO_LAYER:
        own = map_of(name, found.maps[clip.person : clip.person + 1], clip)
        return [replace(own, roi=clip.person)]
    return [map_of(name, found.maps, clip)]


def score_cam(clip: ScoredClip, *, layer: str = 'backbone') -> list[AttentionMap]:
    """Weight feature maps by the score of the clip that is seen through them.

    Wang et al., Score-CAM: score-weighted visual explanations for convolutional neural
    networks. Each map, scaled to 0 to 1 over the clip, is a mask; what it hides is
    the mean color of the clip.

    Differs from the paper in: weights are what the score gains over the mean color
    alone, not its softmax over the maps, and only the 32 maps that vary most are tried.

    Args:
        clip: The clip.
        layer: See :func:`map_source`.

    Raises:
        ValueError: See :func:`class_maps`.
    """
    features = feature_maps(clip.model, pseudo_collate([clip.item()]), layer)
    by_channel = [map_of(f'score_cam {layer}', x, clip) for x in features.unbind(dim=1)]
    heats = np.stack([np.asarray(one.heat) for one in by_channel])  # (C, F', h, w)
    flat = heats.reshape(len(heats), -1)
    spread = np.ptp(flat, axis=1)
    kept = np.argsort(-flat.std(axis=1), kind='stable')[:SCORE_CAM_CHANNELS]
    kept = kept[spread[kept] > 0]
    mean = clip.frames.double().mean(dim=(0, 2, 3), keepdim=True).expand_as(clip.frames)
    height, width = clip.frames.shape[-2:]
    base = by_channel[0]
    nearest = np.abs(clip.numbers[:, None] - base.numbers).argmin(axis=1)
    hidden, total = clip.scores([_pixels(mean, clip)])[0], np.zeros(heats.shape[1:])
    for k in kept:
        scaled = (heats[k] - heats[k].min()) / spread[k]
        placed = place_heat(scaled, (height, width))[nearest]
        mask = torch.from_numpy(placed)[:, None]
        seen = mask * clip.frames + (1 - mask) * mean
        total += max(0.0, clip.scores([_pixels(seen, clip)])[0] - hidden) * heats[k]
    maps = torch.from_numpy(total.clip(min=0))[:, None]  # of frames one by one
    record = AttentionRecord(
        base.name,
        maps,
        ('row', 'frame', 'y', 'x'),
        frames=torch.from_numpy(base.numbers)[:, None],
    )
    return attention_maps(record)


def _pixels(clip: torch.Tensor, like: ScoredClip) -> torch.Tensor:
    return clip.round().clamp(0, 255).to(like.frames.dtype)


def map_of(name: str, maps: torch.Tensor, clip: ScoredClip) -> AttentionMap:
    """Put maps of the rows of a network's input in the order of the clip's frames.

    Args:
        name: Name of the map.
        maps: One map for each frame, or each n-th one, of each row.
        clip: The clip.

    Shape:
        - maps: (rows, T, h, w)

    Raises:
        ValueError: If the maps are not of these frames.
    """
    record = AttentionRecord(name, maps.detach(), ('row', 'frame', 'y', 'x'))
    found = [
        attention
        for one in with_frame_numbers(AttentionRecords([record]), clip.seen.numbers)
        for attention in attention_maps(one)
    ]
    if not found:
        raise ValueError(
            f'layer: expected maps of {len(clip.numbers)} frames, got '
            f'{tuple(maps.shape)} from {name!r}'
        )
    return found[0]


def redrawn(model: Any, what: str, *, seed: int = 0) -> Any:
    """Copy a model with weights drawn anew, from the same mean and spread.

    A map that does not change with them does not show what the model has learned
    (Adebayo et al., Sanity checks for saliency maps).

    Args:
        model: The model.
        what: ``'head'``, the part that classifies, or ``'all'``.
        seed: Of the weights.

    Raises:
        ValueError: If ``what`` is unknown.

    Example:
        >>> parts = dict(backbone=torch.nn.Linear(3, 5), cls_head=torch.nn.Linear(5, 2))
        >>> model = torch.nn.ModuleDict(parts)
        >>> other = redrawn(model, 'head')
        >>> [torch.equal(model[k].weight, other[k].weight) for k in other]
        [True, False]
    """
    require_choice('redrawn', what, REDRAWN)
    changed = copy.deepcopy(model)
    heads = ('cls_head', 'roi_head')
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in changed.named_parameters():
            if what == 'all' or name.split('.')[0] in heads:
                noise = torch.randn(weights.shape, generator=generator)
                spread = weights.std() if weights.numel() > 1 else weights.abs()
                mean = weights.mean() if weights.numel() > 1 else 0.0
                weights.copy_(mean + spread * noise.to(weights))
    return changed.eval()
