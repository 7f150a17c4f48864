"""Which places of a video speak for a class: gradient-weighted class activation maps.

Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based
localization.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmattn.models.backbones.base import StagedBackbone


class ClassMaps(NamedTuple):
    """Class activation maps of one video.

    Args:
        maps: Maps (rows, T, h, w), not negative: T = 1 where a row is a frame.
        class_index: The class.
        scores: Scores of the video before softmax, (classes).
    """

    maps: Tensor
    class_index: int
    scores: Tensor


def grad_cam(
    model: Any,
    batch: dict[str, Any],
    *,
    layer: str = 'backbone',
    class_index: int | None = None,
) -> ClassMaps:
    r"""Compute the class activation maps of a batch of one video.

    With the feature maps A of a layer and the score y before softmax,

    .. math:: \mathrm{ReLU}\big(\sum_k \alpha_k A^k\big), \qquad
        \alpha_k = \frac{1}{hw} \sum_{i,j} \frac{\partial y}{\partial A^k_{ij}}

    for every frame of the maps, as the host's ``GradCAM`` does, which is only for RGB,
    fails with frozen stages and leaves changes in the model. The model is not changed,
    and its memory is that of a test, plus what comes behind the layer.

    Args:
        model: Recognizer in eval mode.
        batch: What its ``test_step`` takes, of one video.
        layer: A module or stage, see :func:`find_layer`.
        class_index: Class whose score is explained; the predicted one if None.

    Raises:
        ValueError: If the layer is unknown, does not run, gives no maps or does not
            influence the score, or if the class does not exist.
    """
    module = find_layer(model, layer)
    features: list[Tensor] = []
    hook = module.register_forward_hook(lambda *call: _as_leaf(features, call[2]))
    try:
        with torch.enable_grad(), _differentiable(model):
            (sample,) = model.test_step(batch)
    finally:
        hook.remove()
    scores = sample.pred_score
    if not features:
        raise ValueError(
            f'layer: expected one that runs, got {layer!r}, which does not'
        )
    if class_index is None:
        class_index = int(scores.argmax())
    if not 0 <= class_index < len(scores):
        raise ValueError(
            f'class_index: expected 0 to {len(scores) - 1}, got {class_index}'
        )
    if not scores.requires_grad:
        raise ValueError(f'layer: expected one that the score needs, got {layer!r}')
    grads = torch.autograd.grad(scores[class_index], features)
    pairs = zip(features, grads, strict=True)
    maps = torch.cat([class_maps(x.detach(), grad) for x, grad in pairs])
    return ClassMaps(maps, class_index, scores.detach())


def class_maps(features: Tensor, grads: Tensor) -> Tensor:
    """Weight feature maps by their mean gradients and keep what is positive.

    Args:
        features: Feature maps A.
        grads: Gradients of the score with respect to them.

    Shape:
        - features, grads: (N, C, h, w) or (N, C, T, h, w).
        - Output: (N, T, h, w), with T = 1 for the first.

    Example:
        >>> maps = class_maps(torch.ones(2, 3, 5, 5), torch.full((2, 3, 5, 5), 0.5))
        >>> tuple(maps.shape), maps.max().item()
        ((2, 1, 5, 5), 1.5)
    """
    weights = grads.mean(dim=(-2, -1), keepdim=True)
    maps = (weights * features).sum(dim=1).relu()
    return maps[:, None] if maps.ndim == 3 else maps


def find_layer(model: Any, name: str) -> nn.Module:
    """Return the module whose output is explained.

    Args:
        model: Recognizer.
        name: Name of a module in the model (``'backbone'``, ``'backbone.layer4'``,
            ``'neck'``) or in its backbone (``'layer4.0'``), or a stage of our
            backbones (``'conv5'``), of which it is the last module.

    Raises:
        ValueError: If there is none; the message lists the sensible ones.
    """
    backbone = model.backbone
    modules = dict(model.named_modules())
    for full_name in (name, f'backbone.{name}'):
        if name and full_name in modules:
            return modules[full_name]
    if isinstance(backbone, StagedBackbone) and name in backbone.stage_names:
        return backbone.stage_layers(name)[-1]
    sensible = ', '.join(layer_names(model))
    raise ValueError(
        f'layer: expected a module of the model, such as {sensible}, got {name!r}'
    )


def layer_names(model: Any) -> list[str]:
    """Names for :func:`find_layer` that are sensible, from input to output.

    Args:
        model: Recognizer.
    """
    backbone = model.backbone
    if isinstance(backbone, StagedBackbone):
        return [*backbone.stage_names, 'backbone']
    children = [name for name, _ in backbone.named_children() if name != 'attentions']
    return [*children, 'backbone']


def _as_leaf(features: list[Tensor], output: Any) -> Any:
    """Put a leaf of the gradient graph in the place of the layer's (main) map."""
    maps = output if isinstance(output, (tuple, list)) else [output]
    found = [
        k for k, x in enumerate(maps) if isinstance(x, Tensor) and x.ndim in (4, 5)
    ]
    if not found:
        raise ValueError(
            'layer: expected one that gives feature maps (N, C, h, w) or (N, C, T, h, '
            f'w), got {[getattr(x, "shape", type(x)) for x in maps]}'
        )
    # Of several scales or pathways, that of most channels; the last of equal ones.
    main = max(found, key=lambda k: (maps[k].shape[1], k))
    leaf = maps[main].detach().requires_grad_()
    features.append(leaf)
    copy = leaf.clone()  # what follows may change it in place
    if isinstance(output, Tensor):
        return copy
    return type(output)(copy if k == main else x for k, x in enumerate(maps))


@contextmanager
def _differentiable(model: Any) -> Iterator[None]:
    """Scores before softmax, gradients of features only, also of a frozen backbone."""
    head = model.cls_head
    trained = [p for p in model.parameters() if p.requires_grad]
    kept = [(head, 'average_clips', head.average_clips)]
    if getattr(model, 'freeze_backbone', False) is True:
        kept.append((model, 'freeze_backbone', True))
    for parameter in trained:
        parameter.requires_grad_(False)
    head.average_clips = 'score'
    if len(kept) > 1:
        model.freeze_backbone = False
    try:
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)
        for parameter in trained:
            parameter.requires_grad_(True)
