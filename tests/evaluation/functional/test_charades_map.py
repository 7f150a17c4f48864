"""mAP of Charades and its submission files."""

import math

import numpy as np
import pytest

from mmattn.datasets import read_charades
from mmattn.evaluation import charades_map, dump_submission, load_submission

TOOL = 'analysis/evaluate_charades.py'


def literal_map(scores, labels):
    """Class by class and video by video, in float64."""
    aps, weights = [], []
    for c in range(scores.shape[1]):
        column = [
            (scores[v, c] if labels[v].any() else -math.inf, -v)
            for v in range(len(scores))
        ]
        hits, precisions = 0, []
        for rank, (_, minus_v) in enumerate(sorted(column, reverse=True), 1):
            if labels[-minus_v, c]:
                hits += 1
                precisions.append(hits / rank)
        if precisions:
            aps.append(sum(precisions) / len(precisions))
            weights.append(len(precisions))
    total = sum(weights)
    pairs = zip(aps, weights, strict=True)
    return sum(aps) / len(aps), sum(ap * weight / total for ap, weight in pairs)


def test_by_hand():
    # Ranks of the positives: class 0: 1, 3; class 1: 2; class 2: none.
    scores = np.array([[0.9, 0.7, 0.1], [0.5, 0.8, 0.3], [0.4, 0.1, 0.2]])
    labels = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]])
    labels[1] = [0, 0, 0]
    # Video 1 shows nothing and ranks last, so all positives come first.
    result = charades_map(scores, labels)
    assert result[:2] == (1, 1)
    labels[1, 2] = 1
    result = charades_map(scores, labels)
    assert result.per_class.tolist() == pytest.approx([(1 + 2 / 3) / 2, 1 / 2, 1])
    assert result.mAP == pytest.approx((5 / 6 + 1 / 2 + 1) / 3)
    assert result.wAP == pytest.approx((2 * 5 / 6 + 1 / 2 + 1) / 4)


def test_classes_without_positives_are_left_out():
    scores = np.array([[0.1, 0.9], [0.2, 0.8]])
    result = charades_map(scores, np.array([[0, 1], [0, 1]]))
    assert result[:2] == (1, 1)
    assert np.isnan(result.per_class).tolist() == [True, False]


@pytest.mark.parametrize('first', [0, 1])
def test_ties_are_in_the_order_of_rows(first):
    labels = np.zeros((2, 2), int)
    labels[first, 0] = labels[1 - first, 1] = 1
    result = charades_map(np.ones((2, 2)), labels)
    assert result.per_class.tolist() == [1 / (1 + first), 1 / (2 - first)]


def test_unlabeled_videos_rank_last_whatever_their_scores():
    scores = np.array([[9.0], [5.0], [7.0]])
    assert charades_map(scores, np.array([[0], [1], [0]])).mAP == 1


@pytest.mark.parametrize('distinct', [True, False])
def test_agrees_with_a_literal_evaluation(distinct):
    rng = np.random.default_rng(0)
    scores = rng.random((53, 17))
    if not distinct:
        scores = np.round(scores, 1)
    labels = rng.random((53, 17)) < 0.1
    assert not labels.any(axis=1).all()
    result = charades_map(scores, labels)
    assert result[:2] == pytest.approx(literal_map(scores, labels), rel=1e-12)
    assert abs(result.mAP - result.wAP) > 1e-3


def test_order_of_rows_and_monotone_scales_do_not_matter():
    rng = np.random.default_rng(1)
    scores, labels = rng.random((41, 7)), rng.random((41, 7)) < 0.2
    expected = charades_map(scores, labels)
    order = rng.permutation(41)
    for other in (
        charades_map(scores[order], labels[order]),
        charades_map(np.log(scores), labels),
        charades_map(scores.astype(np.float32), labels.astype(np.float32)),
    ):
        assert other[:2] == pytest.approx(expected[:2], rel=1e-12)


@pytest.mark.parametrize(
    'scores, labels, message',
    [
        ([[1.0]], [[1, 0]], r'one shape .*got \(1, 1\) and \(1, 2\)'),
        ([1.0], [1], r'one shape .*got \(1,\) and \(1,\)'),
        ([[math.nan]], [[1]], 'expected finite scores, got nan or inf'),
        ([[-math.inf]], [[1]], 'expected finite scores, got nan or inf'),
        ([[1.0]], [[2]], r'labels 0 and 1, got \[2\]'),
        ([[1.0]], [[0]], 'a video with an action, got none'),
    ],
)
def test_wrong_input(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        charades_map(np.array(scores), np.array(labels))


def test_submission_round_trip(tmp_path):
    path = tmp_path / 'submission.txt'
    scores = np.random.default_rng(0).random((3, 157)).astype(np.float32)
    scores[0, 0] = 1e-30
    dump_submission(path, ['AAAAA', 'BBBBB', 'CCCCC'], scores)
    names, read = load_submission(path)
    assert names == ('AAAAA', 'BBBBB', 'CCCCC')
    assert np.array_equal(read.astype(np.float32), scores)
    assert {len(line.split()) for line in path.read_text().splitlines()} == {158}


@pytest.mark.parametrize(
    'text, message',
    [
        (
            'A 1 2\nB 1\n',
            r'sub\.txt:2: expected a video and 2 finite scores, got .B 1.',
        ),
        ('A 1 2\n\nB 1 2\n', r"sub\.txt:2: expected a video .* scores, got ''"),
        ('A 1 inf\n', r'sub\.txt:1: expected a video and 2 finite scores'),
        ('A 1 x\n', r'sub\.txt:1: expected a video and 2 finite scores'),
        ('A 1 nan\n', r'sub\.txt:1: expected a video and 2 finite scores'),
        ('A' * 50 + ' 1\n', r'sub\.txt:1: .* got .A{37}\.\.\.'),
        ('A 1 2\nB 1 2\nA 1 2\n', r'sub\.txt:3: expected each video once, got A ag'),
        ('', r'sub\.txt: expected at least one line'),
    ],
)
def test_malformed_submissions(tmp_path, text, message):
    path = tmp_path / 'sub.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_submission(path, num_classes=2)


def test_names_that_cannot_be_written(tmp_path):
    path = tmp_path / 'submission.txt'
    with pytest.raises(ValueError, match='a name of its own for each of 2 videos'):
        dump_submission(path, ['A', 'A'], np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"without white space, got 'A B'"):
        dump_submission(path, ['A B'], np.zeros((1, 3)))
    assert not path.exists()


def test_tool_on_the_official_test_list(real_data, tmp_path, run_tool, capsys):
    csv = real_data / 'annotations' / 'charades' / 'Charades_v1_test.csv'
    videos = read_charades(csv)
    rng = np.random.default_rng(0)
    labels = np.zeros((len(videos), 157), int)
    for row, video in zip(labels, videos, strict=True):
        row[list(video.labels)] = 1
    scores = rng.random(labels.shape) + 0.3 * labels
    order = rng.permutation(len(videos))
    path = tmp_path / 'submission.txt'
    dump_submission(path, [videos[i].name for i in order], scores[order])
    expected = charades_map(scores, labels)

    assert run_tool(TOOL, path, csv, '--per-class') == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f'mAP {100 * expected.mAP:.2f}  wAP {100 * expected.wAP:.2f}'
    assert len(rest) == 157
    assert rest[3] == f'c003 {100 * expected.per_class[3]:.2f}'
    dump_submission(path, [videos[i].name for i in order[1:]], scores[order[1:]])
    assert run_tool(TOOL, path, csv) == 2
    missing = videos[order[0]].name
    assert f'got 1 in one file only, such as {missing}' in capsys.readouterr().err


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_submissions_of_no_numbers_are_not_written(tmp_path, value):
    scores = np.array([[0.5, 0.5], [0.5, value]])
    with pytest.raises(ValueError, match=r'expected finite scores, .* of BBBBB'):
        dump_submission(tmp_path / 'sub.txt', ['AAAAA', 'BBBBB'], scores)
    assert not list(tmp_path.iterdir())
