"""Mistakes of users end in a message that names the file or the key."""

import shutil
from pathlib import Path

import pytest
import torch

from mmattn.datasets.base import BrokenVideoError
from mmattn.testing import build_runner, make_tiny_data

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
FLOW = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-flow'
FEATURES = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'


@pytest.fixture
def own_data(tmp_path) -> Path:
    """Tiny data that a test may break."""
    return make_tiny_data(tmp_path / 'data')


def log_text(work_dir: Path) -> str:
    return ''.join(path.read_text() for path in work_dir.glob('*/*.log'))


@pytest.mark.parametrize('part', ['backbone', 'cls_head'])
def test_unknown_option(shrunk, tmp_path, part):
    cfg = shrunk(VIDEO)
    cfg.model[part].hiden_channels = 8
    with pytest.raises(TypeError, match="'hiden_channels'"):
        build_runner(cfg, tmp_path)


def test_unknown_option_of_a_pipeline_step(shrunk, tmp_path):
    cfg = shrunk(VIDEO)
    cfg.train_dataloader.dataset.pipeline[1].windows = 8
    with pytest.raises(TypeError, match="'windows'"):
        build_runner(cfg, tmp_path).train()


@pytest.mark.parametrize(
    'part, key, value, message',
    [
        ('cls_head', 'lstm.query', 'middle', "query: expected one of .* got 'middle'"),
        ('cls_head', 'test_steps', 9, 'test_steps: expected 1 to num_steps=4, got 9'),
        ('cls_head', 'type', 'mmattn.NoHead', 'mmattn.NoHead is not in'),
        ('backbone', 'depth', 12, 'depth: expected .* got 12'),
        ('backbone', 'out', 'fc9', r'out: .*fc9'),
    ],
)
def test_option_out_of_range(shrunk, tmp_path, part, key, value, message):
    cfg = shrunk(VIDEO)
    cfg.merge_from_dict({f'model.{part}.{key}': value})
    with pytest.raises((ValueError, KeyError), match=message):
        build_runner(cfg, tmp_path)


@pytest.mark.parametrize('stem', [VIDEO, FLOW, FEATURES], ids=['rgb', 'flow', 'stored'])
def test_missing_annotation_file(shrunk, tmp_path, stem):
    cfg = shrunk(stem)
    cfg.train_dataloader.dataset.ann_file = 'lists/none.txt'
    with pytest.raises(ValueError, match=r"`ann_file`.* got 'lists/none\.txt'"):
        build_runner(cfg, tmp_path).train()


def test_empty_list(shrunk, tmp_path):
    (tmp_path / 'empty.txt').touch()
    cfg = shrunk(VIDEO)
    cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'empty.txt')
    with pytest.raises(ValueError, match=r'at least one line .*empty\.txt'):
        build_runner(cfg, tmp_path).train()


@pytest.mark.parametrize('stem', [VIDEO, FLOW, FEATURES], ids=['rgb', 'flow', 'stored'])
def test_label_out_of_range(shrunk, own_data, tmp_path, stem):
    cfg = shrunk(stem, own_data)
    list_file = Path(cfg.train_dataloader.dataset.ann_file)
    lines = list_file.read_text().splitlines()
    lines[2] = lines[2].rsplit(' ', 1)[0] + ' 3'
    list_file.write_text('\n'.join(lines))
    with pytest.raises(
        ValueError, match=rf'{list_file.name}:3: expected a label in 0\.\.2 .* got 3'
    ):
        build_runner(cfg, tmp_path).train()


def test_more_classes_in_the_list_than_in_the_head(shrunk, tmp_path):
    cfg = shrunk(VIDEO)
    cfg.model.cls_head.num_classes = 2
    cfg.train_dataloader.dataset.num_classes = 3
    with pytest.raises(
        ValueError, match=r'expected the 2 classes of the head, got 3 in .*videos.txt'
    ):
        build_runner(cfg, tmp_path).train()


@pytest.fixture(params=['unreadable', 'corrupted', 'missing'])
def broken(request, own_data) -> Path:
    """One of the four clips, broken: no video, breaks in the middle, not there."""
    path = own_data / 'videos' / 'clip_2.mp4'
    path.unlink()
    if request.param == 'unreadable':
        path.write_bytes(b'not a video')
    elif request.param == 'corrupted':
        real = request.getfixturevalue('real_data')
        shutil.copy(real / 'decode_edge_cases' / 'corrupted.mp4', path)
    return path


def training_config(shrunk, own_data, on_broken):
    """Every window of every clip, so that a break in the middle is met."""
    cfg = shrunk(VIDEO, own_data)
    dataset = cfg.train_dataloader.dataset
    dataset.on_broken = on_broken
    dataset.pipeline[1].mode = 'all'
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    return cfg


def test_broken_video_is_replaced_in_training(shrunk, own_data, broken, tmp_path):
    cfg = training_config(shrunk, own_data, 'replace')
    cfg.train_cfg.max_epochs = 2
    work_dir = tmp_path / 'work'
    build_runner(cfg, work_dir).train()
    assert (work_dir / 'epoch_2.pth').exists()
    text = log_text(work_dir)
    assert f'got {broken} (line 3 of ' in text
    assert text.count('another sample takes its place') == 1


def test_replacing_is_the_default(shrunk):
    dataset = shrunk(VIDEO).train_dataloader.dataset
    assert dataset.type == 'mmattn.ActionVideoDataset'
    assert 'on_broken' not in dataset
    from mmattn.datasets import ActionVideoDataset

    built = ActionVideoDataset(dataset.ann_file, [], data_prefix=dataset.data_prefix)
    assert built.on_broken == 'replace'


def test_broken_video_stops_training_where_asked(shrunk, own_data, tmp_path):
    """The epochs finished before are on disk."""
    cfg = training_config(shrunk, own_data, 'raise')
    cfg.train_cfg.max_epochs = 1
    work_dir = tmp_path / 'work'
    build_runner(cfg, work_dir).train()

    path = own_data / 'videos' / 'clip_2.mp4'
    path.write_bytes(b'not a video')
    cfg.train_cfg.max_epochs = 2
    cfg.resume = True
    with pytest.raises(BrokenVideoError, match=rf'got {path} \(line 3 of'):
        build_runner(cfg, work_dir).train()
    assert (work_dir / 'epoch_1.pth').exists()
    assert not (work_dir / 'epoch_2.pth').exists()
    assert torch.load(work_dir / 'epoch_1.pth')['meta']['epoch'] == 1


def test_every_kind_of_break_stops_where_asked(shrunk, own_data, broken, tmp_path):
    cfg = training_config(shrunk, own_data, 'raise')
    with pytest.raises(BrokenVideoError, match=f'got {broken}'):
        build_runner(cfg, tmp_path / 'work').train()


def test_broken_video_stops_the_test(shrunk, own_data, broken, tmp_path):
    cfg = shrunk(VIDEO, own_data)
    with pytest.raises(BrokenVideoError, match=f'got {broken}'):
        build_runner(cfg, tmp_path / 'work').test()


def test_message_passes_from_workers(shrunk, own_data, tmp_path):
    path = own_data / 'videos' / 'clip_2.mp4'
    path.write_bytes(b'not a video')
    cfg = shrunk(VIDEO, own_data)
    cfg.test_dataloader.num_workers = 1
    with pytest.raises(BrokenVideoError, match=f'got {path}'):
        build_runner(cfg, tmp_path / 'work').test()


def test_missing_features_name_the_file(shrunk, own_data, tmp_path):
    path = own_data / 'features' / 'clip_3.npy'
    path.unlink()
    with pytest.raises(BrokenVideoError, match=f'got {path}'):
        build_runner(shrunk(FEATURES, own_data), tmp_path / 'work').test()


def test_missing_flow_names_the_folder(shrunk, own_data, tmp_path):
    path = own_data / 'flow' / 'clip_3'
    shutil.rmtree(path)
    with pytest.raises(BrokenVideoError, match=f'got {path}'):
        build_runner(shrunk(FLOW, own_data), tmp_path / 'work').test()


def test_features_of_another_width(shrunk, tmp_path):
    cfg = shrunk(FEATURES)
    cfg.model.cls_head.in_channels = 17
    with pytest.raises(ValueError, match=r'in_channels says, got \(\d+, 16\)'):
        build_runner(cfg, tmp_path).train()


def test_missing_checkpoint(shrunk, tmp_path):
    cfg = shrunk(FEATURES)
    cfg.load_from = 'work_dirs/none.pth'
    with pytest.raises(FileNotFoundError, match=r'work_dirs/none\.pth'):
        build_runner(cfg, tmp_path).test()


def test_pretrained_weights_of_another_network(shrunk, tmp_path):
    path = tmp_path / 'resnet.pth'
    torch.save({'layer1.0.conv1.weight': torch.ones(3)}, path)
    cfg = shrunk(VIDEO)
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(path))
    with pytest.raises(ValueError, match=r'resnet\.pth: expected all \d+ weights'):
        build_runner(cfg, tmp_path).train()
