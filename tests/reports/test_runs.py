"""The page about a test."""

import base64
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.fileio import dump

from mmattn.evaluation import Scores
from mmattn.reports.runs import class_rows, worst_videos, write_report

TOOL = 'analysis/report.py'
RGB = 'tsn_in1k-pre-vgg16_8xb8-1x1x3-10kiter_ucf101-split1-rgb'
FLOW = 'tsn_in1k-pre-vgg16_8xb8-5x1x3-30kiter_ucf101-split1-flow'
FEATURES = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'
NAMES = ['run', 'walk & <talk>', 'clap']
SCORES = [[0.6, 0.3, 0.1], [0.5, 0.2, 0.3], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5]]
LABELS = [0, 1, 2, 0]  # of the tiny clips
VIDEOS = tuple(f'clip_{i}' for i in range(4))


@pytest.fixture
def scores():
    return Scores('a test', VIDEOS, np.array(SCORES), np.array(LABELS))


def pictures(page):
    found = re.findall(r'data:image/jpeg;base64,([^"]+)"', page)
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), 1)
        for text in found
    ]


def test_page_loads_nothing_and_names_everything(scores, shrunk, tmp_path):
    out = write_report(scores, tmp_path / 'r.html', classes=NAMES, cfg=shrunk(RGB))
    page = out.read_text()
    assert '://' not in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert '4 videos: top-1 25.0 %, top-5 100.0 %' in page
    assert 'walk &amp; &lt;talk&gt;' in page
    assert '<talk>' not in page
    order = re.findall(r'<b>(\w+)</b>', page)
    assert order == ['clip_2', 'clip_1', 'clip_3']  # truth has 0.1, 0.2 and 0.2
    shown = pictures(page)
    assert len(shown) == 6  # the shrunk test has two frames
    assert all(picture.shape == (32, 32, 3) for picture in shown)
    (matrix,) = re.findall(r'data:image/png;base64,([^"]+)"', page)
    image = cv2.imdecode(np.frombuffer(base64.b64decode(matrix), np.uint8), 1)
    assert image.std() > 0


def test_flow_has_thumbnails_and_features_say_why_not(scores, shrunk, tmp_path):
    path = tmp_path / 'r.html'
    page = write_report(
        scores, path, classes=NAMES, cfg=shrunk(FLOW), num_worst=1
    ).read_text()
    assert len(pictures(page)) == 2
    page = write_report(scores, path, classes=NAMES, cfg=shrunk(FEATURES)).read_text()
    assert not pictures(page)
    assert page.count('the model reads stored features') == 3
    page = write_report(scores, path, classes=NAMES).read_text()
    assert not pictures(page)


def test_broken_video_is_named(scores, shrunk, tmp_path):
    cfg = shrunk(RGB)
    cfg.test_dataloader.dataset.data_prefix.video = str(tmp_path)
    page = write_report(scores, tmp_path / 'r.html', classes=NAMES, cfg=cfg).read_text()
    assert not pictures(page)
    assert 'clip_2.mp4' in page


def test_other_videos_are_refused(scores, shrunk, tmp_path):
    other = Scores('x', ('a', 'b', 'c', 'd'), scores.scores, scores.labels)
    with pytest.raises(ValueError, match='expected the tested videos, got no c'):
        write_report(other, tmp_path / 'r.html', classes=NAMES, cfg=shrunk(RGB))
    assert not (tmp_path / 'r.html').exists()


def test_classes_by_hand():
    matrix = np.array([[1, 0, 3, 1], [0, 0, 0, 0], [0, 0, 5, 0], [2, 2, 0, 4]])
    rows = class_rows(matrix, list('abcd'))
    assert [row.name for row in rows] == ['a', 'd', 'c']
    assert rows[0].accuracy == pytest.approx(0.2)
    assert (rows[0].videos, rows[0].taken_for, rows[0].taken_count) == (5, 'c', 3)
    assert (rows[2].taken_for, rows[2].taken_count) == ('', 0)


def test_worst_videos_are_wrong_ones_only(scores):
    found = worst_videos(scores, NAMES, 2)
    assert [video.name for video in found] == ['clip_2', 'clip_1']
    assert (found[0].truth, found[0].predicted) == ('clap', NAMES[1])
    assert (found[0].truth_score, found[0].predicted_score) == (0.1, 0.8)
    right = Scores('r', VIDEOS, np.eye(3)[LABELS], np.array(LABELS))
    assert worst_videos(right, NAMES, 5) == []


def test_tool(tmp_path, run_tool, capsys):
    samples = [
        dict(video_id=v, pred_score=np.array(s), gt_label=torch.tensor([label]))
        for v, s, label in zip(VIDEOS, SCORES, LABELS, strict=True)
    ]
    dump(samples, tmp_path / 'a.pkl')
    args = [TOOL, tmp_path / 'a.pkl', '--out', tmp_path / 'r.html']
    assert run_tool(*args) == 0
    assert 'clip_2' in (tmp_path / 'r.html').read_text()
    assert run_tool(*args, '--classes', __file__) == 2
    assert 'expected 3 classes' in capsys.readouterr().err
