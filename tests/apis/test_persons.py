"""Where boxes of persons come from."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmattn.apis.persons import (
    GivenPersons,
    PersonDetector,
    StoredPersons,
    boxes_as_proposals,
    detect_proposals,
)
from mmattn.datasets.detection import load_proposals, save_proposals

PICTURE = np.zeros((60, 80, 3), np.uint8)
LINES = [
    'clip,1,0.1,0.2,0.5,0.9,2,0',
    'clip,1,0.1,0.2,0.5,0.9,3,0',
    'clip,2,0,0,1,1,2,1',
]


@pytest.fixture
def annotations(tmp_path):
    (tmp_path / 'a.csv').write_text('\n'.join(LINES))
    writer = cv2.VideoWriter(
        str(tmp_path / 'clip.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 4, (80, 60)
    )
    for level in range(12):
        writer.write(np.full((60, 80, 3), 20 * level, np.uint8))
    writer.release()
    return tmp_path / 'a.csv'


def test_labeled_boxes(annotations):
    found = boxes_as_proposals(annotations)
    assert found['clip,0001'].tolist() == [[0.1, 0.2, 0.5, 0.9, 1.0]]
    assert found['clip,0002'].tolist() == [[0.0, 0.0, 1.0, 1.0, 1.0]]


@pytest.mark.parametrize('kind', ['json', 'npz'])
def test_proposals_are_read_as_written(kind, annotations):
    found = boxes_as_proposals(annotations)
    path = annotations.parent / 'out' / f'proposals.{kind}'
    save_proposals(found, path)
    loaded = load_proposals(path)
    assert loaded.keys() == found.keys()
    for key, boxes in found.items():
        np.testing.assert_array_equal(loaded[key], boxes)


def test_no_pickles_are_written(tmp_path):
    with pytest.raises(ValueError, match=r'ending in \.json or \.npz, got .*a\.pkl'):
        save_proposals({}, tmp_path / 'a.pkl')


def test_detection_sees_the_labeled_frames(annotations):
    """A stand-in that answers with the brightness: frames 4 and 8 of 12."""

    def detector(picture, second):
        boxes = [[0, 0, 1, 1, picture.mean() / 255]]
        return np.array(boxes if second == 2 else boxes[:0]).reshape(-1, 5)

    found = detect_proposals(annotations, annotations.parent, detector, progress=False)
    assert list(found) == ['clip,0002']
    assert found['clip,0002'][0, 4] == pytest.approx(160 / 255, abs=0.02)
    with pytest.raises(
        ValueError, match=r'a\.csv: expected seconds within clip, got 1'
    ):
        detect_proposals(
            annotations, annotations.parent, detector, start=5, progress=False
        )


def test_stored_boxes(tmp_path):
    boxes = {'clip.mp4,0003': [[0.1, 0.2, 0.3, 0.4, 0.9]], 'other,0004': [[0, 0, 1, 1]]}
    path = tmp_path / 'p.json'
    path.write_text(json.dumps(boxes))
    persons = StoredPersons(path, 'folder/clip.mp4')
    assert persons(PICTURE, 3.2).tolist() == boxes['clip.mp4,0003']
    assert persons(PICTURE, 4).shape == (0, 4)
    assert StoredPersons(path, 'other.avi')(PICTURE, 4).tolist() == [[0, 0, 1, 1]]
    with pytest.raises(ValueError, match=r'p\.json: expected boxes of gone\.mp4, got'):
        StoredPersons(path, 'gone.mp4')


def test_given_boxes():
    persons = GivenPersons([[0.1, 0.2, 0.3, 0.4]])
    assert persons(PICTURE, 7).tolist() == [[0.1, 0.2, 0.3, 0.4]]


@pytest.mark.parametrize(
    'boxes', [[], [[0.1, 0.2, 0.3]], [[0.3, 0.2, 0.1, 0.4]], [[0, 0, 1, 1.1]]]
)
def test_wrong_boxes(boxes):
    with pytest.raises(ValueError, match='boxes: expected 0 <= x1 < x2 <= 1'):
        GivenPersons(boxes)


@pytest.fixture(scope='module')
def detector_files(tmp_path_factory):
    """A tiny detector of mmdet, untrained, with the classes cat and person."""
    pytest.importorskip('mmdet', reason='a detector of mmdet')
    from mmdet.registry import MODELS

    folder = tmp_path_factory.mktemp('detector')
    model = dict(
        type='FCOS',
        data_preprocessor=dict(type='DetDataPreprocessor'),
        backbone=dict(
            type='ResNet', depth=18, base_channels=4, out_indices=(2,), init_cfg=None
        ),
        neck=None,
        bbox_head=dict(
            type='FCOSHead',
            num_classes=2,
            in_channels=16,
            feat_channels=8,
            stacked_convs=1,
            strides=[16],
            regress_ranges=((-1, 1e8),),
            norm_cfg=None,
        ),
        test_cfg=dict(
            nms_pre=100,
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.9),
            max_per_img=20,
        ),
    )
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(160, 120), keep_ratio=False),
        dict(
            type='PackDetInputs',
            meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor'),
        ),
    ]
    cfg = Config(
        dict(
            default_scope='mmdet',
            model=model,
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
        )
    )
    cfg.dump(folder / 'detector.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(0)
        weights = MODELS.build(cfg.model).state_dict()
    meta = dict(dataset_meta=dict(classes=('cat', 'person')))
    torch.save(dict(state_dict=weights, meta=meta), folder / 'detector.pth')
    return str(folder / 'detector.py'), str(folder / 'detector.pth')


@pytest.mark.det
@pytest.mark.filterwarnings('ignore:torch.meshgrid:UserWarning')  # in mmdet
def test_detector_of_mmdet(detector_files):
    from mmdet.apis import inference_detector

    detector = PersonDetector(*detector_files, score_thr=0.0)
    assert DefaultScope.get_current_instance().scope_name == 'mmaction'
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    found = detector(picture, 1.0)
    assert DefaultScope.get_current_instance().scope_name == 'mmaction'
    with DefaultScope.overwrite_default_scope('mmdet'):
        raw = inference_detector(detector.model, picture[..., ::-1].copy())
    raw = raw.pred_instances
    person = raw.labels == 1
    assert 0 < person.sum() < len(raw.labels)
    assert len(found) == person.sum()
    expected = raw.bboxes[person][raw.scores[person].argmax()].numpy() / [
        80,
        60,
        80,
        60,
    ]
    np.testing.assert_allclose(found[0, :4], expected.clip(0, 1), atol=1e-6)
    assert (np.diff(found[:, 4]) <= 0).all()
    middle = float(np.median(found[:, 4]))
    strict = PersonDetector(*detector_files, score_thr=middle)
    assert len(strict(picture)) == (found[:, 4] >= middle).sum() < len(found)


@pytest.mark.det
def test_class_of_the_detector(detector_files):
    assert PersonDetector(*detector_files, person='cat').person == 0
    with pytest.raises(ValueError, match=r"\('cat', 'person'\), got 'dog'"):
        PersonDetector(*detector_files, person='dog')
    with pytest.raises(ValueError, match='score_thr: expected 0 to 1, got 2'):
        PersonDetector(*detector_files, score_thr=2)
