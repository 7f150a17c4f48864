"""Mean average precision of Charades, and its submission files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmattn.utils.files import replaced_atomically
from mmattn.utils.text import read_lines, shortened

NUM_CLASSES = 157


class CharadesMap(NamedTuple):
    """Average precisions, 0 to 1.

    Args:
        mAP: Mean over the classes with positives.
        wAP: Mean weighted by the numbers of positives.
        per_class: AP of each class, NaN where it has no positives, (classes,).
    """

    mAP: float  # noqa: N815
    wAP: float  # noqa: N815
    per_class: np.ndarray


def charades_map(scores: np.ndarray, labels: np.ndarray) -> CharadesMap:
    r"""Evaluate as the official script of Charades does.

    The AP of a class is the mean precision at its positives, in the order of the
    scores; equal scores are in the order of the rows. Videos without any action rank
    last. Classes without positives are left out of the means.

    Args:
        scores: Score of each class in each video; larger is surer.
        labels: 1 where the class occurs in the video, 0 elsewhere.

    Shape:
        - scores, labels: (videos, classes).

    Raises:
        ValueError: If shapes differ, a score is not finite, labels are not 0 and 1, or
            no video has an action.

    Example:
        >>> scores = np.array([[0.9, 0.3], [0.5, 0.2], [0.1, 0.8]])
        >>> labels = np.array([[1, 0], [0, 1], [1, 1]])
        >>> [round(value, 4) for value in charades_map(scores, labels)[:2]]
        [0.8333, 0.8333]
    """
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if scores.shape != labels.shape or scores.ndim != 2:
        raise ValueError(
            'expected scores and labels of one shape (videos, classes), got '
            f'{scores.shape} and {labels.shape}'
        )
    if not np.isfinite(scores).all():
        raise ValueError('expected finite scores, got nan or inf')
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f'expected labels 0 and 1, got {np.unique(labels)}')
    labels = labels.astype(bool)
    positives = labels.sum(axis=0)
    if not positives.any():
        raise ValueError('expected a video with an action, got none')
    ranked = np.where(labels.any(axis=1, keepdims=True), scores, -np.inf)
    order = np.argsort(-ranked, axis=0, kind='stable')
    hits = np.take_along_axis(labels, order, axis=0)
    precision = hits.cumsum(axis=0) / np.arange(1, len(hits) + 1)[:, None]
    with np.errstate(invalid='ignore'):  # 0 / 0 of classes without positives
        per_class = (precision * hits).sum(axis=0) / positives
    found = positives > 0
    weighted = np.average(per_class[found], weights=positives[found])
    return CharadesMap(float(per_class[found].mean()), float(weighted), per_class)


def load_submission(
    path: str | Path, *, num_classes: int = NUM_CLASSES
) -> tuple[tuple[str, ...], np.ndarray]:
    """Read a submission file of Charades' classification task.

    Each line is ``<video> <score of class 0> <score of class 1> ...``.

    Args:
        path: The file.
        num_classes: Scores in a line.

    Returns:
        Names of the videos and their scores, (videos, classes).

    Raises:
        ValueError: If a line is malformed or a video occurs twice; the message names
            file and line.
    """
    rows: dict[str, list[float]] = {}
    for number, line in enumerate(read_lines(path), 1):
        video, *fields = line.split() or ['']
        scores = _numbers(fields)
        if scores is None or len(scores) != num_classes:
            raise ValueError(
                f'{path}:{number}: expected a video and {num_classes} finite scores, '
                f'got {shortened(line, 40)!r}'
            )
        if video in rows:
            raise ValueError(
                f'{path}:{number}: expected each video once, got {video} again'
            )
        rows[video] = scores
    if not rows:
        raise ValueError(f'{path}: expected at least one line, got none')
    return tuple(rows), np.array(list(rows.values()))


def dump_submission(
    path: str | Path, videos: Sequence[str], scores: np.ndarray
) -> None:
    """Write a submission file of Charades' classification task.

    Scores keep nine digits, which is all that single precision has.

    Args:
        path: File to write or replace.
        videos: Names of the videos, without white space.
        scores: Their scores.

    Shape:
        - scores: (videos, classes).

    Raises:
        ValueError: If there is not one name per row, a name cannot be written, or a
            score is not finite.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / 'submission.txt'
        >>> dump_submission(path, ['YSKX3'], np.array([[0.5, 1.0]]))
        >>> path.read_text().split()
        ['YSKX3', '0.5', '1']
    """
    if len(videos) != len(scores) or len(set(videos)) != len(videos):
        raise ValueError(
            f'expected a name of its own for each of {len(scores)} videos, got '
            f'{len(set(videos))}'
        )
    wrong = [video for video in videos if len(video.split()) != 1]
    if wrong:
        raise ValueError(
            f'expected names of videos without white space, got {wrong[0]!r}'
        )
    finite = np.isfinite(scores).all(axis=1)
    if not finite.all():
        raise ValueError(
            f'expected finite scores, got nan or inf of {videos[int(finite.argmin())]}'
        )
    with (
        replaced_atomically(Path(path)) as part,
        part.open('w', encoding='utf-8') as file,
    ):
        for video, row in zip(videos, np.asarray(scores), strict=True):
            print(video, *(f'{score:.9g}' for score in row), file=file)


def _numbers(fields: Sequence[str]) -> list[float] | None:
    try:
        values = [float(field) for field in fields]
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None
