"""Frame-AP: official figures, rules and limits."""

import importlib
import math
import random

import pytest
from reference import slowfast_attn as reference

from mmattn.datasets.ava import ActionBox, read_detections, write_detections
from mmattn.evaluation import frame_aps, frame_map
from mmattn.evaluation.functional.frame_map import evaluate_frames

NAMES = {1: 'bend', 17: 'carry', 80: 'watch'}
FRAME = ('v', 902)
BOX = (0.1, 0.1, 0.5, 0.5)
FAR = (0.6, 0.6, 0.9, 0.9)


def evaluate(truths, detections, frames=(FRAME,), names=NAMES):
    return evaluate_frames(truths, detections, names, set(frames))


def truth(box=BOX, label=1, frame=FRAME):
    return ActionBox(frame, box, label)


def detection(score, box=BOX, label=1, frame=FRAME):
    return ActionBox(frame, box, label, score)


@pytest.fixture
def tiny(real_data):
    return real_data / 'annotations' / 'ava' / 'tiny_eval'


def test_official_figure(tiny):
    files = (tiny / 'gt.csv', tiny / 'pred.csv', tiny / 'action_list.txt')
    assert frame_map(*files) == 0.09385521885521886
    result = frame_aps(*files)
    assert result.mean == 0.09385521885521886
    assert result.names == {1: 'action1', 2: 'action2', 3: 'action3'}
    assert result.groups['person movement'] == result.mean
    assert math.isnan(result.groups['person interaction'])


def test_hit_duplicate_hit():
    found = [detection(0.9), detection(0.8), detection(0.7, FAR)]
    result = evaluate([truth(), truth(FAR)], found)
    assert result.aps == {1: pytest.approx(5 / 6)}


@pytest.mark.parametrize('rescale', [lambda s: s**3, lambda s: 10 * s - 4])
def test_only_the_order_of_scores_counts(rescale):
    found = [detection(0.7, FAR), detection(0.9), detection(0.8)]
    again = [d._replace(score=rescale(d.score)) for d in found]
    truths = [truth(), truth(FAR)]
    assert evaluate(truths, again) == evaluate(truths, found)


def test_wrong_frame_and_wrong_class_are_no_hits():
    other = ('v', 903)
    frames = (FRAME, other)
    assert evaluate([truth()], [detection(0.9, frame=other)], frames).mean == 0
    result = evaluate([truth(), truth(label=17)], [detection(0.9, label=17)])
    assert result.aps == {1: 0.0, 17: 1.0}


@pytest.mark.parametrize('right, expected', [(0.5, 1.0), (0.49, 0.0)])
def test_overlap_of_exactly_one_half_counts(right, expected):
    wide = truth((0.0, 0.0, 1.0, 1.0))
    assert evaluate([wide], [detection(0.9, (0.0, 0.0, right, 1.0))]).mean == expected


def test_a_detection_never_falls_back_to_its_second_box():
    second = (0.1, 0.1, 0.5, 0.4)
    found = [detection(0.9), detection(0.8)]
    result = evaluate([truth(), truth(second)], found)
    assert result.aps == {1: 0.5}


def test_classes_without_ground_truth_are_left_out():
    result = evaluate([truth()], [detection(0.5), detection(0.9, label=17)])
    assert result.aps == {1: 1.0}
    assert math.isnan(evaluate([], [detection(0.9)]).mean)


def test_frames_without_actions_count():
    """Detections there are wrong; on frames that nobody names they are ignored."""
    empty, unknown = ('v', 903), ('v', 904)
    for frame, ap in ((empty, 0.5), (unknown, 1.0)):
        found = [detection(0.9, frame=frame), detection(0.8)]
        assert evaluate([truth()], found, (FRAME, empty)).mean == ap


@pytest.mark.parametrize('label, ap', [(17, 0.0), (99, 1.0)])
def test_fifty_best_of_a_frame(label, ap):
    """Those of classes outside of the label map take no place."""
    crowd = [detection(0.9, FAR, label)] * 50
    assert evaluate([truth()], [*crowd, detection(0.8)]).mean == ap
    assert evaluate([truth()], [*crowd[1:], detection(0.8)]).mean == 1


def test_random_frames_follow_the_rules():
    rng = random.Random(0)
    frames = [('v', second) for second in range(902, 905)]

    def box():
        x, y = (rng.choice([0.0, 0.1, 0.4]) for _ in range(2))
        return (x, y, x + rng.choice([0.3, 0.5]), y + 0.5)

    truths = [
        truth(box(), rng.choice(list(NAMES)), rng.choice(frames)) for _ in range(30)
    ]
    scores = rng.sample(range(1000), 250)
    found = [
        detection(s, box(), rng.choice([*NAMES, 5]), rng.choice([*frames, ('w', 1)]))
        for s in scores
    ]
    expected = reference.frame_aps(
        [t[:3] for t in truths], [tuple(d) for d in found], NAMES, frames
    )
    assert evaluate(truths, found, frames).aps == pytest.approx(expected)


def test_files(tmp_path):
    gt, pred, exclude = (tmp_path / name for name in ('gt.csv', 'p.csv', 'ex.csv'))
    label_map = tmp_path / 'map.pbtxt'
    label_map.write_text('item {\n  name: "bend"\n  id: 1\n}\n')
    gt.write_text(
        'v,0902,0.1,0.1,0.5,0.5,1,0\nv,0903\nv,904,0.1,0.1,0.5,0.5,7,0\n'
        'v,0905,0.1,0.1,0.5,0.5,1,0\n'
    )
    frames = [('v', second) for second in (903, 904, 902, 906)]
    found = [detection(1 - k / 8, frame=frame) for k, frame in enumerate(frames)]
    write_detections(found, pred)
    assert read_detections(pred) == found
    assert frame_map(gt, pred, label_map) == pytest.approx(1 / 3 / 2)
    exclude.write_text('v,0905\nv,0903\n')
    assert frame_map(gt, pred, label_map, exclude) == pytest.approx(1 / 2)


def test_table_and_groups():
    found = [detection(0.9), detection(0.8, FAR, 80)]
    truths = [truth(), truth(label=17), truth(FAR, 80), truth(BOX, 80)]
    result = evaluate(truths, found)
    assert result.groups == {
        'person movement': 1.0,
        'object manipulation': 0.0,
        'person interaction': 0.5,
    }
    assert result.table().splitlines() == [
        'bend                 100.00',
        'carry                  0.00',
        'watch                 50.00',
        'person movement      100.00',
        'object manipulation    0.00',
        'person interaction    50.00',
        'mean                  50.00',
    ]


@pytest.mark.parametrize(
    'text, message',
    [
        ('v,902,0,0,1', r"1: expected 'video,second,x1,.*' or 'video,second'"),
        ('v,902\nv,x', r"2: expected a whole number as second, got 'x'"),
        ('v,902,0,0,1,y,1', r'1: expected a box of 4 numbers, got 0, 0, 1, y'),
        ('v,902,0,0,1,1,stand', r"1: expected a whole number as class, got 'stand'"),
    ],
)
def test_malformed_lines(text, message, tmp_path):
    path = tmp_path / 'gt.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'gt\.csv:{message}'):
        frame_map(path, path, path)


def test_boxes_without_size_are_dropped_after_the_fifty_best():
    """As AVA's evaluator does: they take a place of the 50, but are no misses."""
    flat = [detection(0.9, (0.5, 0.1, 0.4, 0.5)), detection(0.9, (0.1, 0.5, 0.5, 0.5))]
    assert evaluate([truth()], [*flat, detection(0.8)]).mean == 1
    assert evaluate([truth()], [*flat[:1] * 49, detection(0.8)]).mean == 1
    assert evaluate([truth()], [*flat * 25, detection(0.8)]).mean == 0


@pytest.fixture
def tables(tmp_path):
    """Write truth and detections, and evaluate them."""
    (tmp_path / 'map.pbtxt').write_text('item { id: 12 name: "stand" }')

    def evaluated(gt, pred, exclude=None):
        paths = [tmp_path / name for name in ('gt.csv', 'pred.csv', 'ex.csv')]
        for path, content in zip(paths, (gt, pred, exclude), strict=True):
            if content is not None:
                path.write_text(content, encoding='utf-8')
        excluded = None if exclude is None else paths[2]
        return frame_map(paths[0], paths[1], tmp_path / 'map.pbtxt', excluded)

    return evaluated


GT, PRED = 'v,902,0,0,.5,1,12,0\n', 'v,902,0,0,.5,1,12,.9\n'


@pytest.mark.parametrize(
    'gt, pred, message',
    [
        (
            GT,
            'v.mp4,902,0,0,.5,1,12,.9',
            r"pred\.csv: .* 'v', got 'v\.mp4'",
        ),
        (GT, PRED + 'a/v.avi,903,0,0,.5,1,12,.9', r"such as 'v', got 'a/v\.avi'"),
        (GT, 'w,902,0,0,.5,1,12,.9', r"in videos of .*gt\.csv, such as 'v', got 'w'"),
        (GT, 'v,2,0,0,.5,1,12,.9', r"such as \('v', 902\), got none, but \('v', 2\)"),
        (GT, '', r"such as 'v', got none"),
        (GT, 'v,902,0,0,.5,1,12,nan', r'pred\.csv:1: expected a score, got nan'),
        (GT, PRED + 'v,902,0,0,inf,1,12,.9', r'pred\.csv:2: expected a box of 4'),
        (GT, PRED + 'v,902,9,9,90,80,12,.9', r'pred\.csv:2: .* 0 to 1, .* pixels'),
        (GT, GT[:-3], r"pred\.csv:1: expected 'video,.*,score'"),
    ],
)
def test_detections_that_do_not_fit(tables, gt, pred, message):
    with pytest.raises(ValueError, match=message):
        tables(gt, pred)


def test_excluded_frames_are_spelled_as_the_truth(tables):
    with pytest.raises(ValueError, match=r"ex\.csv: .* such as 'v', got 'v\.mp4'"):
        tables(GT, PRED, 'v.mp4,902')
    assert tables(GT + 'v,903,0,0,.5,1,12,0', PRED, 'v,903\nother,902') == 1


def test_frames_that_do_not_fit_are_counted(tables, monkeypatch):
    messages = []
    module = importlib.import_module('mmattn.evaluation.functional.frame_map')
    monkeypatch.setattr(
        module, 'print_log', lambda message, logger, level: messages.append(message)
    )
    assert tables(GT, PRED) == 1
    assert messages == []
    assert tables(GT + 'w,902\n', PRED + 'v,903,0,0,.5,1,12,.9') == 1
    frames, videos = messages
    assert 'pred.csv: 1 of 2 frames are not in ' in frames
    assert 'pred.csv: 1 of 2 videos of ' in videos


@pytest.mark.parametrize('name', ['gt.csv', 'gt_bom.csv'])
def test_shared_cases(real_data, name):
    cases = real_data.parent / 'cases' / 'labels'
    if not cases.is_dir():
        pytest.skip(f'no cases at {cases}')
    files = (cases / name, cases / 'pred.csv', cases / 'map.pbtxt')
    assert frame_map(*files) == 1
    with pytest.raises(ValueError, match=r"pred_ending\.csv: .*'v', got 'v\.mp4'"):
        frame_map(files[0], cases / 'pred_ending.csv', files[2])
