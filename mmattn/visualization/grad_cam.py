"""Which places of a video speak for a class, by gradients of its score."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MethodType
from typing import Any, NamedTuple

import torch
from mmaction.models.heads import BaseHead
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn

from mmattn.inference.models import class_explained, is_detector
from mmattn.models.backbones.base import StagedBackbone
from mmattn.models.heads import MultiLabelTSNHead
from mmattn.models.recognizers import ReductionRecognizer
from mmattn.utils.arguments import require_choice
from mmattn.visualization.class_weightings import WEIGHTINGS
from mmattn.visualization.rollout import (
    ROLLOUTS,
    AttentionLayer,
    attention_layers,
    roll_out,
)

REGION = 'region'
METHODS = (*WEIGHTINGS, *ROLLOUTS)
NO_LAYER = ('gradient', *ROLLOUTS)  # methods that say what enters the network


class ClassMaps(NamedTuple):
    """Class activation maps of one video.

    Args:
        maps: Maps (rows, T, h, w), not negative: T = 1 where a row is a frame.
        class_index: The class.
        scores: Scores of the video before softmax or sigmoid, (classes).
        prob: Probability of the class.
    """

    maps: Tensor
    class_index: int
    scores: Tensor
    prob: float


def grad_cam(
    model: Any,
    batch: dict[str, Any],
    *,
    layer: str = 'backbone',
    class_index: int | None = None,
    method: str = 'grad_cam',
    person: int = 0,
) -> ClassMaps:
    """Compute the class activation maps of a batch of one video.

    What weights the layer's feature maps is one of
    :data:`~mmattn.visualization.class_weightings.WEIGHTINGS`. ``'grad_cam'`` is as the
    host's ``GradCAM``, which is only for RGB, fails with frozen stages and leaves
    changes in the model. The model is not changed, and its memory is that of a test,
    plus what comes behind the layer.

    Of a detector the score of one person's action is explained.

    Args:
        model: Recognizer or detector in eval mode.
        batch: What its ``test_step`` takes, of one video.
        layer: A module or stage, see :func:`find_layer`.
        class_index: Class whose score is explained; the predicted one if None.
        method: One of :data:`METHODS`. ``'gradient'`` needs no layer: it is the size
            of the gradient with respect to the frames that enter the backbone; neither
            do ``'rollout'`` and ``'class_rollout'``, see
            :func:`~mmattn.visualization.rollout.roll_out`.
        person: Index of a detector's region.

    Raises:
        ValueError: If the layer is unknown, does not run, gives no maps or does not
            influence the score, if the method, class or person does not exist, or if
            attention cannot be rolled out.
    """
    require_choice('method', method, METHODS)
    attends = _attention(model) if method in ROLLOUTS else nullcontext([])
    features: list[Tensor] = []
    if method in NO_LAYER:
        hook = _entrance(model).register_forward_pre_hook(
            lambda module, args: (_as_leaf(features, args[0]), *args[1:])
        )
    else:
        module = find_layer(model, layer)
        cut = layer == REGION  # features come with the whole frame's
        hook = module.register_forward_hook(
            lambda *call: _as_leaf(features, call[2], first=cut)
        )
    try:
        with (
            torch.enable_grad(),
            _differentiable(model),
            _logits(model) as logits,
            attends as layers,
        ):
            (sample,) = model.test_step(batch)
    finally:
        hook.remove()
    scores = _scores(sample, logits, person)
    if not features:
        raise ValueError(
            f'layer: expected one that runs, got {layer!r}, which does not'
        )
    class_index = class_explained(model, scores, class_index)
    if not scores.requires_grad:
        raise ValueError(f'layer: expected one that the score needs, got {layer!r}')
    grads = torch.autograd.grad(scores[class_index], features)
    if layers:
        each = len(layers) // len(features)  # of each pass through the network
        passes = [layers[k : k + each] for k in range(0, len(layers), each)]
        maps = torch.cat([roll_out(model.backbone, one, method) for one in passes])
    else:
        pairs = zip(features, grads, strict=True)
        maps = torch.cat([WEIGHTINGS[method](x.detach(), grad) for x, grad in pairs])
    values = scores.detach().float()
    several = is_detector(model) or isinstance(model.cls_head, MultiLabelTSNHead)
    probs = values.sigmoid() if several else values.softmax(0)
    return ClassMaps(maps, class_index, scores.detach(), float(probs[class_index]))


def feature_maps(model: Any, batch: dict[str, Any], layer: str) -> Tensor:
    """Return the feature maps of a layer, without gradients.

    Args:
        model: See :func:`grad_cam`.
        batch: See :func:`grad_cam`.
        layer: See :func:`find_layer`.

    Shape:
        - Output: (rows, C, T, h, w), with T = 1 where a row is a frame.

    Raises:
        ValueError: See :func:`grad_cam`.
    """
    features: list[Tensor] = []
    hook = find_layer(model, layer).register_forward_hook(
        lambda *call: _as_leaf(features, call[2], first=layer == REGION)
    )
    try:
        with torch.no_grad():
            model.test_step(batch)
    finally:
        hook.remove()
    if not features:
        raise ValueError(
            f'layer: expected one that runs, got {layer!r}, which does not'
        )
    found = torch.cat([x.detach() for x in features])
    return found[:, :, None] if found.ndim == 4 else found


def find_layer(model: Any, name: str) -> nn.Module:
    """Return the module whose output is explained.

    Args:
        model: Recognizer or detector.
        name: Name of a module in the model (``'backbone'``, ``'backbone.layer4'``,
            ``'neck'``) or in its backbone (``'layer4.0'``), or a stage of our
            backbones (``'conv5'``), of which it is the last module. ``'backbone'`` of a
            model that reduces frames is the last stage before that. Of a detector
            ``'region'`` is what is cut out of the features for each person.

    Raises:
        ValueError: If there is none; the message lists the sensible ones. If the model
            is neither a recognizer of one stream nor a detector.
    """
    if is_detector(model):
        if name == REGION:
            return model.roi_head.bbox_roi_extractor
    elif not isinstance(model, BaseRecognizer) or not model.with_cls_head:
        raise ValueError(
            'model: expected a detector, or a recognizer of one stream, for Grad-CAM, '
            f'got {type(model).__name__}; of two streams give each by its own config '
            'and weights'
        )
    backbone = model.backbone
    if name == 'backbone' and isinstance(model, ReductionRecognizer):
        name = model.taps[-1]  # of single frames; the backbone runs stage by stage
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


def _attention(model: Any) -> AbstractContextManager[list[AttentionLayer]]:
    """Collect the attention of a recognizer's network."""
    if is_detector(model):
        raise ValueError(
            'method: expected a recognizer to roll attention out, got a detector; take '
            'class maps of its layer'
        )
    return attention_layers(model.backbone)


def _entrance(model: Any) -> nn.Module:
    """The module that frames enter."""
    find_layer(model, 'backbone')  # refuses what has none
    if isinstance(model, ReductionRecognizer):
        return model.backbone.stage_layers(model.backbone.stage_names[0])[0]
    return model.backbone


@contextmanager
def _logits(model: Any) -> Iterator[list[Tensor]]:
    """Collect what a detector's head gives for each region, before the sigmoid."""
    found: list[Tensor] = []
    if not is_detector(model):
        yield found
        return
    hook = model.roi_head.bbox_head.register_forward_hook(
        lambda *call: found.append(
            call[2][0] if isinstance(call[2], tuple) else call[2]
        )
    )
    try:
        yield found
    finally:
        hook.remove()


def _scores(sample: Any, logits: list[Tensor], person: int) -> Tensor:
    """Scores of the video, or of one person, before softmax or sigmoid, (classes)."""
    if not logits:
        return sample.pred_score
    if not 0 <= person < len(logits[0]):
        raise ValueError(f'person: expected 0 to {len(logits[0]) - 1}, got {person}')
    return logits[0][person]


def _as_leaf(features: list[Tensor], output: Any, *, first: bool = False) -> Any:
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
    main = found[0] if first else max(found, key=lambda k: (maps[k].shape[1], k))
    leaf = maps[main].detach().requires_grad_()
    features.append(leaf)
    copy = leaf.clone()  # what follows may change it in place
    if isinstance(output, Tensor):
        return copy
    return type(output)(copy if k == main else x for k, x in enumerate(maps))


@contextmanager
def _differentiable(model: Any) -> Iterator[None]:
    """Scores before softmax or sigmoid, gradients of features only.

    Also of a frozen backbone.
    """
    head = getattr(model, 'cls_head', None)
    trained = [p for p in model.parameters() if p.requires_grad]
    kept = [] if head is None else [(head, 'average_clips', head.average_clips)]
    frozen = getattr(model, 'freeze_backbone', False) is True
    if frozen:
        kept.append((model, 'freeze_backbone', True))
        model.freeze_backbone = False
    for parameter in trained:
        parameter.requires_grad_(False)
    if head is not None:
        head.average_clips = 'score'
        head.average_clip = MethodType(BaseHead.average_clip, head)  # no sigmoid
    try:
        yield
    finally:
        if head is not None:
            del head.average_clip
        for owner, name, value in kept:
            setattr(owner, name, value)
        for parameter in trained:
            parameter.requires_grad_(True)
