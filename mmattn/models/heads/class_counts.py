"""Heads that could not be wrong."""

from mmaction.models.heads import BaseHead
from mmaction.models.losses import CrossEntropyLoss


def require_several_classes(head: BaseHead) -> None:
    """Refuse a softmax over one class: its loss is 0 and its accuracy 1, always.

    Args:
        head: Head of a recognizer.

    Raises:
        ValueError: If it is one; the message names the head to take.

    Example:
        >>> from mmaction.models.heads import TSNHead
        >>> require_several_classes(TSNHead(2, 5))
    """
    own_scores = type(head).average_clip is not BaseHead.average_clip
    softmax = isinstance(head.loss_cls, CrossEntropyLoss) or (
        head.average_clips == 'prob' and not own_scores
    )
    if head.num_classes == 1 and softmax:
        raise ValueError(
            f'cls_head.num_classes: expected 2 or more for {type(head).__name__}, '
            'whose softmax over one class is always sure, got 1: take two classes, or '
            "dict(type='mmattn.MultiLabelTSNHead', num_classes=1), whose sigmoid says "
            'whether a video shows it, with multi_class=True in the data set'
        )
