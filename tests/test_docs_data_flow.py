"""The keys and shapes on docs/data_flow.md are those of the configs."""

import re

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from pages import ROOT, SPAN, blocks, read, table_with

from mmattn.datasets.transforms.packing import META_KEYS
from mmattn.testing import build_runner, make_tiny_data, shrink
from mmattn.testing.shrink import point_to_data

PAGE = ROOT / 'docs/data_flow.md'
FRAMES, SIZE, CHANNELS = 40, (320, 240), 4096
TOP = ('img_key', 'timestamp', 'num_windows', 'window_frames')  # keys of some systems


def config(name):
    (path,) = (ROOT / 'configs').rglob(f'{name}.py')
    return Config.fromfile(path)


EXAMPLE = re.search(r'`(stbta_\S+)\.py`', read(PAGE))[1]
OTHERS = {row['config'].strip('`'): row for row in table_with(PAGE, 'losses')}


def names(cell):
    return set(SPAN.findall(cell))


def product(cell, windows=1):
    """The shape that a cell names; ``30 n`` is 30 frames of each window."""
    found = [part.split() for part in cell.split(' x ')]
    return tuple(int(part[0]) * (windows if 'n' in part else 1) for part in found)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Tiny data of which the first clip has the page's sizes."""
    root = make_tiny_data(tmp_path_factory.mktemp('data'))
    path = str(root / 'videos/clip_0.mp4')
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*'mp4v'), 10, SIZE)
    for number in range(FRAMES):
        writer.write(np.full((*SIZE[::-1], 3), 5 * number, np.uint8))
    writer.release()
    features = np.zeros((FRAMES, CHANNELS), np.float32)
    np.save(root / 'features/clip_0.npy', features)
    return root


def dataset(name, data, split='train'):
    cfg = config(name)[f'{split}_dataloader'].dataset
    point_to_data(cfg, data)
    return DATASETS.build(cfg)


def steps(data, tmp_path, monkeypatch):
    """What the code of the page finds of the example."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    monkeypatch.chdir(tmp_path)
    names = {}
    (code,) = blocks(PAGE, 'python')
    exec(compile(code, str(PAGE), 'exec'), names)
    return list(names['follow'](dataset(EXAMPLE, data)))


def test_keys_of_the_list(data):
    rows = table_with(PAGE, 'in the sample')
    sample = dataset(EXAMPLE, data).get_data_info(0)
    assert {key for row in rows for key in names(row['key'])} == set(sample)
    assert (sample['video_id'], sample['start_index']) == ('clip_0', 0)


def test_steps_add_what_the_page_says(data, tmp_path, monkeypatch):
    found, rows = steps(data, tmp_path, monkeypatch), table_with(PAGE, 'step')
    assert len(found) == len(rows)
    for (step, keys, sample), row in zip(found, rows, strict=True):
        assert row['step'].strip('`').removeprefix('mmattn.') == step
        assert names(row['adds']) == set(keys), step
        shape = row['`imgs` after it']
        if shape[:1].isdigit():
            assert np.shape(sample['imgs']) == product(shape), step
    assert sample['inputs'].dtype == torch.uint8


def test_meta_keys_are_those_that_are_packed(data):
    rows = table_with(PAGE, 'used by')
    listed = {key for row in rows for key in names(row['key'])}
    assert listed == set(META_KEYS)
    assert set(dataset(EXAMPLE, data)[0]['data_samples'].metainfo) == listed - {*TOP}
    test = dataset(EXAMPLE, data, 'test')[0]
    assert test['inputs'].shape == (250, 3, 224, 224)
    assert test['data_samples'].num_clips == 25
    assert 'crop_quadruple' not in test['data_samples']
    assert 'filename' not in test['data_samples']


def test_shapes_of_the_model(data):
    rows = table_with(PAGE, 'where')
    cfg, samples = config(EXAMPLE).model, dataset(EXAMPLE, data)
    batch = pseudo_collate([samples[0], samples[0]])
    prepared = MODELS.build(cfg.data_preprocessor)(batch, training=True)
    seen = [batch['inputs'][0], prepared['inputs']]
    with torch.device('meta'):  # shapes only
        model = MODELS.build(cfg)
    model.backbone.register_forward_hook(lambda _, x, maps: seen.extend([x[0], maps]))
    inputs, samples = prepared['inputs'].to('meta'), prepared['data_samples']
    seen.append(model(inputs, samples, mode='tensor', stage='head'))
    head, feats = MODELS.build(cfg.cls_head), torch.zeros(seen[3].shape)
    losses = head.loss(feats, samples, num_segs=3)
    result = head.predict(feats, samples, num_segs=3)[0]
    seen.append(result.pred_score)
    shapes = [product(row['shape']) for row in rows if row['shape']]
    assert [tuple(x.shape) for x in seen] == shapes
    assert names(rows[-2]['what comes out']) == set(losses)
    predicted = names(rows[-1]['what comes out']) - {'data_samples'}
    assert predicted == set(result.keys()) - {'gt_label'}


@pytest.mark.parametrize('name', OTHERS)
@pytest.mark.parametrize('split', ['train', 'test'])
def test_samples_of_other_systems(name, split, data):
    row, sample = OTHERS[name], dataset(name, data, split)[0]
    meta = set(sample['data_samples'].metainfo)
    shape = row[{'train': 'training', 'test': 'testing'}[split]]
    windows = sample['data_samples'].get('num_windows', 1)
    assert tuple(sample['inputs'].shape) == product(shape, windows)
    assert meta & {*TOP} == names(row['meta keys beside those above'])
    boxes = {'gt_instances'} if '-e2e_' in name else {'gt_instances', 'proposals'}
    expected = boxes if name.startswith('slowfast_attn') else {'gt_label'}
    assert set(sample['data_samples'].keys()) == expected


@pytest.mark.parametrize('name', OTHERS)
def test_losses_of_other_systems(name, tiny_data, tmp_path):
    runner = build_runner(shrink(config(name), tiny_data), tmp_path)
    batch = next(iter(runner.train_dataloader))
    losses = runner.model(**runner.model.data_preprocessor(batch, True), mode='loss')
    assert {key for key in losses if 'loss' in key} == names(OTHERS[name]['losses'])
