"""Table and picture of frame-AP."""

import json

import cv2
import numpy as np
import pytest

from mmattn.evaluation import FrameAPs
from mmattn.evaluation.functional.frame_ap_changes import ap_changes
from mmattn.evaluation.functional.frame_map import GROUPS
from mmattn.visualization.class_bars import draw_class_bars

TOOL = 'analysis/frame_ap.py'
NAMES = {1: 'bend', 2: 'crouch', 80: 'watch'}


def test_table_picture_and_json(real_data, tmp_path, run_tool, capsys):
    tiny = real_data / 'annotations' / 'ava' / 'tiny_eval'
    perfect = tmp_path / 'perfect.csv'
    lines = (tiny / 'gt.csv').read_text().split()
    perfect.write_text('\n'.join(f'{line.rsplit(",", 1)[0]},0.5' for line in lines))
    picture, report = tmp_path / 'out' / 'bars.png', tmp_path / 'aps.json'
    args = [tiny / 'gt.csv', tiny / 'pred.csv', perfect]
    args += ['--label-map', tiny / 'action_list.txt', '--out', picture]
    assert run_tool(TOOL, *args, '--json', report) == 0
    means, changes = capsys.readouterr().out.split('\nperfect less pred\n')
    assert means.splitlines()[-1].split() == ['mean', '9.39', '100.00']
    assert '+100.00' in changes.splitlines()[0]
    figures = json.loads(report.read_text())
    assert figures['pred']['mean'] == 0.09385521885521886
    assert set(figures['perfect']['classes'].values()) == {1.0}
    assert cv2.imread(str(picture)).std() > 10
    gains = figures['changes']['classes_changed']
    classes = figures['perfect']['classes']
    assert gains == pytest.approx(
        {name: 100 * (1 - figures['pred']['classes'][name]) for name in classes}
    )
    assert figures['changes']['better'] == sum(gain > 0 for gain in gains.values())


def test_gains_are_counted_as_in_the_paper():
    """Section 4.2: how many of 60 classes are better, and how many by over 1.0."""
    names = {label: f'action {label}' for label in range(1, 81)}
    labels = [*range(1, 31), *range(51, 81)]  # 60 of them
    gains = [2.0] * 28 + [1.0] * 6 + [0.01] * 10 + [0.0] * 2 + [-0.5] * 9 + [-1.5] * 5
    before = FrameAPs(names, dict.fromkeys(labels, 0.25))
    after = FrameAPs(
        names, {k: 0.25 + x / 100 for k, x in zip(labels, gains, strict=True)}
    )
    changes = ap_changes(before, after)
    assert changes.counts() == dict(
        classes=60, better=44, better_by_margin=28, worse=14, worse_by_margin=5
    )
    groups = [changes.counts(labels) for labels in GROUPS.values()]
    assert [n['classes'] for n in groups] == [14, 29, 17]
    assert [n['better'] for n in groups] == [14, 29, 1]
    assert [n['better_by_margin'] for n in groups] == [14, 14, 0]
    first, *_, last = changes.table().splitlines()[:60]
    assert (first.split(), last.split()) == (
        ['action', '1', '+2.00'],
        ['action', '80', '-1.50'],
    )
    wide = ap_changes(before, after, margin=1.9)
    assert wide.counts()['better_by_margin'] == 28
    assert ap_changes(after, before).counts()['worse_by_margin'] == 28


def test_changes_between_other_classes_are_refused():
    with pytest.raises(ValueError, match=r'the same classes, got \[1, 2\] in one only'):
        ap_changes(FrameAPs(NAMES, {1: 0.5}), FrameAPs(NAMES, {2: 0.5}))


def test_wrong_names_and_files(real_data, run_tool, capsys):
    tiny = real_data / 'annotations' / 'ava' / 'tiny_eval'
    args = [tiny / 'gt.csv', tiny / 'pred.csv', '--label-map', tiny / 'gt.csv']
    assert run_tool(TOOL, *args) == 2
    assert "gt.csv:1: expected 'item {'" in capsys.readouterr().err
    assert run_tool(TOOL, *args, '--names', 'a', 'b') == 2
    assert '--names: expected 1 different ones' in capsys.readouterr().err


def test_bars_grow_with_ap():
    """The orange bars of the second run cover twice the area."""
    low = FrameAPs(NAMES, dict.fromkeys(NAMES, 0.4))
    high = FrameAPs(NAMES, dict.fromkeys(NAMES, 0.8))
    picture = draw_class_bars({'without': low, 'with': high}).astype(int)
    blue, orange = (31, 119, 180), (255, 127, 14)
    areas = [(np.abs(picture - color).sum(2) < 9).sum() for color in (blue, orange)]
    assert areas[1] == pytest.approx(2 * areas[0], rel=0.1)


def test_runs_of_other_classes_are_refused():
    run_a = FrameAPs(NAMES, {1: 0.5})
    with pytest.raises(ValueError, match=r'classes of a in b, got \[1, 2\] in one'):
        draw_class_bars({'a': run_a, 'b': FrameAPs(NAMES, {2: 0.5})})
    with pytest.raises(ValueError, match='expected at least one run'):
        draw_class_bars({})
