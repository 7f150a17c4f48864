"""Late fusion of streams, and the figures made from it."""

import numpy as np
import pytest
from mmengine.fileio import dump

from mmattn.evaluation import (
    Scores,
    accuracies,
    charades_map,
    confusion_matrix,
    fuse_scores,
    load_scores,
    search_weights,
)
from mmattn.reports.streams import report_fusion, text_table

RGB = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
FLOW = np.array([[0.0, 0.9, 0.1], [0.5, 0.2, 0.3]])


def stream(scores, name='rgb', videos=('a', 'b'), labels=(1, 0)):
    return Scores(name, videos, np.asarray(scores), np.asarray(labels))


def test_paper_weights_by_hand():
    """P2.8: (p_appearance + 2 p_motion) / 3, which sums to 1."""
    fused = fuse_scores([stream(RGB), stream(FLOW, 'flow')], [1, 2])
    by_hand = [[0.2, 0.7, 0.1], [0.4, 0.3, 0.3]]
    np.testing.assert_allclose(fused.scores, by_hand, atol=1e-12)
    np.testing.assert_allclose(fused.scores, (RGB + 2 * FLOW) / 3)
    np.testing.assert_allclose(fused.scores.sum(axis=1), 1)
    assert fused.video_ids == ('a', 'b')
    assert fused.labels.tolist() == [1, 0]
    assert accuracies(stream(RGB))['top1'] == 0
    assert accuracies(fused)['top1'] == 1


def test_only_the_ratio_of_weights_counts():
    streams = [stream(RGB), stream(FLOW, 'flow')]
    np.testing.assert_allclose(
        fuse_scores(streams, [1, 2]).scores, fuse_scores(streams, [0.5, 1.0]).scores
    )
    np.testing.assert_allclose(fuse_scores(streams, [3, 0]).scores, RGB)


def test_videos_are_aligned_by_name_not_by_position():
    shuffled = stream(FLOW[::-1], 'flow', videos=('b', 'a'), labels=(0, 1))
    straight = fuse_scores([stream(RGB), stream(FLOW, 'flow')], [1, 2])
    aligned = fuse_scores([stream(RGB), shuffled], [1, 2])
    np.testing.assert_array_equal(aligned.scores, straight.scores)
    turned = fuse_scores([shuffled, stream(RGB)], [2, 1])
    assert turned.video_ids == ('b', 'a')
    np.testing.assert_allclose(turned.scores, straight.scores[::-1])
    assert turned.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    'other, message',
    [
        (
            stream(FLOW, 'flow', videos=('a', 'c')),
            'same videos in rgb and flow, got 2 in one only, such as b',
        ),
        (
            stream(FLOW[:1], 'flow', videos=('a',), labels=(1,)),
            'same videos in rgb and flow, got 1 in one only, such as b',
        ),
        (
            stream(FLOW, 'flow', labels=(1, 2)),
            'same labels in rgb and flow, got different ones for b',
        ),
        (
            stream(FLOW[:, :2], 'flow'),
            'expected 3 classes in flow as in rgb, got 2',
        ),
    ],
    ids=['other video', 'fewer videos', 'other label', 'fewer classes'],
)
def test_streams_that_differ_are_refused(other, message):
    with pytest.raises(ValueError, match=message):
        fuse_scores([stream(RGB), other], [1, 2])


@pytest.mark.parametrize(
    'weights, message',
    [
        ([1], r'weights: expected one per stream \(2\), got 1'),
        ([1, -1], 'expected non-negative, not all 0'),
        ([0, 0], 'expected non-negative, not all 0'),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        fuse_scores([stream(RGB), stream(FLOW, 'flow')], weights)


def test_no_streams():
    with pytest.raises(ValueError, match='expected at least one stream'):
        fuse_scores([], [])


def test_repeated_videos_and_uneven_lengths():
    with pytest.raises(ValueError, match='rgb: expected every video once, got repeats'):
        stream(RGB, videos=('a', 'a'))
    with pytest.raises(ValueError, match='rgb: expected one id, score and label per'):
        stream(RGB, labels=(1,))


def test_accuracies_by_hand():
    """Labels 0, 0, 2; classes predicted 0, 1, 2."""
    scores = np.eye(3)[[0, 1, 2]] + 0.1 * np.eye(3)[[1, 0, 0]]
    three = stream(scores, videos=('a', 'b', 'c'), labels=(0, 0, 2))
    figures = accuracies(three)
    assert figures['top1'] == pytest.approx(2 / 3)
    assert figures['top5'] == 1
    # The host counts a class that is predicted but has no videos as 0.
    assert figures['mean_class'] == pytest.approx((1 / 2 + 0 + 1) / 3)


def test_dump_without_video_ids_is_refused(tmp_path):
    path = tmp_path / 'scores.pkl'
    dump([dict(pred_score=RGB[0], gt_label=np.array([1]))], path)
    with pytest.raises(ValueError, match=r"scores\.pkl: expected the key 'video_id'"):
        load_scores(path)


@pytest.mark.parametrize('content', [[], {'a': 1}, [1, 2]])
def test_other_pickles_are_refused(tmp_path, content):
    path = tmp_path / 'scores.pkl'
    dump(content, path)
    with pytest.raises(ValueError, match=r'scores\.pkl: expected a list of results'):
        load_scores(path)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers(tmp_path, value):
    path = tmp_path / 'scores.pkl'
    samples = [
        dict(video_id='a', pred_score=np.array([0.5, 0.5]), gt_label=np.array([0])),
        dict(video_id='b', pred_score=np.array([0.5, value]), gt_label=np.array([0])),
    ]
    dump(samples, path)
    with pytest.raises(
        ValueError, match=r'scores\.pkl: .* nan or inf in 1 of 2 videos, such as b'
    ):
        load_scores(path)


@pytest.mark.parametrize(
    'label, score, message',
    [
        ([-1], [0.5, 0.5], r'a class of 2 as the label of v, got \[-1\]'),
        ([2], [0.5, 0.5], r'a class of 2 as the label of v, got \[2\]'),
        ([0.0, 2.0], [0.5, 0.5], '0 or 1 for each class of 2 as the label of v'),
        ([0.0, 1.0, 1.0], [0.5, 0.5], '0 or 1 for each class of 2 as the label of v'),
        ([0], [[0.5, 0.5]], r'equally many scores of each video, .*\(1, 2\)'),
    ],
)
def test_labels_and_scores_that_do_not_fit(tmp_path, label, score, message):
    path = tmp_path / 'scores.pkl'
    sample = dict(video_id='v', pred_score=np.array(score), gt_label=np.array(label))
    dump([sample], path)
    with pytest.raises(ValueError, match=rf'scores\.pkl: expected {message}'):
        load_scores(path)


def test_streams_of_several_labels_are_fused(tmp_path):
    """The mAP of the sum; a video without labels ranks last."""
    rng = np.random.default_rng(0)
    videos, labels = ('a', 'b', 'c', 'd'), rng.integers(0, 2, (4, 3)).astype(float)
    labels[3], labels[0] = 0, 1
    streams = []
    for name in ('rgb', 'flow'):
        scores, order = rng.random((4, 3)), rng.permutation(4)
        samples = [
            dict(video_id=videos[k], pred_score=scores[k], gt_label=labels[k])
            for k in order
        ]
        dump(samples, tmp_path / f'{name}.pkl')
        streams.append((load_scores(tmp_path / f'{name}.pkl'), scores))
    fused = fuse_scores([stream for stream, _ in streams], [1, 2])
    assert fused.multi_label
    rows = [videos.index(video) for video in fused.video_ids]
    by_hand = (streams[0][1] + 2 * streams[1][1]) / 3
    np.testing.assert_allclose(fused.scores, by_hand[rows])
    expected = charades_map(by_hand, labels)
    figures = accuracies(fused)
    assert figures == pytest.approx(dict(mAP=expected.mAP, wAP=expected.wAP))
    best = search_weights([stream for stream, _ in streams], num_steps=4)
    reached = [
        charades_map((1 - w) * streams[0][1] + w * streams[1][1], labels).mAP
        for w in np.linspace(0, 1, 5)
    ]
    assert reached[round(4 * best[1])] == max(reached)
    with pytest.raises(ValueError, match='fusion: expected one label of each video'):
        confusion_matrix(fused)
    report = report_fusion(
        [stream for stream, _ in streams], [1, 2], out=tmp_path / 'out'
    )
    assert text_table(report).split()[:2] == ['mAP', 'wAP']
    lines = (tmp_path / 'out' / 'classes.csv').read_text().splitlines()
    assert float(lines[1].split(',')[-1]) == pytest.approx(
        100 * expected.per_class[0], abs=0.01
    )
    assert not (tmp_path / 'out' / 'confusion.png').exists()
