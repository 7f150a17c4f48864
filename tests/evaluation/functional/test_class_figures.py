"""Confusion, accuracy of classes, searched weights, aligned lists."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmattn.evaluation import (
    Scores,
    class_accuracies,
    confusion_matrix,
    fuse_scores,
    search_weights,
)
from mmattn.utils.alignment import align_videos
from mmattn.visualization.confusion import draw_confusion


def stream(scores, labels, name='s'):
    videos = tuple(f'v{i}' for i in range(len(labels)))
    return Scores(name, videos, np.asarray(scores, float), np.asarray(labels))


def test_confusion_against_counting():
    rng = np.random.default_rng(0)
    scores, labels = rng.random((97, 7)), rng.integers(0, 5, 97)
    matrix = confusion_matrix(stream(scores, labels))
    expected = np.zeros((7, 7), int)
    for row, label in zip(scores, labels, strict=True):
        expected[label, row.argmax()] += 1
    np.testing.assert_array_equal(matrix, expected)
    shares = class_accuracies(matrix)
    for k in range(7):
        of_class = scores[labels == k].argmax(axis=1) == k
        if len(of_class):
            assert shares[k] == pytest.approx(of_class.mean())
        else:
            assert np.isnan(shares[k])
    assert np.isnan(shares).sum() == 2


def test_searched_weights_are_the_best_of_all():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 60)
    rgb = stream(rng.random((60, 5)) + 0.3 * np.eye(5)[labels], labels, 'rgb')
    flow = stream(rng.random((60, 5)) + 0.6 * np.eye(5)[labels], labels, 'flow')

    def correct(share):
        fused = fuse_scores([rgb, flow], [1 - share, share]).scores
        return (fused.argmax(axis=1) == labels).sum()

    weights = search_weights([rgb, flow], num_steps=10)
    grid = [k / 10 for k in range(11)]
    best = max(map(correct, grid))
    assert sum(weights) == pytest.approx(1)
    assert correct(weights[1]) == best
    nearest = min(abs(s - 0.5) for s in grid if correct(s) == best)
    assert abs(weights[1] - 0.5) == pytest.approx(nearest)


def test_a_stream_that_is_always_right_or_wrong():
    labels = [0, 1]
    right, wrong = np.eye(2), np.eye(2)[::-1]
    assert search_weights([stream(right, labels), stream(wrong, labels)])[0] > 0.5
    assert search_weights([stream(wrong, labels), stream(right, labels)])[0] < 0.5
    assert search_weights([stream(right, labels)] * 2) == (0.5, 0.5)


def test_weights_are_searched_for_two_streams():
    with pytest.raises(ValueError, match='expected two streams to weigh, got 1'):
        search_weights([stream(np.eye(2), [0, 1])])


def test_aligned_multi_labels():
    first = SimpleNamespace(name='a', video_ids='xyz', labels=[[1], [2, 3], []])
    other = SimpleNamespace(name='b', video_ids='zxy', labels=[[], [1], [2, 3]])
    assert align_videos(other, first) == [1, 2, 0]
    other.labels = [[], [1], [2]]
    with pytest.raises(ValueError, match=r'same labels in a and b, got .* for y'):
        align_videos(other, first)
    other.video_ids = 'zxw'
    with pytest.raises(ValueError, match=r'same videos in a and b, got 2 .* as w'):
        align_videos(other, first)


def test_rows_of_the_picture_are_shares():
    figure = draw_confusion(np.array([[3, 1], [0, 0]]), classes=['run', 'walk'])
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ['run', 'walk']
    with pytest.raises(ValueError, match='classes: expected 2 names, one per class'):
        draw_confusion(np.eye(2), classes=['run'])
