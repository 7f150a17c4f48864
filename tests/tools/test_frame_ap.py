"""Table and picture of frame-AP."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmattn.evaluation import FrameAPs
from mmattn.visualization.class_bars import draw_class_bars

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'analysis' / 'frame_ap.py'
NAMES = {1: 'bend', 2: 'crouch', 80: 'watch'}


def run(monkeypatch, *args):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
    with pytest.raises(SystemExit) as error:
        runpy.run_path(str(TOOL), run_name='__main__')
    return error.value.code


def test_table_picture_and_json(real_data, tmp_path, monkeypatch, capsys):
    tiny = real_data / 'annotations' / 'ava' / 'tiny_eval'
    perfect = tmp_path / 'perfect.csv'
    lines = (tiny / 'gt.csv').read_text().split()
    perfect.write_text('\n'.join(f'{line.rsplit(",", 1)[0]},0.5' for line in lines))
    picture, report = tmp_path / 'out' / 'bars.png', tmp_path / 'aps.json'
    args = [tiny / 'gt.csv', tiny / 'pred.csv', perfect]
    args += ['--label-map', tiny / 'action_list.txt', '--out', picture]
    assert run(monkeypatch, *args, '--json', report) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == [
        'mean',
        '9.39',
        '100.00',
    ]
    figures = json.loads(report.read_text())
    assert figures['pred']['mean'] == 0.09385521885521886
    assert set(figures['perfect']['classes'].values()) == {1.0}
    assert cv2.imread(str(picture)).std() > 10


def test_wrong_names_and_files(real_data, monkeypatch, capsys):
    tiny = real_data / 'annotations' / 'ava' / 'tiny_eval'
    args = [tiny / 'gt.csv', tiny / 'pred.csv', '--label-map', tiny / 'gt.csv']
    assert run(monkeypatch, *args) == 2
    assert 'expected items with a name' in capsys.readouterr().err
    assert run(monkeypatch, *args, '--names', 'a', 'b') == 2
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
