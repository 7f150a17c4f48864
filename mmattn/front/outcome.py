"""What a test of a few videos says, and what it does not."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from mmattn.evaluation import Scores

Z = 1.959963984540054  # of a two-sided interval of 95 %


@dataclass(frozen=True)
class Outcome:
    """Accuracy with its interval, beside that of the most frequent class.

    Args:
        right: Videos that were recognized.
        videos: Videos that were tested.
        low: Lower end of the 95 % interval of the accuracy, 0 to 1.
        high: Upper end.
        frequent: The class that is most frequent in the training.
        frequent_share: Accuracy of whoever always says that class.
    """

    right: int
    videos: int
    low: float
    high: float
    frequent: str
    frequent_share: float

    @property
    def accuracy(self) -> float:
        """Share of the videos that were recognized, 0 to 1."""
        return self.right / self.videos

    def __str__(self) -> str:
        text = (
            f'accuracy {100 * self.accuracy:.1f} % ({self.right} of {self.videos} '
            f'videos; 95 % interval {100 * self.low:.0f} to {100 * self.high:.0f} %); '
            f'the most frequent class, {self.frequent}, alone would give '
            f'{100 * self.frequent_share:.1f} %'
        )
        if self.low <= self.frequent_share:
            text += '; so few videos cannot tell the two apart'
        return text


def judge(scores: Scores, trained: Counter[str], classes: list[str]) -> Outcome:
    """Compare scores with the most frequent class of the training videos.

    Args:
        scores: Scores of the test videos.
        trained: Number of training videos of each class.
        classes: Names of the classes.
    """
    right = int((scores.scores.argmax(axis=1) == scores.labels).sum())
    videos = len(scores.labels)
    low, high = wilson_interval(right, videos)
    frequent = max(classes, key=lambda name: trained[name])
    share = float(np.mean(scores.labels == classes.index(frequent)))
    return Outcome(right, videos, low, high, frequent, share)


def wilson_interval(right: int, count: int, *, z: float = Z) -> tuple[float, float]:
    """Return Wilson's interval of a share, where each trial is taken as independent.

    Args:
        right: Successes.
        count: Trials, at least 1.
        z: Quantile of the normal distribution; 1.96 gives 95 %.

    Example:
        >>> [round(x, 3) for x in wilson_interval(8, 10)]
        [0.49, 0.943]
    """
    share = right / count
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z / (1 + z * z / count)
    spread *= math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, center - spread), min(1.0, center + spread)
