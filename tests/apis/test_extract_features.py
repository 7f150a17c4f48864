"""Features extracted once equal those of the backbone on the fly."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate

from mmattn.apis.features import extract_features, whole_video_pipeline
from mmattn.testing import make_tiny_data

STEM = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-'
TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'data' / 'extract_features.py'


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
    assert written == {'train.txt', 'test.txt', *(f'{name}.npy' for name in names)}

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
    out.mkdir()
    np.save(out / 'clip_2.npy', np.full((11, 16), 7, np.float16))
    extract_features(cfg, path, out, workers=0, progress=False)
    assert (np.load(out / 'clip_2.npy') == 7).all()
    assert (out / 'clip_0.npy').exists()
    times = {file: file.stat().st_mtime_ns for file in out.glob('*.npy')}
    extract_features(cfg, path, out, workers=0, progress=False)
    assert {file: file.stat().st_mtime_ns for file in out.glob('*.npy')} == times
    assert 'clip_2 2' in (out / 'train.txt').read_text().splitlines()


@pytest.mark.parametrize('workers', [0, 1])
def test_broken_video_is_named_and_left_out(
    shrunk, checkpoint, own_data, tmp_path, workers
):
    cfg = shrunk(STEM + 'rgb', own_data)
    path, _ = checkpoint(cfg)
    broken = broken_file(own_data)
    out = tmp_path / 'features'
    messages = extract_features(cfg, path, out, workers=workers, progress=False)
    assert [message.split(':')[0] for message in messages] == ['train', 'test']
    assert all(str(broken) in message for message in messages)
    ids = [line.split()[0] for line in (out / 'test.txt').read_text().splitlines()]
    assert ids == ['clip_0', 'clip_2', 'clip_3']
    assert not (out / 'clip_1.npy').exists()


def test_tool_exits_with_1_after_a_broken_video(shrunk, checkpoint, own_data, tmp_path):
    cfg = shrunk(STEM + 'rgb', own_data)
    path, _ = checkpoint(cfg)
    broken = broken_file(own_data)
    config = tmp_path / 'config.py'
    cfg.dump(config)
    out = tmp_path / 'features'
    command = [sys.executable, TOOL, config, path, out, '--lists', 'test']
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert f'left out: test: expected a readable input, got {broken}' in result.stderr
    assert len((out / 'test.txt').read_text().splitlines()) == 3


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
