"""Frame-AP: official figures, rules and limits."""

import math
import random

import pytest
from reference import slowfast_attn as reference

from mmattn.evaluation import frame_aps, frame_map
from mmattn.evaluation.functional.frame_map import (
    ActionBox,
    evaluate_frames,
    read_detections,
    read_label_map,
    write_detections,
)

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


def test_label_map_of_60_classes(real_data):
    name = 'ava_action_list_v2.1_for_activitynet_2018.pbtxt'
    names = read_label_map(real_data / 'annotations' / 'ava' / name)
    assert len(names) == 60
    assert names[1] == 'bend/bow (at the waist)'
    assert names[80] == 'watch (a person)'


def test_label_map_in_the_layout_of_2019(tmp_path):
    path = tmp_path / 'map.pbtxt'
    path.write_text('label {\n  name: "stand"\n  label_id: 12\n  label_type: X\n}\n')
    assert read_label_map(path) == {12: 'stand'}


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
        ('v,902,0,0,1', r'line 1: expected 2 or 7 or 8 columns'),
        ('v,902\nv,x', r"line 2: expected a whole second, got 'x'"),
        ('v,902,0,0,1,y,1', r"line 1: expected x1,y1,x2,y2,class .*'y'"),
        ('v,902,0,0,1,1,stand', r"line 1: expected x1,y1,x2,y2,class .*'stand'"),
    ],
)
def test_malformed_lines(text, message, tmp_path):
    path = tmp_path / 'gt.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'gt\.csv, {message}'):
        frame_map(path, path, path)


def test_label_map_without_classes(tmp_path):
    path = tmp_path / 'map.pbtxt'
    path.write_text('1: stand')
    with pytest.raises(ValueError, match=r'map\.pbtxt: expected items with a name'):
        read_label_map(path)
