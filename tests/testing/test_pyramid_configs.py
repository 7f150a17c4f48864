"""The configs of pyramid attention as they are, and tests of videos by them."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from mmattn.reports.rows import config_path, load_config, load_rows
from mmattn.utils.configs import configs_root

FOLDER = configs_root() / 'recognition' / 'pyramid'
CONFIGS = sorted(FOLDER.glob('*.py'))
CHARADES = 'pyramid_in1k-pre-bninception_8xb8-1x1x3-10kiter_charades-rgb'
BN = 'pyramid_in1k-pre-bninception_8xb8-{}_ucf101-split1-{}'
RGB, FLOW = BN.format('1x1x3-10kiter', 'rgb'), BN.format('5x1x3-30kiter', 'flow')
CLASSES = {'ucf101': 101, 'hmdb51': 51, 'charades': 157}
# Scores have one row per position of the top map.
PARAMETERS = {
    'bninception': 7 * 7 * (320 + 608 + 1024 + 3),
    'inception-resnet-v2': 223424,
    'vgg16': 14 * 14 * (256 + 512 + 512 + 3),
}
BATCH = 2
SPLITS = ('train', 'val', 'test')

configs = pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)


def is_flow(path):
    return path.stem.endswith('-flow')


def network(path):
    return path.stem.split('_')[1].removeprefix('in1k-pre-')


def step_of(pipeline, kind):
    (step,) = [step for step in pipeline if step.type == kind]
    return step


def score_shapes(cfg, *counts):
    """Shapes of the scores at full size; meta tensors have no values."""
    side = step_of(cfg.val_pipeline, 'CenterCrop').crop_size
    channels = cfg.model.backbone.get('in_channels', 3)
    with torch.device('meta'):
        model = MODELS.build(cfg.model).eval()
        shapes = [
            model(torch.empty(1, K, channels, side, side), stage='head').shape
            for K in counts
        ]
    return model, shapes


def test_every_system_is_there():
    names = {(network(path), path.stem.split('_')[3]) for path in CONFIGS}
    wanted = {('bninception', 'charades-rgb')}
    for net in PARAMETERS:
        for data in ('ucf101-split1', 'hmdb51-split1'):
            wanted |= {(net, f'{data}-{modality}') for modality in ('rgb', 'flow')}
    assert names == wanted
    assert len(CONFIGS) == len(wanted)


@configs
def test_full_size_with_any_number_of_frames(path):
    cfg = Config.fromfile(path)
    model, shapes = score_shapes(cfg, 1, 3)
    classes = CLASSES[path.stem.split('_')[3].split('-')[0]]
    assert shapes == [(1, classes)] * 2
    count = sum(p.numel() for p in model.reduction.parameters())
    assert count == PARAMETERS[network(path)]
    for split in SPLITS:
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.num_classes == classes
        assert dataset.pipeline == cfg[f'{split}_pipeline']


def models_of_rows():
    """Every model that a row asks for; rows of flow have the same options."""
    found = {}
    for row in load_rows():
        if row.key == 'pyramid' and len(row.configs) == 1:
            (config,), options = row.configs, row.options
            if 'rgb' in config and any(o.startswith('model.') for o in options):
                found.setdefault((config, options), row)
    return [pytest.param(row, id=f'{row.table}-{row.row}') for row in found.values()]


@pytest.mark.parametrize('row', models_of_rows())
def test_options_of_rows_fit_the_full_size(row):
    cfg = load_config(config_path(row, row.configs[0]), row.options)
    model, (shape,) = score_shapes(cfg, 2)
    assert shape == (1, cfg.model.cls_head.num_classes)
    assert model.taps == tuple(cfg.model.reduction.taps)


@configs
def test_network_and_input_are_those_without_attention(path):
    """A gain of attention is the difference to a config of configs/recognition/tsn."""
    data = (
        'ucf101' if 'charades' in path.stem else path.stem.split('_')[3].split('-')[0]
    )
    modality = 'flow' if is_flow(path) else 'rgb'
    pattern = f'tsn_in1k-pre-{network(path)}_*_{data}-split1-{modality}.py'
    (plain,) = (configs_root() / 'recognition' / 'tsn').glob(pattern)
    ours, theirs = Config.fromfile(path).model, Config.fromfile(plain).model
    assert ours.backbone == theirs.backbone
    assert ours.data_preprocessor == theirs.data_preprocessor


def test_charades_has_any_number_of_labels():
    cfg = Config.fromfile(FOLDER / f'{CHARADES}.py')
    assert cfg.model.cls_head.type == 'mmattn.MultiLabelTSNHead'
    for split in SPLITS:
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.multi_class
        assert dataset.allow_unlabeled
    assert cfg.test_evaluator.type == 'mmattn.CharadesMetric'
    assert cfg.default_hooks.checkpoint.save_best == 'charades/mAP'


def scores(model, inputs, samples):
    with torch.no_grad():
        found = model(inputs, samples, mode='predict')
    return torch.stack([sample.pred_score for sample in found])


@pytest.mark.parametrize('stem', [RGB, FLOW])
@pytest.mark.parametrize('crops', ['TenCrop', 'ThreeCrop'])
@pytest.mark.parametrize('fcn_test', [False, True])
def test_crops_are_views_of_their_own(shrunk, stem, crops, fcn_test):
    """The score of a video is the mean over its crops, each aggregated alone."""
    cfg = shrunk(stem)
    pipeline = cfg.test_dataloader.dataset.pipeline
    if crops == 'ThreeCrop':  # along the longer side, of the whole shorter one
        (step,) = [step for step in pipeline if 'Crop' in step.type]
        step.type = crops
        step_of(pipeline, 'Resize').scale = (-1, step.crop_size)
    cfg.test_dataloader.batch_size = BATCH
    cfg.model.test_cfg = dict(fcn_test=fcn_test)
    model = MODELS.build(cfg.model).eval()
    batch = next(iter(Runner.build_dataloader(cfg.test_dataloader)))
    data = model.data_preprocessor(batch, training=False)
    inputs, samples = data['inputs'], data['data_samples']
    K = samples[0].num_clips
    views = inputs.unflatten(1, (-1, K))  # (B, crops, K, C, H, W)
    assert views.shape[:2] == (BATCH, 10 if crops == 'TenCrop' else 3)
    each = [scores(model, view, samples) for view in views.unbind(1)]
    got = scores(model, inputs, samples)
    torch.testing.assert_close(got, torch.stack(each).mean(dim=0))
    mixed = model(inputs, mode='tensor', stage='head').softmax(dim=1)
    assert (mixed - got).abs().max() > 1e-6


@pytest.mark.parametrize('K', [25, 100])
def test_many_frames_in_chunks(shrunk, K):
    model = MODELS.build(shrunk(RGB).model).eval().double()
    rows = []
    model.backbone.conv1.register_forward_hook(lambda m, x, y: rows.append(len(y)))
    kept = set()
    model.reduction.register_forward_pre_hook(
        lambda _, args: kept.update(x.shape[2:] for x in args[0])
    )
    video = torch.randn(1, K, 3, 32, 32).double()

    def logits(chunk):
        model.chunk_frames = chunk
        with torch.no_grad():
            return model(video, mode='tensor', stage='head')

    whole = logits(K)
    assert rows == [K]
    for chunk in (7, 24):
        rows.clear()
        got = logits(chunk)
        assert (max(rows), sum(rows)) == (chunk, K)
        torch.testing.assert_close(got, whole, rtol=1e-9, atol=1e-12)
    assert whole.std() > 1e-6
    assert kept == {model.reduction.attention.top_size}  # not the large lower maps
