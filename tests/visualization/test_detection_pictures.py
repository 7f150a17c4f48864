"""Detectors: one map per person, drawn in the person's box."""

import json

import numpy as np
import pytest
import torch
from attending_models import spatial_model
from PIL import Image
from small_detectors import person_video, small_detector

from mmattn.inference.video_parts import find_video_parts
from mmattn.testing.ava import BOXES
from mmattn.visualization.attention_pictures import DrawOptions, draw_attention
from mmattn.visualization.export import load_records
from mmattn.visualization.grad_cam_sheets import draw_grad_cams

PERSONS = {'person_0,0901': np.array(BOXES), 'person_0,0902': np.array(BOXES[:1])}
MAP = 'roi_head.shared_head.*pixel_weights'


@pytest.fixture
def detector(shrunk):
    pytest.importorskip('mmdet', reason='detection needs mmdet')
    return small_detector(shrunk)


@pytest.fixture
def video(tiny_data, tmp_path):
    return person_video(tiny_data, tmp_path / 'in')


def test_a_map_for_each_person(detector, video, tmp_path):
    options = DrawOptions(names=[MAP], formats=('png', 'gif'), num_columns=2, top=2)
    files, broken = draw_attention(
        {'m': detector},
        [video.parent],
        tmp_path / 'out',
        persons=PERSONS,
        options=options,
        progress=False,
    )
    assert broken == []
    assert all(file.is_file() for file in files)
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    first, second = summary['videos']
    assert [first['second'], second['second']] == [901, 902]
    (model,) = first['models']
    np.testing.assert_allclose(model['regions'], BOXES, atol=1e-6)
    names = [attention['name'] for attention in model['maps']]
    records = load_records(tmp_path / 'out' / 'person_0-0901')
    assert len(names) == 2 * len(records)
    assert names[0].endswith('region 0')
    assert [entry['name'].split(':')[0] for entry in model['top']] == [
        'person 0',
        'person 0',
        'person 1',
        'person 1',
    ]
    assert len(second['models'][0]['regions']) == 1
    page = (tmp_path / 'out' / 'index.html').read_text()
    assert 'person_0.mp4,0901' in page


def test_heat_is_in_the_box_alone(detector, video, tmp_path):
    name = 'roi_head.shared_head.*pixel_weights'
    options = DrawOptions(names=[name], num_columns=1, page=False)
    persons = {'person_0,0901': np.array(BOXES[1:])}
    draw_attention(
        {'m': detector}, [video], tmp_path / 'out', persons=persons, options=options
    )
    sheet = np.asarray(Image.open(tmp_path / 'out' / 'person_0-0901' / 'sheet.png'))
    inputs = detector.cfg.test_pipeline
    size = next(step for step in inputs if step['type'] == 'Resize')['scale'][0]
    top, left = 8 + 20 + 20, 8
    plain, drawn = (
        sheet[start : start + size, left : left + size].astype(int)
        for start in (top, top + size + 20)
    )
    changed = (plain != drawn).any(-1)
    x0, y0, x1, y1 = (round(edge * size) for edge in BOXES[1])
    inside = np.zeros_like(changed)
    inside[y0:y1, x0:x1] = True
    assert changed[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].mean() > 0.9
    assert not changed[~inside].any()


def test_frames_and_their_video_are_the_same(detector, tiny_data, video, tmp_path):
    folder = tiny_data / 'ava' / 'frames' / 'person_0'
    options = DrawOptions(names=[MAP], formats=(), page=False)
    found = []
    for name, path in (('file', video), ('folder', folder)):
        out = tmp_path / name
        draw_attention({'m': detector}, [path], out, persons=PERSONS, options=options)
        found.append(load_records(out / 'person_0-0902'))
    for one, other in zip(*found, strict=True):
        assert one.axes == other.axes
        assert one.map.shape == other.map.shape
        assert torch.isfinite(one.map).all()


@pytest.mark.parametrize(
    ('persons', 'message'),
    [
        (None, 'persons: expected boxes of persons for detectors .* got none'),
        ({'other,0901': np.array(BOXES)}, 'persons: .* each video, got none for'),
        ({'person_0,0001': np.array(BOXES)}, 'persons: expected seconds from 9'),
        ({'person_0,0901': np.array([[0, 0, 9, 9]])}, 'persons: .* boxes from 0 to 1'),
        ({'person_0,0901': np.zeros((0, 4))}, 'persons: .* each video, got none for'),
    ],
)
def test_bad_persons(detector, video, tmp_path, persons, message):
    with pytest.raises(ValueError, match=message):
        draw_attention({'m': detector}, [video], tmp_path / 'out', persons=persons)
    assert not (tmp_path / 'out').exists()


def test_recognizers_take_no_persons(tmp_path):
    with pytest.raises(ValueError, match=r'persons: .* none for recognizers, got some'):
        find_video_parts([spatial_model()], [tmp_path / 'a.mp4'], PERSONS)


def test_both_kinds(detector, tmp_path):
    with pytest.raises(ValueError, match='models: expected only recognizers or only'):
        find_video_parts([spatial_model(), detector], [tmp_path / 'a.mp4'], PERSONS)


def test_class_maps_of_each_person(detector, video, tmp_path):
    """Two rows of a second with two persons; region maps are in the box alone."""
    options = dict(persons=PERSONS, class_index=2, num_columns=1, progress=False)
    sheets = {}
    for layer in ('backbone', 'region'):
        files, broken = draw_grad_cams(
            {'m': detector}, [video], tmp_path / layer, layers=layer, **options
        )
        assert broken == []
        assert [file.name for file in files] == [
            'person_0-0901.png',
            'person_0-0902.png',
        ]
        sheets[layer] = np.asarray(Image.open(files[0])).astype(int)
    one = np.asarray(Image.open(files[1]))
    line = sheets['region'].shape[0] - one.shape[0]  # the row of the second person
    height = line - 20
    blue = sheets['region'][-28 - height : -28]  # above the margin and the frame number
    left, top, right, bottom = BOXES[1]
    width = sheets['region'].shape[1] - 16
    outside = np.ones((height, width), bool)
    outside[
        int(top * height) - 1 : int(bottom * height) + 2,
        int(left * width) - 1 : int(right * width) + 2,
    ] = False
    red, shown = blue[:, 8:-8, 0], blue[:, 8:-8, 2]
    assert (red[outside] <= 128).all()  # half of the frame, nothing of the heat
    assert (shown[outside] >= 60).all()  # half of the blue for 0
    assert not np.array_equal(sheets['backbone'], sheets['region'])
