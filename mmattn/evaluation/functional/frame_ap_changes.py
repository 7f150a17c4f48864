"""What one run of action detection gains over another, class by class.

Kim, Kim and Kim, Spatio-temporal SlowFast self-attention network for action
recognition, section 4.2 and Fig. 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mmattn.evaluation.functional.frame_map import GROUPS, FrameAPs


@dataclass(frozen=True)
class APChanges:
    """Frame-AP of each class in one run less that in another, in points of percent.

    Args:
        names: Name of each class by its number.
        points: Change by the number of the class.
        margin: Points from which on, exclusive, the paper counts a class by itself.
    """

    names: Mapping[int, str]
    points: Mapping[int, float]
    margin: float = 1.0

    def counts(self, labels: range | None = None) -> dict[str, int]:
        """Count the classes that are better, much better, worse and the same.

        Args:
            labels: Numbers of the classes that count, all by default.
        """
        points = [x for k, x in self.points.items() if labels is None or k in labels]
        return dict(
            classes=len(points),
            better=sum(x > 0 for x in points),
            better_by_margin=sum(x > self.margin for x in points),
            worse=sum(x < 0 for x in points),
            worse_by_margin=sum(x < -self.margin for x in points),
        )

    def table(self) -> str:
        """Return the classes from the largest gain to the largest loss, and counts."""
        order = sorted(self.points, key=lambda label: -self.points[label])
        width = max(map(len, (*self.names.values(), *GROUPS)))
        lines = [f'{self.names[k]:<{width}}  {self.points[k]:+7.2f}' for k in order]
        for name, labels in {'all classes': None, **GROUPS}.items():
            n = self.counts(labels)
            if n['classes']:
                lines.append(
                    f'{name:<{width}}  {n["better"]} of {n["classes"]} better, '
                    f'{n["better_by_margin"]} by more than {self.margin:g}; '
                    f'{n["worse"]} worse, {n["worse_by_margin"]} by more than '
                    f'{self.margin:g}'
                )
        return '\n'.join(lines)


def ap_changes(before: FrameAPs, after: FrameAPs, *, margin: float = 1.0) -> APChanges:
    """Compare two runs class by class.

    Args:
        before: The run without, say, attention.
        after: The run with it.
        margin: See :class:`APChanges`.

    Raises:
        ValueError: If they differ in their classes.

    Example:
        >>> names = {1: 'bend', 12: 'stand'}
        >>> runs = [FrameAPs(names, {1: 0.2, 12: x}) for x in (0.7, 0.75)]
        >>> print(ap_changes(*runs).table())
        stand                  +5.00
        bend                   +0.00
        all classes          1 of 2 better, 1 by more than 1; 0 worse, 0 by more than 1
        person movement      1 of 2 better, 1 by more than 1; 0 worse, 0 by more than 1
    """
    if before.aps.keys() != after.aps.keys():
        only = sorted(before.aps.keys() ^ after.aps.keys())
        raise ValueError(f'expected runs of the same classes, got {only} in one only')
    points = {
        label: round(100 * (after.aps[label] - before.aps[label]), 9)
        for label in before.aps
    }
    return APChanges(before.names, points, margin)
