"""Features extracted once equal those of the backbone on the fly."""

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate

from mmattn.datasets import FeatureDataset, VideoDecode
from mmattn.prepare.features import (
    extract_features,
    feature_names,
    whole_video_pipeline,
)
from mmattn.testing import make_tiny_data

STEM = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-'
TESTED = dict(lists=('test',), workers=0, progress=False)


@pytest.fixture
def checkpoint(tmp_path):
    """Function that saves a model's random weights as a ConvNet's checkpoint."""

    def save(cfg):
        model = MODELS.build(cfg.model)
        model.backbone.init_weights()
        path = tmp_path / 'convnet.pth'
        state = {f'backbone.{k}': v for k, v in model.backbone.state_dict().items()}
        torch.save(dict(state_dict=state, meta={}), path)
        return str(path), model.eval()

    return save


@pytest.fixture
def own_data(tmp_path):
    """Tiny data that a test may break."""
    return make_tiny_data(tmp_path / 'data')


@pytest.fixture
def convnet(shrunk, checkpoint, own_data):
    """Config on the tiny data, and the file of its ConvNet's weights."""
    cfg = shrunk(STEM + 'rgb', own_data)
    return cfg, checkpoint(cfg)[0]


def broken_file(data):
    path = data / 'videos' / 'clip_1.mp4'
    path.write_bytes(b'not a video')
    return path


@pytest.mark.parametrize('stream', ['rgb', 'flow'])
def test_files_and_values(shrunk, checkpoint, tmp_path, stream):
    cfg = shrunk(STEM + stream)
    path, model = checkpoint(cfg)
    out = tmp_path / 'features'
    assert extract_features(cfg, path, out, workers=0, progress=False) == []
    names = [f'clip_{i}' for i in range(4)]
    lines = [f'{name} {i % 3}' for i, name in enumerate(names)]
    assert (out / 'train.txt').read_text().splitlines() == lines
    assert (out / 'test.txt').read_text().splitlines() == lines
    assert not (out / 'val.txt').exists()
    written = {file.name for file in out.iterdir()}
    lists = {'train.txt', 'test.txt', 'features.json'}
    assert written == lists | {f'{name}.npy' for name in names}

    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    for i, name in enumerate(names):
        stored = np.load(out / f'{name}.npy')
        num_frames = (11, 7)[i % 2] - (stream == 'flow')
        assert stored.dtype == np.float16
        assert stored.shape == (num_frames, 16)
        item = dataset[i]  # windows of 3 frames
        batch = model.data_preprocessor(pseudo_collate([item]))
        with torch.no_grad():
            feats = model.backbone(batch['inputs'].flatten(0, 1)).flatten(1)
        numbers = item['data_samples'].frame_indices.flatten()
        assert set(numbers) == set(range(num_frames))
        np.testing.assert_allclose(stored[numbers], feats.numpy(), rtol=2e-3, atol=1e-5)
        assert np.ptp(stored, axis=0).max() > 1e-3  # frames differ


def test_workers_write_the_same(shrunk, checkpoint, tmp_path):
    cfg = shrunk(STEM + 'rgb')
    path, _ = checkpoint(cfg)
    for workers in (0, 2):
        out = tmp_path / str(workers)
        extract_features(cfg, path, out, lists=('test',), workers=workers)
    for file in (tmp_path / '0').iterdir():
        assert (tmp_path / '2' / file.name).read_bytes() == file.read_bytes()


def test_finished_files_are_not_touched(shrunk, checkpoint, tmp_path):
    cfg = shrunk(STEM + 'rgb')
    path, _ = checkpoint(cfg)
    out = tmp_path / 'features'
    extract_features(cfg, path, out, **TESTED)
    np.save(out / 'clip_2.npy', np.full((11, 16), 7, np.float16))
    (out / 'clip_0.npy').unlink()
    extract_features(cfg, path, out, workers=0, progress=False)
    assert (np.load(out / 'clip_2.npy') == 7).all()
    assert (out / 'clip_0.npy').exists()
    times = {file: file.stat().st_mtime_ns for file in out.glob('*.npy')}
    extract_features(cfg, path, out, workers=0, progress=False)
    assert {file: file.stat().st_mtime_ns for file in out.glob('*.npy')} == times
    assert 'clip_2 2' in (out / 'train.txt').read_text().splitlines()


@pytest.mark.parametrize('workers', [0, 1])
def test_broken_video_is_named_and_left_out(convnet, own_data, tmp_path, workers):
    cfg, path = convnet
    broken = broken_file(own_data)
    out = tmp_path / 'features'
    messages = extract_features(cfg, path, out, workers=workers, progress=False)
    assert [message.split(':')[0] for message in messages] == ['train', 'test']
    assert all(str(broken) in message for message in messages)
    ids = [line.split()[0] for line in (out / 'test.txt').read_text().splitlines()]
    assert ids == ['clip_0', 'clip_2', 'clip_3']
    assert not (out / 'clip_1.npy').exists()


def test_tool_exits_with_1_after_a_broken_video(
    convnet, own_data, tmp_path, run_tool, capsys
):
    cfg, path = convnet
    broken = broken_file(own_data)
    config = tmp_path / 'config.py'
    cfg.dump(config)
    out = tmp_path / 'features'
    args = [config, path, out, '--lists', 'test']
    assert run_tool('data/extract_features.py', *args) == 1
    message = f'left out: test: expected a readable input, got {broken}'
    assert message in capsys.readouterr().err
    assert len((out / 'test.txt').read_text().splitlines()) == 3


def with_list(cfg, data, *lines, delimiter=' ', **options):
    """The config with the same short list everywhere."""
    (data / 'own.txt').write_text('\n'.join(lines) + '\n')
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.update(ann_file=str(data / 'own.txt'), delimiter=delimiter, **options)
    return cfg


def read_back(out, **options):
    dataset = FeatureDataset(
        str(out / 'test.txt'),
        [dict(type='mmattn.SampleWindows', window_frames=2)],
        data_prefix=dict(feature=str(out)),
        test_mode=True,
        **options,
    )
    return [dataset[index] for index in range(len(dataset))]


def test_videos_of_one_stem_have_a_file_each(convnet, own_data, tmp_path):
    cfg, path = convnet
    videos = own_data / 'videos'
    (videos / 'clip_0.avi').write_bytes((videos / 'clip_1.mp4').read_bytes())
    with_list(cfg, own_data, 'clip_0.mp4 0', 'clip_0.avi 1', 'clip_2.mp4 2')
    out = tmp_path / 'features'
    assert extract_features(cfg, path, out, **TESTED) == []
    lines = (out / 'test.txt').read_text().splitlines()
    assert lines == ['clip_0.mp4 0', 'clip_0.avi 1', 'clip_2 2']
    found = read_back(out)
    assert [item['total_frames'] for item in found] == [11, 7, 11]
    assert found[1]['filename'] == str(out / 'clip_0.avi.npy')


def test_paths_from_elsewhere_stay_in_the_folder(convnet, own_data, tmp_path):
    cfg, path = convnet
    videos = own_data / 'videos'
    before = sorted(own_data.rglob('*'))
    with_list(cfg, own_data, f'{videos}/clip_0.mp4 0', '../videos/clip_1.mp4 1')
    out = tmp_path / 'features'
    extract_features(cfg, path, out, **TESTED)
    assert sorted(own_data.rglob('*')) == sorted([*before, own_data / 'own.txt'])
    inside = [out / str(videos / 'clip_0.npy').lstrip('/'), out / 'videos/clip_1.npy']
    assert sorted(out.rglob('*.npy')) == sorted(inside)
    assert [item['total_frames'] for item in read_back(out)] == [11, 7]


def test_names_that_would_be_one_file():
    with pytest.raises(ValueError, match=r'got x/a\.mp4 and y/a\.mp4, whose features'):
        feature_names({'test': [('x/a.mp4', '../a'), ('y/a.mp4', 'a')]})
    twice = [('x/a.mp4', 'a'), ('x/a.mp4', 'a')]
    assert feature_names({'train': twice, 'test': twice}) == {'x/a.mp4': 'a'}


def test_many_labels_and_names_with_spaces(convnet, own_data, tmp_path):
    cfg, path = convnet
    (own_data / 'videos/clip_1.mp4').rename(own_data / 'videos/my clip.mp4')
    lines = ['clip_0.mp4\t0\t2', 'my clip.mp4\t1', 'clip_2.mp4']
    multi = dict(multi_class=True, allow_unlabeled=True, num_classes=3)
    with_list(cfg, own_data, *lines, delimiter='\t', **multi)
    out = tmp_path / 'features'
    assert extract_features(cfg, path, out, **TESTED) == []
    assert (out / 'test.txt').read_text() == 'clip_0\t0\t2\nmy clip\t1\nclip_2\n'
    found = read_back(out, **multi)
    labels = [item['label'].tolist() for item in found]
    assert labels == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert [item['video_id'] for item in found] == ['clip_0', 'my clip', 'clip_2']


def test_other_features_in_the_folder_are_refused(convnet, tmp_path):
    cfg, path = convnet
    out = tmp_path / 'features'
    extract_features(cfg, path, out, **TESTED)
    kept = {file: file.read_bytes() for file in out.iterdir()}
    extract_features(cfg, path, out, **TESTED)  # the same again
    larger = cfg.copy()
    larger.test_pipeline[3].scale = (-1, 40)
    with pytest.raises(
        ValueError, match=r'features: expected features made with pipeline '
    ):
        extract_features(larger, path, out, **TESTED)
    state = torch.load(path)
    next(iter(state['state_dict'].values())).flatten()[0] += 1
    torch.save(state, tmp_path / 'other.pth')
    with pytest.raises(
        ValueError, match=r'features: expected features made with weights '
    ):
        extract_features(cfg, str(tmp_path / 'other.pth'), out, **TESTED)
    (out / 'features.json').unlink()
    with pytest.raises(ValueError, match=r'features\.json, .* got .*\.npy; write to'):
        extract_features(cfg, path, out, **TESTED)
    assert {f: f.read_bytes() for f in out.iterdir()}.items() <= kept.items()


@pytest.mark.parametrize('content', ['half', 'foreign'])
def test_damaged_features_are_named(convnet, tmp_path, content):
    cfg, path = convnet
    out = tmp_path / 'features'
    extract_features(cfg, path, out, **TESTED)
    damaged = out / 'clip_2.npy'
    if content == 'half':
        damaged.write_bytes(damaged.read_bytes()[:-10])
    else:
        np.save(damaged, np.zeros((3, 2, 2)))
    (message,) = extract_features(cfg, path, out, **TESTED)
    assert message.startswith('test: ')
    assert str(damaged) in message
    assert 'clip_2' not in (out / 'test.txt').read_text()


def test_one_odd_video_ends_nothing(convnet, tmp_path, monkeypatch):
    """OpenCV's error is none of Python's own."""
    cfg, path = convnet
    decode = VideoDecode.transform

    def fragile(self, results):
        if results['filename'].endswith('clip_1.mp4'):
            cv2.resize(np.zeros((0, 0), np.uint8), (3, 3))
        return decode(self, results)

    monkeypatch.setattr(VideoDecode, 'transform', fragile)
    out = tmp_path / 'features'
    (message,) = extract_features(cfg, path, out, **TESTED)
    assert 'clip_1.mp4' in message
    assert 'OpenCV' in message
    assert len((out / 'test.txt').read_text().splitlines()) == 3


def test_no_readable_video_is_an_error(convnet, tmp_path):
    cfg, path = convnet
    cfg.test_pipeline[3] = dict(type='Resize', scale=(-1, 2))
    cfg.test_pipeline[4].crop_size = 2
    with pytest.raises(ValueError, match='test: expected a readable video, got 4 that'):
        extract_features(cfg, path, tmp_path / 'features', **TESTED)


def test_features_beyond_half_precision(convnet, tmp_path):
    cfg, path = convnet
    state = torch.load(path)
    for name, weight in state['state_dict'].items():
        if name.endswith('weight'):
            weight *= 100
    torch.save(state, path)
    with pytest.raises(ValueError, match='expected finite features within the range'):
        extract_features(cfg, path, tmp_path / 'features', **TESTED)


def test_unknown_list(shrunk, tmp_path):
    with pytest.raises(ValueError, match=r"lists: expected some of .* got \{'vel'\}"):
        extract_features(shrunk(STEM + 'rgb'), 'a.pth', tmp_path, lists=('vel',))


def test_checkpoint_of_another_backbone(shrunk, tmp_path):
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict={'backbone.conv.weight': torch.ones(3)}), path)
    with pytest.raises(ValueError, match=r'other\.pth: expected all \d+ weights'):
        extract_features(shrunk(STEM + 'rgb'), path, tmp_path / 'out')


def test_pipeline_reads_every_frame_once():
    pipeline = [
        dict(type='DecordInit'),
        dict(type='mmattn.SampleWindows', window_frames=30, clip_len=5),
    ]
    whole = whole_video_pipeline(pipeline)
    assert whole[1] == dict(
        type='mmattn.SampleWindows', window_frames=1, clip_len=5, mode='all'
    )
    assert pipeline[1]['window_frames'] == 30
    with pytest.raises(ValueError, match=r"SampleWindows, got \['DecordInit'\]"):
        whole_video_pipeline(pipeline[:1])
