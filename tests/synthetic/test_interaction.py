"""Preset 'interaction': what stands beside whom, and its files in AVA's layout."""

import numpy as np
import pytest

from mmattn.datasets.ava import read_label_map
from mmattn.evaluation import frame_map
from mmattn.registry import DATASETS
from mmattn.synthetic import VideoOptions, make_videos, render_clip
from mmattn.synthetic.ava_files import propose
from mmattn.synthetic.interaction import cast_groups, labels_of
from mmattn.synthetic.options import INTERACTIONS
from mmattn.synthetic.scene import render_layers

OPTIONS = VideoOptions(
    preset='interaction', num_frames=11, fps=5, clips_per_class=dict(train=1, test=2)
)
LIMBS = 11  # layers of a figure


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('interaction')
    make_videos(root, OPTIONS, workers=0, progress=False)
    return root


def iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.maximum(high - low, 0))
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


@pytest.mark.parametrize('label', range(len(INTERACTIONS)))
def test_first_person_has_the_label_of_the_clip(label):
    for seed in range(20):
        groups = cast_groups(INTERACTIONS[label], np.random.default_rng(seed))
        speed, *beside = groups[0]
        labels = labels_of(speed, beside[0] if beside else None, INTERACTIONS)
        assert label in labels
        assert len(labels) == 1 + len(beside)
    clip = render_clip(OPTIONS, 'train', label)
    assert clip.label == label
    assert label in clip.persons[0].labels
    np.testing.assert_array_equal(clip.boxes, clip.persons[0].boxes)


def test_labels_come_from_the_neighbor_and_the_own_speed():
    names = [INTERACTIONS[label] for label in labels_of('slow', 'fast', INTERACTIONS)]
    assert names == ['move_slowly', 'join_fast_person']
    names = [INTERACTIONS[label] for label in labels_of('fast', 'crate', INTERACTIONS)]
    assert names == ['move_fast', 'use_crate']
    assert labels_of('fast', None, INTERACTIONS) == (1,)
    assert labels_of('fast', 'crate', INTERACTIONS[:2]) == (1,)


def test_neighbors_touch_and_others_stand_apart():
    options = VideoOptions(preset='interaction', hardness=0.0)
    distances = {True: [], False: []}
    for index in range(14):
        clip = render_clip(options, 'val', index)
        x = [np.median(p.boxes[:, [0, 2]].mean(axis=1)) for p in clip.persons]
        height = np.median(clip.boxes[:, 3] - clip.boxes[:, 1])
        near = len(clip.persons) == 3  # then the first two are a pair
        distances[near].append(abs(x[0] - x[1]) / height)
        if near:
            assert {clip.persons[0].labels[1], clip.persons[1].labels[1]} <= {4, 5}
            distances[False].append(abs(x[0] - x[2]) / height)
    assert min(distances[True]) > 0.4
    assert max(distances[True]) < 0.75 < 0.85 < min(distances[False])


def test_arms_swing_slowly_or_fast_and_one_frame_does_not_tell():
    options = VideoOptions(preset='interaction', hardness=0.0, num_frames=41, fps=10)
    turns = {0: [], 1: []}
    tops = {0: [], 1: []}
    for index in range(24):
        clip = render_clip(options, 'train', index)
        for person in clip.persons:
            top = person.boxes[:, 1] - np.median(person.boxes[:, 3])
            rising = np.sign(np.diff(top - top.mean()))
            rising = rising[np.abs(np.diff(top)) > 0.3]
            speed = person.labels[0]
            turns[speed].append(int((np.diff(rising) != 0).sum()))
            tops[speed].append(top[20])
    assert max(turns[0]) < min(turns[1])
    low, high = (np.sort(tops[speed]) for speed in (0, 1))
    assert low[0] < np.median(high) < low[-1]
    assert high[0] < np.median(low) < high[-1]


def test_boxes_hold_the_persons_tightly():
    for index in range(6):
        clip = render_clip(OPTIONS, 'val', index)
        limbs = [layer for layer in clip.layers if layer.figure]
        assert len(limbs) == LIMBS * len(clip.persons)
        for k, person in enumerate(clip.persons):
            own = [clip.layers[0], *limbs[LIMBS * k : LIMBS * (k + 1)]]
            _, ids = render_layers(own, OPTIONS.size)
            for t in range(OPTIONS.num_frames):
                rows, columns = np.nonzero(ids[t])
                seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                outside = (np.array(seen) - person.boxes[t]) * [-1, -1, 1, 1]
                assert outside.max() <= 0
                assert outside.min() >= -4


def test_look_is_that_of_the_first_person():
    options = VideoOptions(preset='interaction', hardness=0.0, num_frames=2, fps=1)
    looks = set()
    for index in range(6):
        clip = render_clip(options, 'train', index)
        first = next(k for k, layer in enumerate(clip.layers) if layer.figure)
        pixels = clip.frames[np.isin(clip.ids, range(first, first + LIMBS))]
        red, _, blue = pixels.mean(axis=0)
        assert clip.actor_look.tolist() == [red > blue] * 2
        looks.add(bool(clip.actor_look[0]))
    assert looks == {False, True}


def test_everything_fits_in_the_smallest_frame():
    options = VideoOptions(preset='interaction', size=(32, 32), num_frames=3, fps=1)
    for index in range(12):
        for person in render_clip(options, 'train', index).persons:
            sides = person.boxes[:, 2:] - person.boxes[:, :2]
            assert (sides > 3).all()


def test_files(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *('videos', 'rawframes', 'ground_truth', 'classes.txt', 'meta.json'),
        *(f'{split}.csv' for split in ('train', 'val', 'test')),
        *(f'{split}_proposals.pkl' for split in ('train', 'val', 'test')),
        'labels.pbtxt',
    }
    assert read_label_map(folder / 'labels.pbtxt') == dict(enumerate(INTERACTIONS, 1))
    frames = sorted((folder / 'rawframes' / 'test_00003').iterdir())
    assert [frame.name for frame in frames[:2]] == ['img_00001.jpg', 'img_00002.jpg']
    assert len(frames) == 11
    assert (folder / 'val.csv').read_text() == ''
    lines = (folder / 'test.csv').read_text().splitlines()
    assert {line.split(',')[1] for line in lines} == {'0001', '0002'}


def test_truth_is_that_of_the_clip(folder):
    clip = render_clip(OPTIONS, 'test', 3)
    truth = dict(np.load(folder / 'ground_truth' / 'test_00003.npz'))
    expected = [(k, c) for k, p in enumerate(clip.persons) for c in p.labels]
    assert truth['person_labels'].tolist() == [list(pair) for pair in expected]
    lines = (folder / 'test.csv').read_text().splitlines()
    lines = [line for line in lines if line.startswith('test_00003,0002')]
    assert len(lines) == len(expected)
    for line, (k, c) in zip(lines, expected, strict=True):
        *box, label, person = map(float, line.split(',')[2:])
        assert (label, person) == (c + 1, k)
        pixels = np.array(box) * [144, 96, 144, 96]
        np.testing.assert_allclose(pixels, clip.persons[k].boxes[10], atol=0.01)
        np.testing.assert_array_equal(
            truth['person_boxes'][k], clip.persons[k].boxes.astype(np.float32)
        )


def test_our_data_set_reads_it(folder):
    dataset = DATASETS.build(
        dict(
            type='mmattn.ActionDetectionDataset',
            ann_file=str(folder / 'test.csv'),
            label_file=str(folder / 'labels.pbtxt'),
            proposal_file=str(folder / 'test_proposals.pkl'),
            data_prefix=dict(img=str(folder / 'rawframes')),
            num_classes=len(INTERACTIONS) + 1,
            fps=5,
            timestamp_start=0,
            timestamp_end=3,
            pipeline=[
                dict(type='mmattn.SampleAVAFrames', clip_len=3, frame_interval=1),
                dict(type='RawFrameDecode'),
            ],
            test_mode=True,
        )
    )
    assert len(dataset) == 24  # 12 clips, 2 seconds
    sample = dataset[6]
    clip = render_clip(OPTIONS, 'test', 3)
    assert sample['img_key'] == 'test_00003,0001'
    assert sample['gt_labels'].shape == (len(clip.persons), 7)
    for row, person in zip(sample['gt_labels'], clip.persons, strict=True):
        assert np.flatnonzero(row).tolist() == [c + 1 for c in person.labels]
    error = [
        np.abs(sample['imgs'][1] - frame.astype(float)).mean() for frame in clip.frames
    ]
    assert int(np.argmin(error)) == 5


def test_proposals(folder):
    rng = np.random.default_rng(3)
    boxes = np.array([[0.1, 0.2, 0.3, 0.9], [0.5, 0.4, 0.8, 0.8]])
    draws = np.stack([propose(boxes, rng) for _ in range(200)])
    assert draws.shape == (200, 3, 5)
    assert draws[..., :4].min() >= 0
    assert draws[..., :4].max() <= 1
    assert draws[:, :2, 4].min() >= 0.9
    for k in range(2):
        overlaps = [iou(draw[k, :4], boxes[k]) for draw in draws]
        assert 0.75 < np.mean(overlaps) < 0.95
    overlaps = [max(iou(draw[2, :4], box) for box in boxes) for draw in draws]
    assert np.mean(overlaps) < 0.2


def test_truth_as_detections_is_perfect(folder, tmp_path):
    lines = (folder / 'test.csv').read_text().splitlines()
    found = [line.rpartition(',')[0] + ',0.9' for line in lines]
    (tmp_path / 'found.csv').write_text('\n'.join(found))
    paths = folder / 'test.csv', tmp_path / 'found.csv', folder / 'labels.pbtxt'
    assert frame_map(*paths) == 1.0


def test_seed_decides_everything(folder, tmp_path):
    make_videos(tmp_path, OPTIONS, workers=0, progress=False)
    for name in (
        'test.csv',
        'train_proposals.pkl',
        'rawframes/test_00002/img_00003.jpg',
    ):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    other = VideoOptions(
        preset='interaction', num_frames=6, fps=5, seed=1, clips_per_class=dict(test=1)
    )
    make_videos(tmp_path, other, workers=0, overwrite=True, progress=False)
    assert (folder / 'test.csv').read_text() != (tmp_path / 'test.csv').read_text()
    assert not (tmp_path / 'rawframes' / 'train_00000').exists()
