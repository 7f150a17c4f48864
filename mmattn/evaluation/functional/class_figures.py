"""Which classes are confused, and how well each is recognized."""

import numpy as np
from mmaction.evaluation import ConfusionMatrix

from mmattn.evaluation.functional.fusion import Scores


def confusion_matrix(scores: Scores) -> np.ndarray:
    """Count how often each class is taken for each.

    Args:
        scores: Scores of videos of K classes.

    Returns:
        Numbers of videos, (K, K): rows are true classes, columns predicted ones.

    Raises:
        ValueError: If a video may have several labels.

    Example:
        >>> matrix = np.array([[0.9, 0.1], [0.8, 0.2]])
        >>> confusion_matrix(Scores('s', ('v', 'w'), matrix, np.array([0, 1]))).tolist()
        [[1, 0], [1, 0]]
    """
    if scores.multi_label:
        raise ValueError(
            f'{scores.name}: expected one label of each video for a matrix of '
            'confusion, got labels for each class'
        )
    return ConfusionMatrix.calculate(scores.scores, scores.labels).numpy()


def class_accuracies(matrix: np.ndarray) -> np.ndarray:
    """Return the share of each class's videos that is recognized.

    Args:
        matrix: Matrix of :func:`confusion_matrix`.

    Returns:
        Shares from 0 to 1, (K,); nan for a class without videos.

    Example:
        >>> class_accuracies(np.array([[3, 1], [0, 0]])).tolist()
        [0.75, nan]
    """
    videos = matrix.sum(axis=1)
    accuracies = np.full(len(matrix), np.nan)
    np.divide(np.diag(matrix), videos, out=accuracies, where=videos > 0)
    return accuracies
