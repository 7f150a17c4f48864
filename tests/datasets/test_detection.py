"""Persons and actions in AVA's layout."""

import json
import pickle

import numpy as np
import pytest

from mmattn.datasets.detection import load_proposals
from mmattn.registry import DATASETS

KEY = 'person_0,0901'


def build(tiny_data, **options):
    folder = tiny_data / 'ava'
    cfg = dict(
        type='mmattn.ActionDetectionDataset',
        ann_file=str(folder / 'truth.csv'),
        label_file=str(folder / 'labels.pbtxt'),
        proposal_file=str(folder / 'proposals.pkl'),
        data_prefix=dict(img=str(folder / 'frames')),
        num_classes=4,
        pipeline=[],
    )
    return DATASETS.build(cfg | options)


def test_samples(tiny_data):
    dataset = build(tiny_data)
    assert len(dataset) == 4
    info = dataset.get_data_info(0)
    assert info['img_key'] == KEY
    assert info['gt_labels'].tolist() == [[0, 1, 0, 1], [0, 0, 1, 0]]
    assert info['proposals'].shape == (3, 4)
    assert info['scores'].tolist() == [0.99, 0.95, 0.92]


def test_excluded_frames(tiny_data):
    dataset = build(tiny_data, exclude_file=str(tiny_data / 'ava' / 'excluded.csv'))
    keys = [dataset.get_data_info(k)['img_key'] for k in range(len(dataset))]
    assert keys == ['person_0,0901', 'person_0,0902', 'person_1,0901']


# The host does not close the label map.
@pytest.mark.filterwarnings('ignore:unclosed file:ResourceWarning')
def test_classes_of_its_own(tiny_data):
    dataset = build(tiny_data, custom_classes=[2, 3], num_classes=3)
    assert dataset.get_data_info(0)['gt_labels'].tolist() == [[0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize('kind', ['npz', 'json', 'pkl'])
def test_proposals_of_every_kind(kind, tmp_path):
    boxes = {KEY: np.array([[0.1, 0.2, 0.5, 0.9, 0.75]])}
    path = tmp_path / f'proposals.{kind}'
    if kind == 'npz':
        np.savez(path, **boxes)
    elif kind == 'json':
        path.write_text(json.dumps({KEY: boxes[KEY].tolist()}))
    else:
        path.write_bytes(pickle.dumps(boxes))
    loaded = load_proposals(path)
    assert list(loaded) == [KEY]
    np.testing.assert_array_equal(loaded[KEY], boxes[KEY])


def test_proposals_of_ava(real_data):
    folder = real_data / 'annotations' / 'ava' / 'tiny_dataset'
    loaded = load_proposals(folder / 'ava_proposals_sample.pkl')
    assert sorted(loaded) == [
        '0f39OWEqJ24,0902',
        '0f39OWEqJ24,0903',
        '_-Z6wFjXtGQ,0902',
    ]
    assert all(boxes.shape[1] in (4, 5) for boxes in loaded.values())


@pytest.mark.parametrize(
    'content, message',
    [
        ([1], r'proposals\.json: expected boxes by frame, got .*list'),
        ({KEY: [0.1, 0.2]}, rf"expected an array \(n, 4\) .* of '{KEY}', got \(2,\)"),
    ],
)
def test_malformed_proposals(content, message, tmp_path):
    path = tmp_path / 'proposals.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_proposals(path)


class Evil:
    def __reduce__(self):
        return (print, ('executed',))


def test_pickles_execute_nothing(tmp_path, capsys):
    path = tmp_path / 'proposals.pkl'
    path.write_bytes(pickle.dumps({KEY: Evil()}))
    with pytest.raises(ValueError, match=r'expected a pickle of plain data'):
        load_proposals(path)
    assert 'executed' not in capsys.readouterr().out
