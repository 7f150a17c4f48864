import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope

from mmattn.synthetic import (
    PRESETS,
    SPLITS,
    VideoOptions,
    make_videos,
    render_clip,
)
from mmattn.synthetic.figure import POSES, skeleton
from mmattn.synthetic.motion import AXES, MOTIONS, motion_phases
from mmattn.synthetic.scene import Layer, exact_flow, render_layers
from mmattn.synthetic.staging import keyframe_schedule

ROOT = Path(__file__).resolve().parents[2]
TINY = {'num_classes': 4, 'num_frames': 15, 'clips_per_class': {'train': 2, 'val': 1}}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('keyframes')
    make_videos(root, VideoOptions(**TINY, size=(38, 46)), workers=0, progress=False)
    return root


def read_truth(root):
    files = sorted((root / 'ground_truth').iterdir())
    return {file.stem: dict(np.load(file)) for file in files}


@pytest.mark.parametrize('preset', PRESETS)
def test_clip_is_reproducible_and_depends_on_seed_split_and_index(preset):
    def render(seed=0, split='train', index=1):
        options = VideoOptions(preset=preset, num_frames=7, fps=3, seed=seed)
        return render_clip(options, split, index).frames

    assert render().tobytes() == render().tobytes()
    for other in ({'seed': 1}, {'split': 'val'}, {'index': 11}):
        assert np.abs(render().astype(int) - render(**other)).mean() > 5


def test_two_workers_write_what_one_writes(data, tmp_path):
    options = VideoOptions(**TINY, size=(38, 46))
    make_videos(tmp_path, options, workers=2, progress=False)
    one, two = read_truth(data), read_truth(tmp_path)
    assert one.keys() == two.keys()
    for name in one:
        for key in one[name]:
            np.testing.assert_array_equal(one[name][key], two[name][key])
    for file in (data / 'videos').iterdir():
        assert file.read_bytes() == (tmp_path / 'videos' / file.name).read_bytes()
    for name in ('train.txt', 'val.txt', 'test.txt', 'classes.txt', 'meta.json'):
        assert (data / name).read_text() == (tmp_path / name).read_text()


def test_lists_and_meta(data):
    lines = (data / 'train.txt').read_text().splitlines()
    assert lines == [f'videos/train_{i:05d}.mp4 {i % 4}' for i in range(8)]
    assert len((data / 'val.txt').read_text().splitlines()) == 4
    assert (data / 'test.txt').read_text() == ''
    classes = (data / 'classes.txt').read_text().split()
    assert classes == list(POSES)[:4]
    meta = json.loads((data / 'meta.json').read_text())
    meta.pop('classes')
    meta['size'] = tuple(meta['size'])
    assert VideoOptions(**meta) == VideoOptions(**TINY, size=(38, 46))


def test_video_dataset_reads_what_was_rendered(data):
    init_default_scope('mmaction')
    pipeline = [
        {'type': 'DecordInit'},
        {'type': 'SampleFrames', 'clip_len': 15, 'frame_interval': 1, 'num_clips': 1},
        {'type': 'DecordDecode'},
    ]
    dataset = DATASETS.build(
        {
            'type': 'VideoDataset',
            'ann_file': str(data / 'train.txt'),
            'data_prefix': {'video': str(data)},
            'pipeline': pipeline,
            'test_mode': True,
        }
    )
    assert len(dataset) == 8
    sample = dataset[5]
    clip = render_clip(VideoOptions(**TINY, size=(38, 46)), 'train', 5)
    assert sample['total_frames'] == 15
    assert sample['label'] == clip.label == 1
    decoded = np.stack(sample['imgs']).astype(float)
    assert decoded.shape == clip.frames.shape == (15, 46, 38, 3)
    error = np.abs(decoded - clip.frames).mean()
    swapped = np.abs(decoded[..., ::-1] - clip.frames).mean()
    late = np.abs(decoded[1:] - clip.frames[:-1]).mean()
    assert error < 12
    assert error < 0.7 * min(swapped, late)


def test_ground_truth_file_holds_the_clip(data, tmp_path):
    options = VideoOptions(
        preset='motion',
        num_classes=2,
        num_frames=5,
        clips_per_class={'test': 1},
        save_flow=True,
    )
    make_videos(tmp_path, options, workers=0, progress=False)
    clip = render_clip(options, 'test', 1)
    truth = read_truth(tmp_path)['test_00001']
    assert truth['flow'].dtype == np.float16
    np.testing.assert_allclose(truth['flow'], clip.flow, rtol=2e-3, atol=2e-3)
    for key in ('label', 'boxes', 'key', 'shown', 'actor_look'):
        np.testing.assert_array_equal(truth[key], getattr(clip, key))
    assert 'flow' not in read_truth(data)['train_00000']


@pytest.mark.parametrize('num_frames, num_classes', [(30, 10), (31, 4), (7, 13)])
def test_few_key_frames_and_three_longer_distractors(num_frames, num_classes):
    options = VideoOptions(num_frames=num_frames, num_classes=num_classes)
    runs, first = set(), set()
    for index in range(300):
        label = index % num_classes
        shown = keyframe_schedule(options, label, np.random.default_rng(index))
        assert shown.shape == (num_frames,)
        counts = np.bincount(shown, minlength=num_classes)
        assert 0 < counts[label] <= 0.2 * num_frames
        others = np.delete(counts, label)
        others = others[others > 0]
        assert len(others) >= 3
        assert others.min() >= counts[label]
        key = np.diff(np.pad(shown == label, 1).astype(int))
        runs.add(int((key == 1).sum()))
        first.add(int(np.argmax(key == 1)))
    assert runs == ({1, 2} if options.num_key_frames > 1 else {1})
    assert len(first) > num_frames // 2


def test_actor_is_seen_in_the_key_frames_and_only_there():
    clip = render_clip(VideoOptions(hardness=0.0), 'train', 3)
    assert clip.key.sum() == 6
    np.testing.assert_array_equal(clip.shown == clip.label, clip.key)
    np.testing.assert_array_equal(clip.actor_look, clip.key)
    np.testing.assert_array_equal(np.isnan(clip.boxes).all(axis=1), ~clip.key)
    red, _, blue = np.moveaxis(clip.frames.astype(float), -1, 0)
    warmth = np.array([(red - blue)[t][clip.mask[t]].mean() for t in range(30)])
    assert warmth[clip.key].min() > 20 > -20 > warmth[~clip.key].max()


def test_trimmed_shows_the_class_throughout_with_either_look():
    options = VideoOptions(preset='trimmed', num_frames=3)
    looks = {label: set() for label in range(10)}
    for index in range(60):
        clip = render_clip(options, 'train', index)
        assert clip.key.all()
        assert (clip.shown == clip.label).all()
        assert len(set(clip.actor_look)) == 1
        looks[clip.label].add(bool(clip.actor_look[0]))
    assert all(seen == {False, True} for seen in looks.values())


@pytest.mark.parametrize('preset', [name for name in PRESETS if name != 'interaction'])
def test_box_holds_the_actor_tightly(preset):
    options = VideoOptions(preset=preset, num_frames=11)
    for index in range(10):
        clip = render_clip(options, 'val', index)
        for t in np.flatnonzero(clip.key):
            rows, columns = np.nonzero(clip.mask[t])
            seen = np.array(
                [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            )
            outside = (seen - clip.boxes[t]) * [-1, -1, 1, 1]
            assert outside.max() <= 0
            assert outside.min() >= -4
    width, height = options.size
    assert clip.boxes[clip.key].min() >= 0
    assert (clip.boxes[clip.key] <= [width, height, width, height]).all()


def test_small_actor_fills_a_few_percent():
    options = VideoOptions(preset='small', num_frames=5)
    clips = [render_clip(options, 'train', index) for index in range(10)]
    boxes = np.concatenate([clip.boxes for clip in clips])
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / np.prod(options.size)
    assert area.min() > 0.01
    assert area.mean() < 0.07
    assert len(clips[0].layers) > 30


def warp_error(frames, ids, flow):
    H, W = frames.shape[1:3]
    y, x = np.mgrid[:H, :W].astype(np.float32)
    errors = []
    for t in range(len(flow)):
        ahead_x, ahead_y = x + flow[t, ..., 0], y + flow[t, ..., 1]
        back = cv2.remap(frames[t + 1], ahead_x, ahead_y, cv2.INTER_LINEAR)
        ahead = cv2.remap(ids[t + 1], ahead_x, ahead_y, cv2.INTER_NEAREST)
        inside = (ahead_x >= 0) & (ahead_x < W) & (ahead_y >= 0) & (ahead_y < H)
        errors.append(np.abs(back - frames[t])[inside & (ahead == ids[t])].mean())
    return np.mean(errors)


@pytest.mark.parametrize(
    'preset, label', [('motion', 1), ('motion', 4), ('motion', 10), ('small', 2)]
)
def test_flow_warps_the_next_frame_back(preset, label):
    options = VideoOptions(preset=preset, num_classes=11, num_frames=23, hardness=1.0)
    scene = PRESETS[preset](options, label, np.random.default_rng(5))
    frames, ids = render_layers(scene.layers, options.size)  # without pixel noise
    flow = exact_flow(ids, [layer.maps for layer in scene.layers])
    error = warp_error(frames, ids, flow)
    assert error < 4
    assert error < 0.35 * warp_error(frames, ids, 0 * flow)
    assert error < 0.35 * warp_error(frames, ids, -flow)
    assert error < 0.5 * warp_error(frames, ids, flow[..., ::-1].copy())


def test_flow_of_a_clip_is_that_of_its_layers():
    clip = render_clip(VideoOptions(num_frames=5), 'train', 1)
    expected = exact_flow(clip.ids, [layer.maps for layer in clip.layers])
    np.testing.assert_array_equal(clip.flow, expected)
    assert clip.flow.shape == (4, 64, 64, 2)


def test_flow_of_a_pan_and_of_a_turning_square_over_it():
    T, pan, turn = 5, np.array([3.0, -1.0]), 0.1
    rng = np.random.default_rng(0)
    texture = rng.uniform(0, 255, (120, 130, 4)).astype(np.float32)
    square = np.full((21, 21, 4), 255, np.float32)
    ground_maps, square_maps = np.zeros((2, T, 2, 3))
    for t in range(T):
        ground_maps[t] = [[1, 0, pan[0] * t - 40], [0, 1, pan[1] * t - 30]]
        c, s = np.cos(turn * t), np.sin(turn * t)
        square_maps[t] = [[c, -s, 20 - 10 * c + 10 * s], [s, c, 17 - 10 * s - 10 * c]]
    shown = np.ones(T, bool)
    layers = [
        Layer(texture, ground_maps, shown),
        Layer(square, square_maps, shown),
    ]
    frames, ids = render_layers(layers, (43, 37))
    flow = exact_flow(ids, [layer.maps for layer in layers])
    np.testing.assert_allclose(flow[ids[:-1] == 0] - pan, 0, atol=1e-5)
    assert ids[0, 17, 20] == 1
    np.testing.assert_allclose(flow[0, 17, 20], 0, atol=1e-5)
    # Right of the center, a clockwise turn moves downward and a little inward.
    expected = [7 * (np.cos(turn) - 1), 7 * np.sin(turn)]
    np.testing.assert_allclose(flow[0, 17, 27], expected, atol=1e-5)
    # The pan is by whole pixels: the texture is only shifted.
    moved = frames[1, 1:4, 20:31]
    np.testing.assert_allclose(moved, frames[0, 2:5, 17:28], rtol=0, atol=1e-3)


def test_rendering_keeps_pixel_centers_in_place():
    y, x = np.mgrid[:37, :43].astype(np.float32)
    ramp = np.dstack([2 * x + y, 255 - 3 * x, 5 * y, np.full_like(x, 255)])
    still = np.tile(np.eye(2, 3), (1, 1, 1))
    frames, _ = render_layers([Layer(ramp, still, np.ones(1, bool))], (43, 37))
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(frames[0][inner], ramp[..., :3][inner], atol=0.05)


@pytest.mark.parametrize(
    'name, axis, sign',
    [
        ('move_right', 0, 1),
        ('move_left', 0, -1),
        ('move_down', 1, 1),
        ('move_up', 1, -1),
    ],
)
def test_motion_class_has_its_direction(name, axis, sign):
    index = list(MOTIONS).index(name)
    clip = render_clip(VideoOptions(preset='motion', hardness=0.0), 'train', index)
    figure = [clip.flow[t][clip.mask[t]].mean(axis=0) for t in range(29)]
    mean = np.median(figure, axis=0)
    assert sign * mean[axis] > 0.3
    assert abs(mean[1 - axis]) < 0.2


@pytest.mark.parametrize(
    'name, turn, growth, bend',
    [
        ('rotate_clockwise', 1, 0, None),
        ('rotate_anticlockwise', -1, 0, None),
        ('grow', 0, 1, None),
        ('shrink', 0, -1, None),
        ('circle_clockwise', 0, 0, 1),
        ('circle_anticlockwise', 0, 0, -1),
    ],
)
def test_motion_class_turns_grows_or_circles(name, turn, growth, bend):
    options = VideoOptions(preset='motion', num_classes=14, num_frames=31)
    clip = render_clip(options, 'train', list(MOTIONS).index(name))
    roots = np.array([[layer.maps[t] for layer in clip.layers] for t in range(31)])
    torso = next(i for i, layer in enumerate(clip.layers) if layer.figure) + 4
    linear, place = roots[:, torso, :, :2], roots[:, torso, :, 2]
    step = linear[1:] @ np.linalg.inv(linear[:-1])
    angle = np.median(np.arctan2(step[:, 1, 0], step[:, 0, 0]))  # y points down
    scale = np.median(np.log(np.linalg.det(step)))
    assert (round(angle / 0.2), round(scale / 0.05)) == (turn, growth)
    if bend is not None:
        ahead = np.diff(place, axis=0)
        cross = ahead[:-1, 0] * ahead[1:, 1] - ahead[:-1, 1] * ahead[1:, 0]
        assert np.mean(bend * cross > 0) > 0.9


@pytest.mark.parametrize('frame', [0, 7, 28])
def test_single_frame_of_motion_does_not_depend_on_the_class(frame):
    draws = 600
    grid = (np.arange(draws) + 0.5) / draws
    for label, name in enumerate(MOTIONS):
        rng = np.random.default_rng(label)
        states = [motion_phases(rng, name, num_frames=29) for _ in range(draws)]
        for axis in AXES:
            values = np.sort([state[axis][frame] for state in states])
            # Kolmogorov-Smirnov distance to the uniform distribution.
            assert np.abs(values - grid).max() < 2.0 / np.sqrt(draws), (name, axis)


def test_each_motion_moves_one_coordinate_in_its_own_way():
    seen = set()
    for name, (axis, kind, _) in MOTIONS.items():
        phases = motion_phases(np.random.default_rng(3), name, num_frames=101)
        assert [a for a in AXES if np.ptp(phases[a]) > 0] == [axis]
        steps = np.diff(phases[axis])
        rising = np.mean(steps > 0)
        seen.add((axis, kind, round(2 * rising) if kind == 'sweep' else 1))
        assert (0.3 < rising < 0.7) == (kind == 'swing')
    assert len(seen) == len(MOTIONS) >= 10


def test_skeleton_of_the_t_pose_by_hand():
    limbs = skeleton(np.array([POSES['t_pose']]), ball_side=1)
    hand = next(joint[0] for name, joint, _ in limbs if name == 'ball')
    np.testing.assert_allclose(hand, [0.095 + 0.17 + 0.17, -0.28], atol=1e-12)
    upper = [d[0] for name, _, d in limbs if name == 'upper']
    np.testing.assert_allclose(upper, [[-1, 0], [1, 0]], atol=1e-12)


def test_poses_are_distinct_even_when_mirrored():
    def joints(angles, mirror):
        limbs = skeleton(np.array([angles], float), ball_side=1)[:-1]
        points = [joint[0] + direction[0] for _, joint, direction in limbs]
        points = np.array(points)
        if mirror:
            order = [2, 3, 0, 1, 4, 5, 8, 9, 6, 7]
            points = points[order] * [-1, 1]
        return points

    names = list(POSES)
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            for mirror in (False, True):
                gap = joints(POSES[one], False) - joints(POSES[two], mirror)
                assert np.abs(gap).max() > 0.5, (one, two)


@pytest.mark.parametrize(
    'options, message',
    [
        ({'preset': 'dance'}, "preset: expected one of .*, got 'dance'"),
        ({'num_classes': 3}, 'num_classes: expected .* least 4 and at most 14, got 3'),
        ({'preset': 'motion', 'num_classes': 15}, 'num_classes: expected .*, got 15'),
        ({'num_classes': 5.0}, r'num_classes: expected an integer .*, got 5\.0'),
        ({'preset': 'interaction', 'num_classes': 1}, 'num_classes: .*, got 1'),
        (
            {'preset': 'interaction', 'num_frames': 15},
            'num_frames: expected more frames than fps = 15, got 15',
        ),
        ({'num_frames': 4}, 'num_frames: expected at least .* 5 frames, got 4'),
        ({'preset': 'motion', 'num_frames': 1}, 'num_frames: expected .*, got 1'),
        ({'size': 64}, r'size: expected two numbers \(width, height\), got 64'),
        ({'size': (64, 65)}, r'size: expected even numbers, got \(64, 65\)'),
        ({'size': (48, 64)}, r'size: expected a width other than \(48, 72\), got'),
        ({'size': (30, 64)}, 'size: expected an integer of at least 32, got 30'),
        ({'hardness': 1.5}, r'hardness: expected .* \[0, 1\], got 1\.5'),
        ({'hardness': 'high'}, "hardness: expected .*, got 'high'"),
        ({'key_fraction': 0.3}, r'key_fraction: expected .* \(0, 0\.2\], got 0\.3'),
        ({'key_fraction': 0}, 'key_fraction: expected .*, got 0'),
        ({'seed': -1}, 'seed: expected an integer of at least 0, got -1'),
        ({'fps': 0}, 'fps: expected an integer of at least 1, got 0'),
        ({'clips_per_class': 7}, 'clips_per_class: expected a dict .*, got 7'),
        ({'clips_per_class': {'dev': 7}}, "clips_per_class: .*, got 'dev'"),
        ({'clips_per_class': {'val': -7}}, r"clips_per_class\['val'\]: .*, got -7"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        VideoOptions(**options)


def test_bad_calls(tmp_path):
    options = VideoOptions(**TINY)
    with pytest.raises(ValueError, match=r"split: expected one of .*, got 'dev'"):
        render_clip(options, 'dev', 0)
    with pytest.raises(ValueError, match='index: expected at least 0, got -1'):
        render_clip(options, 'val', -1)
    with pytest.raises(ValueError, match='workers: expected at least 0, got -1'):
        make_videos(tmp_path, options, workers=-1)
    file = tmp_path / 'file'
    file.write_text('mine')
    with pytest.raises(ValueError, match='out: expected a folder, got the file'):
        make_videos(file, options)
    with pytest.raises(ValueError, match='out: expected an empty or new folder'):
        make_videos(tmp_path, options)


def test_overwrite_replaces_the_data_set_and_nothing_else(tmp_path):
    first = VideoOptions(preset='motion', num_classes=3, num_frames=2)
    for folder in ('videos', 'ground_truth'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'old').write_text('old')
    (tmp_path / 'notes.md').write_text('mine')
    small = VideoOptions(
        preset='motion', num_classes=3, num_frames=2, clips_per_class={'val': 1}
    )
    assert first.clips_per_class == dict(zip(SPLITS, (60, 15, 15), strict=True))
    make_videos(tmp_path, small, workers=0, overwrite=True, progress=False)
    assert len(list((tmp_path / 'videos').iterdir())) == 3
    assert len(list((tmp_path / 'ground_truth').iterdir())) == 3
    assert (tmp_path / 'notes.md').read_text() == 'mine'


def test_command_line(tmp_path):
    tool = ROOT / 'tools' / 'data' / 'synthetic' / 'make_videos.py'
    arguments = (
        '--preset small --num-classes 3 --clips-per-class 1 0 1 --num-frames 3 '
        '--size 34 38 --hardness 0.25 --seed 5 --save-flow --workers 1'
    )
    command = [sys.executable, str(tool), str(tmp_path), *arguments.split()]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    meta = json.loads((tmp_path / 'meta.json').read_text())
    assert meta['size'] == [34, 38]
    assert meta['clips_per_class'] == {'train': 1, 'val': 0, 'test': 1}
    assert (meta['preset'], meta['hardness'], meta['seed']) == ('small', 0.25, 5)
    assert read_truth(tmp_path)['test_00002']['flow'].shape == (2, 38, 34, 2)
