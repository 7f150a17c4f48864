"""Late fusion of the scores that several streams gave to the same videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmaction.evaluation import get_weighted_score, mean_class_accuracy, top_k_accuracy

from mmattn.evaluation.functional.charades import charades_map
from mmattn.utils.alignment import align_videos
from mmattn.utils.safe_pickle import load_pickle


@dataclass(frozen=True)
class Scores:
    """Scores of one stream.

    Args:
        name: Where they come from, for messages.
        video_ids: One name per video, unique.
        scores: Probabilities, (videos, classes).
        labels: True classes, (videos,); or, where a video may have several, 0 or 1 for
            each class, (videos, classes).

    Raises:
        ValueError: If lengths differ, a video occurs twice, or a score is not finite.
    """

    name: str
    video_ids: tuple[str, ...]
    scores: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(self.video_ids), len(self.scores), len(self.labels)}
        if len(lengths) != 1:
            raise ValueError(
                f'{self.name}: expected one id, score and label per video, got '
                f'{len(self.video_ids)}, {len(self.scores)} and {len(self.labels)}'
            )
        if len(set(self.video_ids)) != len(self.video_ids):
            raise ValueError(f'{self.name}: expected every video once, got repeats')
        finite = np.isfinite(self.scores).all(axis=-1)
        if not finite.all():
            video = self.video_ids[int(np.argmin(finite))]
            raise ValueError(
                f'{self.name}: expected finite scores, got nan or inf in '
                f'{int((~finite).sum())} of {len(finite)} videos, such as {video}'
            )

    @property
    def multi_label(self) -> bool:
        """Whether a video may have several labels, or none."""
        return self.labels.ndim == 2


def load_scores(path: str | Path) -> Scores:
    """Read a file written by ``tools/test.py --dump FILE.pkl``.

    Raises:
        ValueError: If the file is no such dump, its pipeline did not pack
            ``video_id``, or a video has no label or scores that are not finite.
    """
    samples = load_pickle(path)
    needed = ('video_id', 'pred_score', 'gt_label')
    is_list = isinstance(samples, list) and len(samples) > 0
    if not is_list or not all(isinstance(sample, dict) for sample in samples):
        raise ValueError(f'{path}: expected a list of results, got {type(samples)}')
    for sample in samples:
        missing = [key for key in needed if key not in sample]
        if missing:
            raise ValueError(
                f'{path}: expected the key {missing[0]!r} in each result, got '
                f'{sorted(sample)}; the data sets of mmattn set video_id, and '
                'mmattn.PackClipInputs keeps it'
            )
    scores = [np.asarray(sample['pred_score']) for sample in samples]
    if scores[0].ndim != 1 or len({score.shape for score in scores}) != 1:
        raise ValueError(
            f'{path}: expected equally many scores of each video, got the shapes '
            f'{sorted({score.shape for score in scores})}'
        )
    return Scores(
        name=str(path),
        video_ids=tuple(sample['video_id'] for sample in samples),
        scores=np.stack(scores),
        labels=_labels(path, samples, len(scores[0])),
    )


def _labels(path: str | Path, samples: list[dict], num_classes: int) -> np.ndarray:
    """Labels of one class per video, or of each class where one video has those."""
    labels = [np.asarray(sample['gt_label']).reshape(-1) for sample in samples]
    several = any(label.size != 1 or label.dtype.kind == 'f' for label in labels)
    for sample, label in zip(samples, labels, strict=True):
        if several:
            right = label.size == num_classes and np.isin(label, (0, 1)).all()
        else:
            right = 0 <= label[0] < num_classes
        if not right:
            expected = '0 or 1 for each class' if several else 'a class'
            raise ValueError(
                f'{path}: expected {expected} of {num_classes} as the label of '
                f'{sample["video_id"]}, got {label.tolist()}'
            )
    return np.stack(labels) if several else np.concatenate(labels)


def fuse_scores(streams: Sequence[Scores], weights: Sequence[float]) -> Scores:
    """Add up the streams' scores, weighted, video by video.

    The paper's two streams have weights 1/3 (appearance) and 2/3 (motion); weights
    are divided by their sum.  Streams may list the videos in any order.

    Args:
        streams: Scores of the same videos.
        weights: One non-negative weight per stream.

    Returns:
        Fused scores in the order of the first stream.

    Raises:
        ValueError: If there are no streams, weights do not fit them, or videos,
            labels or the number of classes differ, naming the first difference.

    Example:
        >>> a = Scores('rgb', ('v',), np.array([[0.9, 0.1]]), np.array([0]))
        >>> b = Scores('flow', ('v',), np.array([[0.3, 0.7]]), np.array([0]))
        >>> fuse_scores([a, b], [1, 2]).scores.round(2).tolist()
        [[0.5, 0.5]]
    """
    if not streams:
        raise ValueError('expected at least one stream, got none')
    if len(streams) != len(weights):
        raise ValueError(
            f'weights: expected one per stream ({len(streams)}), got {len(weights)}'
        )
    if min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f'weights: expected non-negative, not all 0, got {weights}')
    first = streams[0]
    aligned = [_align(stream, first) for stream in streams]
    fused = get_weighted_score(aligned, np.array(weights) / sum(weights))
    return Scores('fusion', first.video_ids, np.stack(fused), first.labels)


def search_weights(
    streams: Sequence[Scores], *, num_steps: int = 20
) -> tuple[float, float]:
    """Return the weights of two streams that suit validation videos best.

    The second stream's share of the sum goes from 0 to 1 in equal steps. The best is
    the one of the highest top-1 accuracy, or mAP where videos may have several labels;
    of equal ones, the nearest to one half.

    Args:
        streams: Scores of two streams on the same validation videos, which must not be
            those that are tested with the result.
        num_steps: Steps from 0 to 1.

    Returns:
        Weights of sum 1.

    Raises:
        ValueError: If there are not two streams, or they differ as in
            :func:`fuse_scores`.

    Example:
        >>> a = Scores('rgb', ('v',), np.array([[0.9, 0.1]]), np.array([1]))
        >>> b = Scores('flow', ('v',), np.array([[0.3, 0.7]]), np.array([1]))
        >>> search_weights([a, b], num_steps=4)
        (0.25, 0.75)
    """
    if len(streams) != 2:
        raise ValueError(f'expected two streams to weigh, got {len(streams)}')
    first, second = streams[0].scores, _align(streams[1], streams[0])
    labels = streams[0].labels

    def reached(share: float) -> float:
        fused = (1 - share) * first + share * second
        if streams[0].multi_label:
            return charades_map(fused, labels).mAP
        return float(np.sum(fused.argmax(axis=1) == labels))

    shares = sorted(np.linspace(0, 1, num_steps + 1), key=lambda s: abs(s - 0.5))
    best = float(shares[int(np.argmax([reached(share) for share in shares]))])
    return 1 - best, best


def accuracies(scores: Scores) -> dict[str, float]:
    """Return top-1, top-5 and mean class accuracy, each from 0 to 1.

    Of several labels mAP and wAP, see :func:`~mmattn.evaluation.charades_map`.
    """
    if scores.multi_label:
        found = charades_map(scores.scores, scores.labels)
        return dict(mAP=found.mAP, wAP=found.wAP)
    predictions, labels = list(scores.scores), list(scores.labels)
    top1, top5 = top_k_accuracy(predictions, labels, (1, 5))
    mean_class = mean_class_accuracy(predictions, labels)
    return dict(top1=float(top1), top5=float(top5), mean_class=float(mean_class))


def _align(stream: Scores, first: Scores) -> np.ndarray:
    """Scores of ``stream`` in the order of ``first``, after checking they agree."""
    if stream.scores.shape[1] != first.scores.shape[1]:
        raise ValueError(
            f'expected {first.scores.shape[1]} classes in {stream.name} as in '
            f'{first.name}, got {stream.scores.shape[1]}'
        )
    return stream.scores[align_videos(stream, first)]
