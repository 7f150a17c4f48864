"""Differences between two systems on the same clips, and how sure they are."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True)
class Difference:
    """Mean difference of two systems over clips, with its uncertainty over groups.

    Args:
        mean: Mean over the clips.
        error: Standard error; nan with one group.
        low: Lower end of the interval.
        high: Upper end of the interval.
        num_groups: Groups of clips.
    """

    mean: float
    error: float
    low: float
    high: float
    num_groups: int

    @property
    def measured(self) -> bool:
        """Whether 0 lies outside of the interval."""
        return bool(self.low > 0 or self.high < 0)


def grouped_mean(
    values: np.ndarray, groups: np.ndarray, *, level: float = 0.95
) -> Difference:
    r"""Mean over clips, with an interval that lets clips of a group depend on another.

    With :math:`N_g` clips and the mean :math:`d_g` in each of G groups, the squared
    standard error of the mean d over all N clips is

    .. math:: \frac{G}{G-1} \sum_g \left( \frac{N_g (d_g - d)}{N} \right)^2

    and the interval is that of Student's t with G - 1 degrees of freedom.

    Args:
        values: One number for each clip, such as the difference of two accuracies, each
            the mean over seeds.
        groups: Number of each clip's group.
        level: Probability of the interval.

    Shape:
        - values, groups: (N,).

    Raises:
        ValueError: If there is no clip, or the shapes differ.

    Example:
        >>> found = grouped_mean(np.array([1.0, 1, 0, 0]), np.array([0, 0, 1, 1]))
        >>> found.mean, found.error, found.measured
        (0.5, 0.5, False)
    """
    values, groups = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if values.shape != groups.shape or values.ndim != 1 or not len(values):
        raise ValueError(
            'values, groups: expected one number of each for every clip, got shapes '
            f'{values.shape} and {groups.shape}'
        )
    mean = float(values.mean())
    names = np.unique(groups)
    G = len(names)
    if G < 2:
        return Difference(mean, math.nan, -math.inf, math.inf, G)
    sums = np.array([(values[groups == name] - mean).sum() for name in names])
    error = math.sqrt(G / (G - 1) * float(np.square(sums / len(values)).sum()))
    reach = float(student.ppf((1 + level) / 2, G - 1)) * error
    return Difference(mean, error, mean - reach, mean + reach, G)
