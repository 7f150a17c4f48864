"""Flow computed while videos are read, against stored flow."""

import decord
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

from mmattn.datasets import (
    ActionFrameDataset,
    ActionVideoDataset,
    BrokenVideoError,
    ComputeFlow,
    FlowInit,
)
from mmattn.datasets.optical_flow import flow_fields, flow_function
from mmattn.prepare.flow_extraction import FlowOptions, extract_flow
from mmattn.synthetic.writer import write_video

FRAMES = 9


@pytest.fixture
def clip(tmp_path):
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (12, 16, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    shifts = [n * (n + 1) // 2 for n in range(FRAMES)]  # every field is another one
    frames = np.stack([np.roll(texture, shift, axis=1) for shift in shifts])
    write_video(tmp_path / 'videos' / 'clip.mp4', frames, fps=10)
    return tmp_path


@pytest.fixture(autouse=True)
def _folders(tmp_path):
    (tmp_path / 'videos').mkdir()


def pipeline(load, *, flip=0.0, start='mmattn.FlowInit'):
    init = [] if start is None else [{'type': start}]
    sample = {'type': 'SampleFrames', 'clip_len': 5, 'num_clips': 2, 'test_mode': True}
    return [
        *init,
        sample,
        load,
        {'type': 'mmattn.FlowFlip', 'flip_ratio': flip},
        {'type': 'FormatShape', 'input_format': 'NCHW'},
        {'type': 'PackActionInputs'},
    ]


def inputs_of(root, kind, **options):
    (root / f'{kind}.txt').write_text(
        'clip.mp4 1\n' if kind == 'videos' else f'clip {FRAMES - 1} 1\n'
    )
    common = {'data_root': str(root), 'test_mode': True}
    if kind == 'videos':
        load = {'type': 'mmattn.ComputeFlow', 'method': 'farneback'}
        data = ActionVideoDataset(
            'videos.txt',
            pipeline(load, **options),
            data_prefix={'video': 'videos'},
            **common,
        )
    else:
        backend = 'zip' if kind == 'zip' else 'disk'
        load = {'type': 'RawFrameDecode', 'io_backend': backend}
        data = ActionFrameDataset(
            f'{kind}.txt',
            pipeline(load, start=None, **options),
            data_prefix={'img': kind},
            modality='Flow',
            **common,
        )
    return data[0]['inputs'].float()


@pytest.mark.parametrize('flip', [0.0, 1.0])
def test_as_stored_flow(clip, flip):
    """Images differ from the fields by what jpg loses; zips hold the same images."""
    for storage, folder in (('folders', 'flow'), ('zip', 'zip')):
        options = FlowOptions('farneback', storage=storage)
        report = extract_flow(clip / 'videos', clip / folder, options, workers=1)
        assert (report.videos, report.fields) == (1, FRAMES - 1)
    computed = inputs_of(clip, 'videos', flip=flip)
    stored = inputs_of(clip, 'flow', flip=flip)
    assert computed.shape == (2, 10, 48, 64)
    assert (computed - stored).abs().mean() < 2
    assert (computed - stored).abs().max() < 40
    assert computed.std() > 3
    assert (inputs_of(clip, 'zip', flip=flip) == stored).all()


def test_mirroring_negates_x_alone(clip):
    plain = inputs_of(clip, 'videos').unflatten(1, (5, 2))
    mirrored = inputs_of(clip, 'videos', flip=1.0).flip(-1).unflatten(1, (5, 2))
    assert (mirrored[:, :, 1] == plain[:, :, 1]).all()
    still = plain[:, :, 0] == 128
    x, negated = plain[:, :, 0][~still], mirrored[:, :, 0][~still]
    assert (x + negated == 255).all()
    assert len(x) > 1000


def test_fields_are_those_of_the_sampled_frames(clip):
    results = {'filename': str(clip / 'videos' / 'clip.mp4')}
    results = FlowInit()(results)
    assert (results['total_frames'], results['modality']) == (FRAMES - 1, 'Flow')
    step = ComputeFlow('farneback')
    results['frame_inds'] = np.array([[7, 0], [7, 3]])
    fields = step(results)['imgs']
    assert results['video_reader'] is None
    assert results['img_shape'] == results['original_shape'] == (48, 64)
    np.testing.assert_array_equal(fields[0], fields[2])
    assert fields[0] is not fields[2]
    reader = decord.VideoReader(str(clip / 'videos' / 'clip.mp4'))
    for field, number in zip(fields, (7, 0, 7, 3), strict=True):
        pair = reader[number].asnumpy(), reader[number + 1].asnumpy()
        (expected,) = flow_fields(pair, flow_function('farneback'))
        np.testing.assert_array_equal(field, expected)
    assert (fields[0] != fields[1]).any()


def test_size(clip):
    results = FlowInit()({'filename': str(clip / 'videos' / 'clip.mp4')})
    results['frame_inds'] = np.array([2])
    results = ComputeFlow(size=(40, 36))(results)
    assert results['imgs'][0].shape == (36, 40, 2)
    assert results['img_shape'] == (36, 40)


def test_one_frame_is_no_flow(tmp_path):
    path = tmp_path / 'videos' / 'one.mp4'
    write_video(path, np.zeros((1, 48, 64, 3), np.uint8), fps=10)
    with pytest.raises(BrokenVideoError, match='expected two frames or more for flow'):
        FlowInit()({'filename': str(path)})


@pytest.mark.parametrize(
    'options, message',
    [
        ({'method': 'x'}, "method: expected one of .*got 'x'"),
        ({'bound': 0}, 'bound: expected a positive number, got 0'),
        ({'size': (3,)}, r'size: expected tuple of 2 int .*, got \(3,\)'),
        ({'size': (3, 0)}, 'size: expected a width and a height'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ComputeFlow(**options)


def test_builds_from_config():
    step = TRANSFORMS.build({'type': 'mmattn.ComputeFlow', 'size': (340, 256)})
    assert repr(step) == "ComputeFlow(method='dis', bound=20.0, size=(340, 256))"
