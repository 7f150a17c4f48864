"""Actions of persons in video files: found, drawn and written."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from mmattn.attention.capture import capture_attention
from mmattn.inference.detect import KeyFrame, PersonActions, class_names, detect_actions
from mmattn.inference.models import load_model
from mmattn.inference.persons import GivenPersons, StoredPersons
from mmattn.visualization.detection_pictures import UNTRAINED, save_detections

pytestmark = pytest.mark.det
FRAMES = 'slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb'
VIDEOS = 'slowfast_attn_k400-pre-i3d-r50_1xb8-32x2x1-20e_own-rgb'
TOOL = 'visualization/detect_actions.py'
BOXES = [[0.1, 0.2, 0.5, 0.9], [0.5, 0.1, 0.9, 0.8]]


@pytest.fixture
def video(tiny_data):
    return tiny_data / 'ava' / 'videos' / 'person_0.mp4'  # 12 frames, 4 per second


def detect(model, video, persons, **options):
    return detect_actions(model, video, persons, progress=False, **options)


def test_boxes_and_scores_are_those_of_the_test_loop(shrunk, video, tiny_data):
    cfg = shrunk(VIDEOS)
    model = load_model(cfg, untrained=True)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    items = [dataset[k] for k in range(len(dataset))]
    (item,) = (i for i in items if i['data_samples'].img_key == 'person_0,0902')
    with torch.no_grad():
        (expected,) = model.test_step(pseudo_collate([item]))
    expected = expected.pred_instances

    stored = StoredPersons(tiny_data / 'ava' / 'proposals.pkl', video)

    def persons(picture, second):  # the truth calls the first second 900
        boxes = stored(picture, second + 900)
        return boxes[boxes[:, -1] >= 0.9] if len(boxes) else boxes

    options = dict(score_thr=0.0, top=3)
    (nothing, _, found) = detect(model, video, persons, **options)
    assert (nothing.number, nothing.second, nothing.persons) == (0, 0.0, ())
    assert (found.number, found.second) == (8, 2.0)
    assert len(found.persons) == len(expected.bboxes) == 3
    for person, box, scores in zip(
        found.persons, expected.bboxes, expected.scores, strict=True
    ):
        np.testing.assert_allclose(person.box, box, atol=1e-6)
        order = scores[1:].argsort(descending=True, stable=True) + 1
        assert [label for label, _ in person.actions] == order.tolist()
        np.testing.assert_allclose(
            [score for _, score in person.actions], scores[order], atol=1e-6
        )


def test_models_of_stored_frames_read_video_files(shrunk, video):
    """Clips of 8 frames at 4 per second, as in the data set, each with its boxes."""
    model = load_model(shrunk(FRAMES), untrained=True)
    persons = GivenPersons(BOXES)
    with capture_attention(model) as records:
        found = detect(model, video, persons, every_seconds=1.5)
    assert [key.number for key in found] == [0, 6]
    first, second = records.by_name(
        'roi_head.shared_head.branches.spatial_slow.0.pixel_weights'
    )
    assert second.roi == (0, 1)
    np.testing.assert_allclose(second.boxes, BOXES, atol=1e-6)
    assert first.frames.tolist() == [[0, 0, 0, 0, 0, 1, 2, 3]] * 2
    assert second.frames.tolist() == [[2, 3, 4, 5, 6, 7, 8, 9]] * 2


def test_thresholds_and_classes_of_ones_own(shrunk, video):
    cfg = shrunk(VIDEOS)
    model = load_model(cfg, untrained=True)
    persons = GivenPersons(BOXES)
    (best,) = {len(p.actions) for p in detect(model, video, persons, top=1)[0].persons}
    assert best == 1
    nobody = detect(model, video, persons, score_thr=1.0)[0]
    assert [person.actions for person in nobody.persons] == [(), ()]
    model.cfg.test_dataloader.dataset.custom_classes = [12, 17, 80]
    actions = detect(model, video, persons)[0].persons[0].actions
    assert {label for label, _ in actions} == {12, 17, 80}


def test_untrained_weights_are_always_the_same(shrunk):
    cfg = shrunk(FRAMES)
    torch.manual_seed(7)
    before = torch.rand(1)
    torch.manual_seed(7)
    first = load_model(cfg, untrained=True).state_dict()
    assert torch.equal(torch.rand(1), before)
    second = load_model(cfg, untrained=True).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first['roi_head.bbox_head.fc_reg.weight'].abs().max() < 0.01


def test_weights_of_another_model(shrunk, tmp_path):
    torch.save(dict(state_dict={'a': torch.ones(1)}), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other\.pth'):
        load_model(shrunk(FRAMES), str(tmp_path / 'other.pth'))


class ProposesItself(torch.nn.Module):
    """Stands for a detector with region proposals: gets none, finds one person."""

    with_rpn = True

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg

    def test_step(self, data):
        (sample,) = data['data_samples']
        assert 'proposals' not in sample
        found = ActionDataSample()
        found.pred_instances = InstanceData(
            bboxes=torch.tensor(BOXES[:1]), scores=torch.tensor([[0, 0.2, 0.9, 0.6]])
        )
        return [found]


def test_models_that_propose_persons(shrunk, video):
    (key, *_) = detect(ProposesItself(shrunk(FRAMES)), video, None)
    (person,) = key.persons
    np.testing.assert_allclose(person.box, BOXES[0])
    assert [label for label, _ in person.actions] == [2, 3]


def test_wrong_options(shrunk, video, tmp_path):
    model = load_model(shrunk(FRAMES), untrained=True)
    with pytest.raises(ValueError, match='persons: expected boxes for a model without'):
        detect(model, video, None)
    with pytest.raises(ValueError, match='every_seconds: expected above 0, got 0'):
        detect(model, video, GivenPersons(BOXES), every_seconds=0)
    with pytest.raises(ValueError, match=r'gone\.mp4: expected .* got no file'):
        detect(model, tmp_path / 'gone.mp4', GivenPersons(BOXES))
    model.cfg.test_dataloader.dataset.pipeline = []
    with pytest.raises(ValueError, match=r'pipeline: expected a step with clip_len'):
        detect(model, video, GivenPersons(BOXES))


def test_names(shrunk, tiny_data):
    cfg = shrunk(FRAMES)
    assert class_names(cfg) == {k: f'action {k}' for k in (1, 2, 3)}
    cfg.test_evaluator.label_file = 'gone.pbtxt'
    assert class_names(cfg) == {k: f'class {k}' for k in (1, 2, 3)}
    assert class_names(cfg, tiny_data / 'ava' / 'labels.pbtxt')[3] == 'action 3'


PERSON = PersonActions((0.25, 0.25, 0.75, 1.0), ((2, 0.75), (1, 0.5)))
KEYS = [KeyFrame(0, 0.0, ()), KeyFrame(8, 2.0, (PERSON,))]
NAMES = {1: 'sit', 2: 'run'}


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return np.stack(frames)


def test_files(video, tmp_path):
    files = save_detections(
        video, KEYS, NAMES, tmp_path, weights='a.pth', longest=120, progress=False
    )
    film, sheet, report = files
    assert [file.name for file in files] == [
        f'person_0.{k}' for k in ('mp4', 'png', 'json')
    ]
    content = json.loads(report.read_text())
    assert (content['weights'], content['fps']) == ('a.pth', 4.0)
    assert content['frames'][0] == dict(frame=0, second=0.0, persons=[])
    (person,) = content['frames'][1]['persons']
    assert person['box'] == [0.25, 0.25, 0.75, 1.0]
    assert person['actions'][0] == {'class': 2, 'name': 'run', 'score': 0.75}
    drawn, plain = frames_of(film), frames_of(video)
    assert drawn.shape == (12, 90, 120, 3)
    plain = np.stack(
        [cv2.resize(frame, (120, 90), interpolation=cv2.INTER_AREA) for frame in plain]
    )
    changes = np.abs(drawn.astype(int) - plain).mean(axis=(1, 2, 3))
    # Frames 0 to 4 are nearest to frame 0, where nobody is.
    assert changes[:5].max() * 1.5 < changes[5:].min()
    width, height = 2 * 8 + 2 * 120 + 4, 2 * 8 + 2 * 20 + 90 + 20
    assert cv2.imread(str(sheet)).shape == (height, width, 3)


def test_untrained_weights_are_named_on_all_pictures(video, tmp_path):
    options = dict(weights=None, longest=120, progress=False)
    film, sheet, report = save_detections(video, KEYS, NAMES, tmp_path, **options)
    assert json.loads(report.read_text())['weights'] == 'untrained'
    assert 'untrained' in UNTRAINED
    other = save_detections(
        video, KEYS, NAMES, tmp_path / 'b', weights='x', longest=120, progress=False
    )
    for one, two in ((film, other[0]), (sheet, other[1])):
        read = frames_of if one.suffix == '.mp4' else lambda p: cv2.imread(str(p))
        assert np.abs(read(one).astype(int) - read(two)).mean() > 0.3


def test_nothing_to_draw(video, tmp_path):
    with pytest.raises(ValueError, match='key_frames: expected at least one, got none'):
        save_detections(video, [], NAMES, tmp_path, weights=None)


def test_tool(shrunk, video, tmp_path, run_tool, capsys):
    config = tmp_path / 'model.py'
    cfg = shrunk(VIDEOS)
    cfg.dump(config)
    weights = load_model(cfg, untrained=True).state_dict()
    torch.save(dict(state_dict=weights), tmp_path / 'model.pth')
    given = ['--boxes', '0,0,0.5,1', '0.5,0,1,1', '--every', 2, '--out']
    checkpoint = tmp_path / 'model.pth'
    code = run_tool(TOOL, config, checkpoint, video, *given, tmp_path / 'a')
    assert code == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        str(tmp_path / 'a' / f'person_0.{k}') for k in ('mp4', 'png', 'json')
    ]
    assert run_tool(TOOL, config, video, '--untrained', *given, tmp_path / 'b') == 0
    reports = [json.loads((tmp_path / k / 'person_0.json').read_text()) for k in 'ab']
    assert reports[0]['frames'] == reports[1]['frames']  # the weights saved above
    assert len(reports[0]['frames'][0]['persons']) == 2
    assert [report['weights'] for report in reports] == [str(checkpoint), 'untrained']


@pytest.mark.parametrize('args', [['v.mp4'], ['w.pth', 'v.mp4', '--untrained']])
def test_tool_wants_weights_or_to_hear_that_there_are_none(args, run_tool, capsys):
    assert run_tool(TOOL, 'config.py', *args, '--out', 'o') == 2
    assert 'expected a checkpoint, or --untrained' in capsys.readouterr().err
