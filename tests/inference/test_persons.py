"""Where boxes of persons come from."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from mmattn.datasets.proposals import load_proposals, save_proposals
from mmattn.inference.persons import (
    GivenPersons,
    PersonDetector,
    StoredPersons,
    boxes_as_proposals,
    detect_proposals,
)
from mmattn.testing.persons import write_person_detector

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

    folder = annotations.parent
    found, broken = detect_proposals(annotations, folder, detector, progress=False)
    assert broken == []
    assert list(found) == ['clip,0001', 'clip,0002']
    assert found['clip,0001'].shape == (0, 5)
    assert found['clip,0002'][0, 4] == pytest.approx(160 / 255, abs=0.02)
    with pytest.raises(
        ValueError, match=r'clip\.mp4: expected labels from second 5 to 8, got 1'
    ):
        detect_proposals(annotations, folder, detector, start=5, progress=False)


def test_videos_that_cannot_be_read_do_not_stop_the_others(annotations, capsys):
    with annotations.open('a') as file:
        file.write('\nhalf,1,0,0,1,1,2,0\ngone,1,0,0,1,1,2,0\n')
    content = annotations.with_name('clip.mp4').read_bytes()
    annotations.with_name('half.mp4').write_bytes(content[: len(content) // 3])
    found, broken = detect_proposals(
        annotations, annotations.parent, lambda *_: np.ones((1, 5)), progress=False
    )
    assert list(found) == ['clip,0001', 'clip,0002']
    assert [message.partition(': ')[0].rpartition('/')[2] for message in broken] == [
        'gone.mp4',
        'half.mp4',
    ]


def test_a_fault_of_the_detector_is_not_the_videos(annotations):
    def detector(picture, second):
        raise ValueError('of my own')

    with pytest.raises(ValueError, match='of my own'):
        detect_proposals(annotations, annotations.parent, detector, progress=False)


def test_stored_boxes(tmp_path):
    boxes = {'clip.mp4,0003': [[0.1, 0.2, 0.3, 0.4, 0.9]], 'other,0004': [[0, 0, 1, 1]]}
    path = tmp_path / 'p.json'
    path.write_text(json.dumps(boxes))
    persons = StoredPersons(path, 'folder/clip.mp4')
    assert persons(PICTURE, 3.2).tolist() == boxes['clip.mp4,0003']
    assert persons(PICTURE, 4).shape == (0, 4)
    assert StoredPersons(path, 'other.avi')(PICTURE, 4).tolist() == [[0, 0, 1, 1]]
    with pytest.raises(
        ValueError, match=r'p\.json: expected boxes of gone\.mp4, got .*clip'
    ):
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
    return write_person_detector(tmp_path_factory.mktemp('detector'))


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


@pytest.mark.det
def test_weights_of_another_detector_are_refused(detector_files, tmp_path):
    """Mmdet warns, and finds what random weights find."""
    config, path = detector_files
    content = torch.load(path)
    weights = content['state_dict']
    name = next(key for key in weights if key.startswith('bbox_head'))
    weights[name] = weights[name][:1]
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=rf'other\.pth: expected .* got 1 of .*{name}'):
        PersonDetector(config, str(tmp_path / 'other.pth'))
