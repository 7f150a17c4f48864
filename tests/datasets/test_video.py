import gc
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, ConcatDataset, RepeatDataset, pseudo_collate
from mmengine.registry import DATASETS
from small_files import H, W, write_list, write_video
from torch.utils.data import DataLoader

from mmattn.datasets import (
    ActionFrameDataset,
    ActionVideoDataset,
    AnnotationFileNotFoundError,
    BrokenVideoError,
    SeededIndex,
    SeededSampler,
    quantize_flow,
)
from mmattn.datasets.base import check_decoded, is_broken_input

META = ('img_shape', 'video_id', 'num_windows', 'window_frames', 'frame_indices')


def windows_pipeline(window=5, **kwargs):
    return [
        {'type': 'DecordInit'},
        {'type': 'mmattn.SampleWindows', 'window_frames': window, **kwargs},
        {'type': 'DecordDecode'},
        {'type': 'FormatShape', 'input_format': 'NCHW'},
        {'type': 'PackActionInputs', 'meta_keys': META},
    ]


def augmented_pipeline():
    return [
        {'type': 'DecordInit'},
        {'type': 'SampleFrames', 'clip_len': 1, 'num_clips': 3},
        {'type': 'DecordDecode'},
        {'type': 'RandomCrop', 'size': 20},
        {'type': 'mmattn.FlowFlip'},
        {'type': 'FormatShape', 'input_format': 'NCHW'},
        {'type': 'PackActionInputs'},
    ]


def gray_levels(inputs):
    """Gray level of each frame in steps of 8: the number of the frame."""
    return torch.round(inputs.float().mean((1, 2, 3)) / 8).long().tolist()


@pytest.fixture
def videos(tmp_path):
    """Three readable videos of 7, 13 and 3 frames and their list."""
    names = ['a/v_one.avi', 'b/v_two.mp4', 'b/v_three.mkv']
    for name, num_frames in zip(names, (7, 13, 3), strict=True):
        write_video(tmp_path / name, num_frames)
    lines = [f'{name} {label}' for label, name in enumerate(names)]
    write_list(tmp_path / 'list.txt', *lines)
    return tmp_path


def dataset(folder, pipeline=(), ann_file='list.txt', **kwargs):
    kwargs.setdefault('serialize_data', False)  # which collects garbage: slow
    kwargs.setdefault('data_prefix', {'video': ''})
    return ActionVideoDataset(ann_file, list(pipeline), data_root=str(folder), **kwargs)


def test_containers_through_the_whole_pipeline(videos):
    found = {}
    for item in dataset(videos, windows_pipeline(), num_classes=3):
        sample = item['data_samples']
        levels = gray_levels(item['inputs'])
        assert levels == sample.frame_indices.reshape(-1).tolist()
        assert item['inputs'].shape[1:] == (3, H, W)
        assert sample.num_windows * sample.window_frames == len(levels)
        found[sample.video_id] = (sample.gt_label.item(), levels)
    assert found == {
        'a/v_one': (0, [0, 1, 2, 3, 4, 2, 3, 4, 5, 6]),
        'b/v_two': (1, [*range(5), *range(5, 10), *range(8, 13)]),
        'b/v_three': (2, [0, 1, 2, 2, 2]),
    }


def test_ten_crop_is_crop_major(videos):
    pipeline = windows_pipeline(window=3)
    pipeline.insert(3, {'type': 'mmattn.FlowTenCrop', 'crop_size': 20})
    item = dataset(videos, pipeline)[0]
    levels = np.array(gray_levels(item['inputs'])).reshape(10, 3, 3)
    assert (levels == [[0, 1, 2], [3, 4, 5], [4, 5, 6]]).all()


def test_real_clips(real_data, tmp_path):
    expected = {
        'v_ApplyEyeMakeup_g01_c01.avi': (164, 240, 320),
        'arm_wrestling.mp4': (280, 256, 340),
        'flipping_a_pancake.mkv': (310, 240, 426),
    }
    ann_file = write_list(tmp_path / 'l.txt', *[f'{name} 0' for name in expected])
    clips = dataset(
        real_data / 'clips', windows_pipeline(30, max_windows=1), ann_file=ann_file
    )
    for item, (name, (total, h, w)) in zip(clips, expected.items(), strict=True):
        assert item['inputs'].shape == (30, 3, h, w)
        assert item['inputs'].float().std() > 10
        sample = item['data_samples']
        assert sample.video_id == name.split('.')[0]
        num_windows = -(-total // 30)
        first = 30 * (num_windows // 2)
        assert sample.frame_indices.tolist() == [[*range(first, first + 30)]]


def test_augmentation_does_not_depend_on_workers(videos):
    def run(num_workers, skipped=0):
        data = dataset(videos, augmented_pipeline())
        sampler = SeededSampler(data, seed=3, infinite=True)
        sampler.skip(skipped)
        loader = DataLoader(
            data, 2, sampler=sampler, num_workers=num_workers, collate_fn=pseudo_collate
        )
        iterator = iter(loader)
        return [next(iterator)['inputs'] for _ in range(4)]

    alone, workers, resumed = run(0), run(2), run(2, skipped=4)
    for one, two in zip(alone, workers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    for one, two in zip(alone[2:], resumed[:2], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_pipeline_with_a_call_of_its_own_is_called(videos):
    """As MMAction2's browse_dataset puts one in place, to see each step's frames."""

    class Watched(Compose):
        def __call__(self, results):
            seen.append(results['filename'])
            return super().__call__(results)

    seen, data = [], dataset(videos, windows_pipeline())
    expected = data[1]
    data.pipeline = Watched(data.pipeline.transforms)
    assert torch.equal(data[1]['inputs'], expected['inputs'])
    assert len(seen) == 1


def test_plain_index_is_augmented_anew(videos):
    data = dataset(videos, augmented_pipeline())
    draws = {tuple(gray_levels(data[1]['inputs'])) for _ in range(12)}
    assert len(draws) > 3


def test_seed_reaches_wrapped_data_sets(videos):
    data = dataset(videos, augmented_pipeline())
    expected = data[SeededIndex(1, seed=5)]['inputs']
    assert not torch.equal(expected, data[SeededIndex(1, seed=6)]['inputs'])
    repeated, joined = RepeatDataset(data, 3), ConcatDataset([data, data])
    for wrapped, index in ((repeated, 7), (joined, 1), (joined, 4)):
        found = wrapped[SeededIndex(index, seed=5)]['inputs']
        assert torch.equal(found, expected)


def break_video(folder, how, real_data=None):
    path = folder / 'a' / 'v_one.avi'
    if how == 'missing':
        path.unlink()
    elif how == 'empty':
        path.write_bytes(b'')
    elif how == 'text':
        path.write_text('no video')
    else:
        path.unlink()
        shutil.copyfile(real_data / 'decode_edge_cases' / 'corrupted.mp4', path)


@pytest.mark.parametrize('how', ['missing', 'empty', 'text', 'corrupted'])
def test_broken_video(videos, how, request, warnings_logged):
    real_data = request.getfixturevalue('real_data') if how == 'corrupted' else None
    break_video(videos, how, real_data)
    data = dataset(videos, windows_pipeline(30))
    replaced = [data[0] for _ in range(4)]
    ids = {item['data_samples'].video_id for item in replaced}
    assert ids <= {'b/v_two', 'b/v_three'}
    (message,) = warnings_logged
    assert 'a/v_one.avi (line 1 of ' in message
    assert 'another sample takes its place' in message
    step = 'DecordDecode' if how == 'corrupted' else 'DecordInit'
    assert f'{step} failed with' in message

    for options in ({'on_broken': 'raise'}, {'test_mode': True}):
        strict = dataset(videos, windows_pipeline(30), **options)
        assert strict[1]['data_samples'].video_id == 'b/v_two'
        with pytest.raises(BrokenVideoError, match=r'a/v_one\.avi \(line 1 of'):
            strict[0]
    # Workers forked by later tests wait for an open decoder that they inherit.
    gc.collect()


def test_broken_video_in_workers(videos):
    break_video(videos, 'missing')
    data = dataset(videos, windows_pipeline(), test_mode=True)
    loader = DataLoader(data, num_workers=1, collate_fn=pseudo_collate)
    with pytest.raises(BrokenVideoError, match=r'a/v_one\.avi'):
        next(iter(loader))


def test_workers_report_once(videos):
    break_video(videos, 'missing')
    data = dataset(videos, windows_pipeline())
    assert not data._reported.any()
    loader = DataLoader(data, num_workers=1, collate_fn=pseudo_collate)
    assert len(list(loader)) == 3
    assert data._reported.tolist() == [False, True, False, False]


def test_replacement_repeats_with_the_seed(videos):
    break_video(videos, 'missing')
    data = dataset(videos, windows_pipeline())

    def run(num_workers):
        loader = DataLoader(
            data,
            sampler=SeededSampler(data, seed=1),
            num_workers=num_workers,
            collate_fn=pseudo_collate,
        )
        return [batch['data_samples'][0].video_id for batch in loader]

    assert run(0) == run(2)
    assert 'a/v_one' not in run(0)


def test_giving_up_names_the_files(videos):
    for name in ('a/v_one.avi', 'b/v_two.mp4', 'b/v_three.mkv'):
        (videos / name).unlink()
    data = dataset(videos, windows_pipeline(), max_refetch=30)
    with pytest.raises(BrokenVideoError, match='got none in 31 tries') as caught:
        data[0]
    for name in ('a/v_one.avi', 'b/v_two.mp4', 'b/v_three.mkv'):
        assert str(caught.value).count(name) == 2  # once as source, once in the cause


def test_file_listed_twice_is_reported_once(videos, warnings_logged):
    break_video(videos, 'missing')
    write_list(videos / 'list.txt', 'a/v_one.avi 0', 'b/v_two.mp4 1', 'a/v_one.avi 0')
    data = dataset(videos, windows_pipeline())
    assert data[0]['data_samples'].video_id == 'b/v_two'
    assert data[2]['data_samples'].video_id == 'b/v_two'
    assert ['takes its place' in message for message in warnings_logged] == [
        False,  # that it is listed twice
        True,
    ]


def test_mistakes_in_the_pipeline_are_not_broken_videos(videos):
    no_sampling = [{'type': 'DecordInit'}, {'type': 'DecordDecode'}]
    with pytest.raises(KeyError, match='frame_inds'):
        dataset(videos, no_sampling)[0]

    def fail(results):
        raise RuntimeError('wrong step')

    with pytest.raises(RuntimeError, match=r'^wrong step$'):
        dataset(videos, [{'type': 'DecordInit'}, fail])[0]

    def missing(results):
        raise FileNotFoundError('table.json')

    with pytest.raises(FileNotFoundError, match=r'^table\.json$'):
        dataset(videos, [missing])[0]


def test_pipeline_that_returns_none(videos):
    def drop_first(results):
        return None if results['video_id'] == 'a/v_one' else results

    assert dataset(videos, [drop_first])[0]['video_id'] != 'a/v_one'
    with pytest.raises(BrokenVideoError, match='returned None for sample 0'):
        dataset(videos, [drop_first], test_mode=True)[0]


def test_classification_of_errors():
    class Reader:
        reads_files = True

    assert is_broken_input(Reader(), OSError())
    assert is_broken_input(Reader(), RuntimeError())
    assert is_broken_input(Reader(), cv2.error())
    assert is_broken_input(object(), BrokenVideoError())
    assert not is_broken_input(Reader(), NotImplementedError())
    assert not is_broken_input(Reader(), ValueError())
    assert not is_broken_input(Reader(), IndexError())
    assert not is_broken_input(object(), cv2.error())


def test_decoded_results_are_checked():
    check_decoded({'total_frames': 1, 'imgs': [np.zeros((2, 2, 3), np.uint8)]})
    with pytest.raises(BrokenVideoError, match='no frames'):
        check_decoded({'total_frames': 0})
    with pytest.raises(BrokenVideoError, match='sampled frame 1 cannot be decoded'):
        check_decoded({'imgs': [np.zeros((2, 2, 3)), np.stack([None, None])]})


def test_missing_list_names_key_and_path(tmp_path):
    match = r'expected `ann_file`.*none\.txt.*preparation script'
    for error in (FileNotFoundError, ValueError, AnnotationFileNotFoundError):
        with pytest.raises(error, match=match):
            dataset(tmp_path, ann_file='none.txt')
    with pytest.raises(AnnotationFileNotFoundError, match='expected `ann_file`'):
        dataset(tmp_path, ann_file=str(tmp_path))


@pytest.mark.parametrize(
    'content, options, match',
    [
        ('', {}, r'at least one line in `ann_file`, got .*list\.txt, which is empty'),
        ('a.avi 0\nb.avi\n', {}, r"list\.txt:2: expected '<video> <label>'"),
        (
            '\n \n',
            {},
            r'at least one line in `ann_file`, got .*list\.txt, which is',
        ),
        ('a.avi 0\n\nb.avi x\n', {}, r"list\.txt:3: expected .* got 'b\.avi x'"),
        ('a.avi zero\n', {}, r"list\.txt:1: expected .* got 'a\.avi zero'"),
        ('a.avi  1\n', {}, r'list\.txt:1: expected'),
        ('a.avi -1\n', {}, r'list\.txt:1: expected'),
        ('a.avi 1.0\n', {}, r'list\.txt:1: expected'),
        ('a.avi 0 1\n', {}, r'list\.txt:1: expected'),
        (
            'a.avi 0\nb.avi 3\n',
            {'num_classes': 3},
            r'list\.txt:2: expected a label in 0\.\.2 \(num_classes=3.*got 3',
        ),
        (
            'a.avi 0 5\n',
            {'num_classes': 5, 'multi_class': True},
            r'list\.txt:1: expected a label in 0\.\.4 .*got 5',
        ),
        (
            'a.avi\n',
            {'num_classes': 5, 'multi_class': True, 'test_mode': True},
            r"list\.txt:1: expected '<video> <label> \.\.\.'",
        ),
        ('a.avi 0\n', {'multi_class': True}, 'expected `num_classes`.*got None'),
        ('a.avi\t0\n', {}, r'list\.txt:1: expected'),
        ('a.avi 0\n', {'delimiter': '\t'}, r"list\.txt:1: expected '<video>\t<label>'"),
    ],
)
def test_malformed_lists(tmp_path, content, options, match):
    (tmp_path / 'list.txt').write_text(content)
    with pytest.raises(ValueError, match=match):
        dataset(tmp_path, **options)


def test_list_that_is_no_text(tmp_path):
    (tmp_path / 'list.txt').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match=r'list\.txt:1: expected UTF-8 text, got a ma'):
        dataset(tmp_path)


def test_wellformed_lists(tmp_path, warnings_logged):
    path = tmp_path / 'list.txt'
    write_list(path, 'a b.avi\t4')
    info = dataset(tmp_path, delimiter='\t', num_classes=5).get_data_info(0)
    assert (info['video_id'], info['label']) == ('a b', 4)
    write_list(path, 'x.avi 0 4')
    info = dataset(tmp_path, num_classes=5, multi_class=True).get_data_info(0)
    assert info['label'].tolist() == [1, 0, 0, 0, 1]
    assert warnings_logged == []
    write_list(path, 'x.avi', 'y.avi')
    assert dataset(tmp_path, test_mode=True).get_data_info(0)['label'] == -1
    (message,) = warnings_logged
    assert '2 of 2 lines have no label' in message


@pytest.mark.parametrize(
    'content, delimiter',
    [
        ('\ufeffa b.avi,4\r\n"c, d.avi",0\r\n\r\n', ','),
        ('video,label\na b.avi,4,,\n\n "c, d.avi" , 0 \n', ','),
        ('a b.avi;4\nc, d.avi;0\n', ';'),
        ('File\tClass\na b.avi\t4\nc, d.avi\t0\n', '\t'),
    ],
)
@pytest.mark.parametrize('test_mode', [True, False])
def test_lists_of_spreadsheets(tmp_path, content, delimiter, test_mode):
    (tmp_path / 'list.txt').write_text(content, encoding='utf-8', newline='')
    data = dataset(tmp_path, delimiter=delimiter, num_classes=5, test_mode=test_mode)
    infos = [data.get_data_info(k) for k in range(len(data))]
    assert [(info['video_id'], info['label']) for info in infos] == [
        ('a b', 4),
        ('c, d', 0),
    ]
    lines = content.replace('\r\n', '\n').split('\n')
    assert [lines[info['list_line'] - 1].strip(' "\ufeff')[0] for info in infos] == [
        'a',
        'c',
    ]


@pytest.mark.parametrize('test_mode', [True, False])
@pytest.mark.parametrize(
    'line, options, cure',
    [
        ('a.avi\t0', {}, r"fields separated by '\\t' need delimiter='\\t'"),
        ('a.avi,0', {}, "fields separated by ',' need delimiter=','"),
        ('"a b.avi";"0"', {}, "fields separated by ';' need delimiter=';'"),
        ('my video.avi 0', {}, 'names with blanks need a list with tabs'),
        ('a.avi 0', {'delimiter': ','}, "delimiter=',' is not in it"),
    ],
)
def test_cures_of_lists(tmp_path, line, options, cure, test_mode):
    write_list(tmp_path / 'list.txt', line)
    if line == 'a.avi 0' and test_mode:  # a name with a blank and a number
        assert (
            dataset(tmp_path, test_mode=True, **options).get_data_info(0)['label'] < 0
        )
        return
    with pytest.raises(ValueError, match=rf'list\.txt:1: expected .*; {cure}'):
        dataset(tmp_path, test_mode=test_mode, **options)


def test_lists_of_frames_separated_by_commas(tmp_path):
    path = write_list(tmp_path / 'list.txt', 'a,5,0')
    with pytest.raises(ValueError, match="separate the fields by blanks, not ','"):
        ActionFrameDataset(path, [], test_mode=True)


def test_labels_in_some_lines_only(tmp_path):
    write_list(tmp_path / 'list.txt', 'a.avi 0', 'b.avi')
    with pytest.raises(ValueError, match=r'list\.txt:2: expected a label in all lines'):
        dataset(tmp_path, test_mode=True)


def test_labels_that_count_from_one(tmp_path, warnings_logged):
    path = tmp_path / 'list.txt'
    write_list(path, 'a.avi 1', 'b.avi 2', 'c.avi 3')
    with pytest.raises(ValueError, match=r'got 3; no line has the label 0'):
        dataset(tmp_path, num_classes=3)
    assert warnings_logged == []
    for num_classes in (None, 4):
        dataset(tmp_path, num_classes=num_classes)
        assert 'from 0 on, got 1 to 3; no line has the label 0' in warnings_logged.pop()
    dataset(tmp_path, num_classes=9)
    write_list(path, 'a.avi 0', 'b.avi 3')
    dataset(tmp_path, num_classes=4)
    assert warnings_logged == []


def test_repeated_videos_are_named(tmp_path, warnings_logged):
    path = write_list(tmp_path / 'list.txt', 'a.avi 0', 'b.avi 1', 'a.avi 1')
    dataset(tmp_path)
    (message,) = warnings_logged
    assert message.startswith(f'{path}: expected each video once, got 1 lines again')
    assert 'a.avi in lines 1 and 3' in message


def test_wrong_arguments(videos):
    with pytest.raises(ValueError, match=r"on_broken: expected one of .*, got 'skip'"):
        dataset(videos, on_broken='skip')
    with pytest.raises(ValueError, match='max_refetch: expected int at least 0'):
        dataset(videos, max_refetch=-1)
    with pytest.raises(TypeError, match='num_clases'):
        dataset(videos, num_clases=3)
    with pytest.raises(ValueError, match=r'data_prefix=dict\(video=...\)`, got {}'):
        dataset(videos, data_prefix={})


def test_official_ucf101_lists(real_data):
    lists = real_data / 'annotations' / 'ucf101'
    with pytest.raises(ValueError, match=r'expected a label in 0\.\.100 .*got 101'):
        dataset(lists, ann_file='trainlist01.txt', num_classes=101)
    with pytest.raises(ValueError, match=r"testlist01\.txt:1: expected '<video> <lab"):
        dataset(lists, ann_file='testlist01.txt', num_classes=101)
    train = dataset(lists, ann_file='trainlist01.txt', num_classes=102)
    assert len(train) == 9537


def write_flow(folder, fields):
    folder.mkdir(parents=True)
    for number, field in enumerate(fields, 1):
        for axis, name in enumerate('xy'):
            path = folder / f'flow_{name}_{number:05d}.jpg'
            cv2.imwrite(str(path), field[..., axis])


def flow_pipeline(window=3, clip_len=5):
    return [
        {
            'type': 'mmattn.SampleWindows',
            'window_frames': window,
            'clip_len': clip_len,
        },
        {'type': 'RawFrameDecode'},
        {'type': 'mmattn.FlowFlip', 'flip_ratio': 1.0},
        {'type': 'FormatShape', 'input_format': 'NCHW'},
        {'type': 'PackActionInputs', 'meta_keys': META},
    ]


@pytest.fixture
def flow(tmp_path):
    """Four fields (k, -k), k = 1 .. 4, of a video of five frames."""
    fields = [
        quantize_flow(np.tile(np.array([k, -k], float), (H, W, 1))) for k in range(1, 5)
    ]
    write_flow(tmp_path / 'a' / 'v_one', fields)
    write_flow(tmp_path / 'b' / 'v.two', fields)
    write_list(tmp_path / 'list.txt', 'a/v_one 4 2', 'b/v.two 4 0')
    return tmp_path


def frame_dataset(folder, pipeline=(), **kwargs):
    kwargs.setdefault('serialize_data', False)
    return ActionFrameDataset(
        'list.txt',
        list(pipeline),
        data_root=str(folder),
        data_prefix={'img': ''},
        **kwargs,
    )


def test_flow_stacks_through_the_whole_pipeline(flow):
    data = frame_dataset(flow, flow_pipeline(), modality='Flow', num_classes=3)
    item = data[0]
    assert item['inputs'].shape == (2 * 3, 10, H, W)
    sample = item['data_samples']
    assert (sample.video_id, sample.gt_label.item()) == ('a/v_one', 2)
    assert data[1]['data_samples'].video_id == 'b/v.two'
    assert sample.frame_indices.tolist() == [[0, 1, 2], [1, 2, 3]]
    # both components become -k: x by mirroring, y as it is
    levels = item['inputs'].float().mean((2, 3))
    for place, start in enumerate([0, 1, 2, 1, 2, 3]):
        fields = np.minimum(start + np.arange(5), 3) + 1
        expected = quantize_flow(-np.repeat(fields, 2).astype(float))
        np.testing.assert_allclose(levels[place], expected, atol=1)


def test_broken_flow_folders(flow, warnings_logged):
    options = {'modality': 'Flow', 'on_broken': 'raise'}
    broken = flow / 'a' / 'v_one' / 'flow_x_00003.jpg'
    data = frame_dataset(flow, flow_pipeline(), **options)
    other = broken.with_name('flow_y_00003.jpg')
    for content, cause in (
        (b'', 'error'),
        (b'no image', 'ValueError'),
        (cv2.imencode('.jpg', np.zeros((3, 3), np.uint8))[1].tobytes(), 'ValueError'),
    ):
        broken.write_bytes(content)
        with pytest.raises(BrokenVideoError, match=rf'a/v_one \(line 1 .*{cause}'):
            data[0]
    other.write_bytes(b'no image')
    broken.write_bytes(b'no image')
    with pytest.raises(BrokenVideoError, match=r'a/v_one .*cannot be decoded'):
        data[0]
    broken.unlink()
    with pytest.raises(BrokenVideoError, match=r'flow_x_00003\.jpg'):
        data[0]
    lenient = frame_dataset(flow, flow_pipeline(), modality='Flow')
    assert lenient[0]['data_samples'].video_id == 'b/v.two'
    assert len(warnings_logged) == 1


def test_rgb_frames_and_offset(tmp_path):
    folder = tmp_path / 'v'
    folder.mkdir()
    for number in range(1, 8):
        img = np.full((H, W, 3), 8 * number, np.uint8)
        cv2.imwrite(str(folder / f'img_{number:05}.jpg'), img)
    pipeline = flow_pipeline(clip_len=1)
    del pipeline[2]
    write_list(tmp_path / 'list.txt', 'v 7 1')
    whole = frame_dataset(tmp_path, pipeline)[0]
    assert gray_levels(whole['inputs']) == [1, 2, 3, 4, 5, 6, 5, 6, 7]
    write_list(tmp_path / 'list.txt', 'v 2 4 1')
    part = frame_dataset(tmp_path, pipeline, with_offset=True)[0]
    assert gray_levels(part['inputs']) == [3, 4, 5, 4, 5, 6]


def test_frame_lists_are_checked(tmp_path):
    path = tmp_path / 'list.txt'
    write_list(path, 'v 7 1', 'v 7')
    with pytest.raises(ValueError, match=r"txt:2: expected '<folder> <frames> <lab"):
        frame_dataset(tmp_path)
    write_list(path, 'v 7 1')
    with pytest.raises(ValueError, match="expected '<folder> <offset> <frames> <labe"):
        frame_dataset(tmp_path, with_offset=True)
    with pytest.raises(ValueError, match=r'txt:1: expected a label in 0\.\.0'):
        frame_dataset(tmp_path, num_classes=1)
    write_list(path, 'v 0 1')
    with pytest.raises(BrokenVideoError, match='holds no frames'):
        frame_dataset(tmp_path, test_mode=True)[0]


def test_modality_and_template_are_checked(flow):
    with pytest.raises(ValueError, match="`modality` to be 'RGB' or 'Flow', got 'Po"):
        frame_dataset(flow, modality='Pose')
    for modality, template in (
        ('Flow', 'img_{:05}.jpg'),
        ('Flow', 'flow_x_{:05d}.jpg'),
        ('RGB', 'flow_{}_{:05d}.jpg'),
        ('RGB', 'img.jpg'),
    ):
        with pytest.raises(ValueError, match='expected `filename_tmpl` like'):
            frame_dataset(flow, modality=modality, filename_tmpl=template)


def test_builds_from_config(videos):
    cfg = {
        'type': 'mmattn.ActionVideoDataset',
        'ann_file': str(videos / 'list.txt'),
        'data_prefix': {'video': str(videos)},
        'pipeline': windows_pipeline(),
        'lazy_init': True,
    }
    data = DATASETS.build(cfg)
    assert data[2]['data_samples'].video_id == 'b/v_three'
    assert len(data) == 3
