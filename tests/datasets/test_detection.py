"""Persons and actions in AVA's layout."""

import json

import pytest

from mmattn.datasets import AnnotationFileNotFoundError
from mmattn.datasets import detection as module
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


def test_classes_of_its_own(tiny_data):
    dataset = build(tiny_data, custom_classes=[2, 3], num_classes=3)
    assert dataset.get_data_info(0)['gt_labels'].tolist() == [[0, 0, 1], [0, 1, 0]]


@pytest.fixture
def own(tmp_path):
    """Build a data set of own videos from the text of its files."""

    def build_own(text, proposals=None, **options):
        (tmp_path / 'a.csv').write_text(text, encoding='utf-8')
        if proposals is not None:
            (tmp_path / 'p.json').write_text(json.dumps(proposals))
            options['proposal_file'] = str(tmp_path / 'p.json')
        cfg = dict(
            type='mmattn.ActionDetectionDataset',
            ann_file=str(tmp_path / 'a.csv'),
            data_prefix=dict(img='videos'),
            num_classes=4,
            use_frames=False,
            start_index=0,
            timestamp_start=0,
            test_mode=True,
            pipeline=[],
        )
        return DATASETS.build(cfg | options)

    return build_own


@pytest.fixture
def logged(monkeypatch):
    messages = []
    monkeypatch.setattr(module, 'print_log', lambda text, *_: messages.append(text))
    return messages


CLIP = 'clip.mp4,3,0.1,0.1,0.4,0.9,1,0\n'
PERSON = [0.1, 0.1, 0.4, 0.9, 0.99]


@pytest.mark.parametrize('video', ['clip.mp4', 'clip'])
@pytest.mark.parametrize('second', ['0003', '3'])
def test_the_box_of_the_file_is_the_person(own, video, second):
    info = own(CLIP, {f'{video},{second}': [PERSON]}).get_data_info(0)
    assert info['proposals'].tolist() == [PERSON[:4]]
    assert info['scores'].tolist() == [0.99]
    assert info['filename'] == 'videos/clip.mp4'
    assert info['entity_ids'].tolist() == [0]


def test_a_file_that_fits_no_frame_is_refused(own):
    message = r"p\.json: .*a\.csv, such as 'clip\.mp4,0003', got none .* 'b,0003'"
    with pytest.raises(ValueError, match=message):
        own(CLIP, {'b,0003': [PERSON]})


def test_nobody_in_a_frame_and_no_entry(own):
    two = CLIP + CLIP.replace(',3,', ',4,')
    dataset = own(two, {'clip,3': []})
    assert dataset.get_data_info(0)['proposals'].shape == (0, 4)
    assert dataset.get_data_info(0)['scores'].shape == (0,)
    assert dataset.get_data_info(1)['proposals'].tolist() == [[0, 0, 1, 1]]


def test_scores_choose_persons(own):
    boxes = [[0, 0, 1, 1, 0.8], [0, 0, 0.5, 1, 0.7], [0, 0, 0.2, 1, 0.1]]
    for threshold, count in ((0.5, 2), (0.9, 1), (0.0, 3)):
        dataset = own(CLIP, {'clip,3': boxes}, person_det_score_thr=threshold)
        assert len(dataset.get_data_info(0)['proposals']) == count
    dataset = own(CLIP, {'clip,3': boxes}, person_det_score_thr=0, num_max_proposals=2)
    assert dataset.get_data_info(0)['scores'].tolist() == [0.8, 0.7]
    with pytest.raises(ValueError, match=r'score_thr: expected .* from 0 to 1, got 5'):
        own(CLIP, person_det_score_thr=5)


def test_frames_without_actions(own, logged):
    """They are tested, and left out of training."""
    text = 'clip.mp4,2\n\n' + CLIP
    info = own(text).get_data_info(0)
    assert info['timestamp'] == 2
    assert info['gt_bboxes'].shape == (0, 4)
    assert info['gt_labels'].shape == (0, 4)
    training = own(text, test_mode=False)
    assert [training.get_data_info(k)['timestamp'] for k in range(len(training))] == [3]
    assert '1 of 2 frames have no action of a class and are left out' in logged[0]
    with pytest.raises(ValueError, match=r'a\.csv: expected an action of a class'):
        own('clip.mp4,2\n', test_mode=False)


def test_lines_with_one_box_are_one_person(own):
    info = own(CLIP + CLIP.replace('1,0\n', '3,0\n')).get_data_info(0)
    assert info['gt_bboxes'].tolist() == [PERSON[:4]]
    assert info['gt_labels'].tolist() == [[0, 1, 0, 1]]
    single = own(CLIP, multilabel=False).get_data_info(0)
    assert single['gt_labels'].tolist() == [[1]]
    with pytest.raises(ValueError, match=r'a\.csv:2: expected one class per person'):
        own(CLIP + CLIP.replace('1,0\n', '3,0\n'), multilabel=False)


@pytest.mark.parametrize(
    'text, options, message',
    [
        ('', {}, r'a\.csv: expected lines video,second,'),
        (CLIP + 'clip.mp4,x', {}, r"a\.csv:2: .* whole number as second, got 'x'"),
        (
            CLIP.replace(',1,0', ',4,0'),
            {},
            r'a\.csv:1: .*class in 1\.\.3 .*got 4',
        ),
        (CLIP, {'timestamp_start': 900}, r'a\.csv:1: .*timestamp_start=900 .*got 3'),
        (
            CLIP,
            {'use_frames': True, 'timestamp_end': 3},
            r'a\.csv:1: expected a second .*below timestamp_end=3, got 3',
        ),
        (
            CLIP,
            {'custom_classes': [1]},
            r'custom_classes: .*- 1 = 3 numbers',
        ),
        (CLIP, {'custom_classes': [1, 2, 3]}, 'label_file: expected the classes'),
    ],
)
def test_wrong_truths(own, text, options, message):
    with pytest.raises(ValueError, match=message):
        own(text, **options)


def test_missing_truth(own):
    with pytest.raises(AnnotationFileNotFoundError, match=r"a csv, got 'no\.csv'"):
        own(CLIP, ann_file='no.csv')


def test_unknown_classes_and_spelled_exclusions(own, tmp_path):
    (tmp_path / 'map.pbtxt').write_text("item { id: 2 name: 'run' }")
    with pytest.raises(ValueError, match=r'numbers of .*map\.pbtxt, got \[5\]'):
        own(
            CLIP,
            custom_classes=[2, 5],
            num_classes=3,
            label_file=str(tmp_path / 'map.pbtxt'),
        )
    (tmp_path / 'ex.csv').write_text('clip,3\n')
    with pytest.raises(ValueError, match=r"ex\.csv: .* 'clip\.mp4', got 'clip'"):
        own(CLIP, exclude_file=str(tmp_path / 'ex.csv'))


def test_frames_of_other_classes_are_tested(own, tmp_path):
    """They count in the evaluation, too."""
    items = ''.join(f"item {{ id: {n} name: '{n}' }}" for n in (1, 2, 3))
    (tmp_path / 'map.pbtxt').write_text(items)
    options = dict(custom_classes=[3], num_classes=2)
    options['label_file'] = str(tmp_path / 'map.pbtxt')
    text = CLIP + CLIP.replace(',3,', ',4,').replace('1,0\n', '3,0\n')
    assert [
        i['gt_labels'].tolist() for i in map(own(text, **options).get_data_info, (0, 1))
    ] == [
        [],
        [[0, 1]],
    ]
    assert len(own(text, test_mode=False, **options)) == 1


@pytest.mark.parametrize(
    'name, late', [('SampleAVAFrames', 1), ('mmattn.SampleAVAFrames', 0)]
)
def test_the_step_that_is_late_is_named(own, logged, name, late):
    step = dict(type=name, clip_len=4)
    own(CLIP, pipeline=[step], start_index=1)
    assert len(logged) == late
    assert all('expected mmattn.SampleAVAFrames' in message for message in logged)


def test_shared_cases(real_data):
    folder = real_data.parent / 'cases' / 'ava'
    if not folder.is_dir():
        pytest.skip(f'no cases at {folder}')

    def infos(truth, proposals):
        dataset = DATASETS.build(
            dict(
                type='mmattn.ActionDetectionDataset',
                ann_file=str(folder / truth),
                proposal_file=str(folder / proposals),
                num_classes=2,
                use_frames=False,
                timestamp_start=0,
                test_mode=True,
                pipeline=[],
            )
        )
        return [dataset.get_data_info(k) for k in range(len(dataset))]

    (info,) = infos('val.csv', 'p.json')
    assert info['proposals'].tolist() == [PERSON[:4]]
    (info,) = infos('val.csv', 'p.npz')
    assert info['proposals'].shape == (0, 4)
    assert [len(info['gt_bboxes']) for info in infos('two.csv', 'p.json')] == [0, 1]
    assert [len(info['gt_bboxes']) for info in infos('blank.csv', 'p.json')] == [1]
