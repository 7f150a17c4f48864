"""STBTA's configs as they are: places, options, and all else as in the baselines."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from reference.bninception import cadene_shapes
from reference.inception_resnet_v2 import timm_shapes
from reference.inception_v3 import torchvision_shapes
from reference.published import seeded_weights

from mmattn.models.backbones import BNInception
from mmattn.models.layers.clips import tell_num_segments
from mmattn.reports.rows import config_path, load_config, load_rows, rows_of_paper
from mmattn.utils.configs import configs_root

ROOT = configs_root() / 'recognition'
CONFIGS = sorted((ROOT / 'stbta').glob('*.py'))
BASES = {'in1k': 'tsn', 'inception-v1': 'i3d', 'resnext101': 'resnext3d'}
# Table 2; for 3D networks the paper gives no place. Channels and the side of the map.
INCEPTION = [('mixed_5b', 3, 192, 25), ('mixed_7a', 2, 768, 12)]
PLACES = {
    'bninception': [('inception_3c', 2, 320, 28), ('inception_4d', 1, 608, 14)],
    'inception-v3': INCEPTION,
    'inception-resnet-v2': [INCEPTION[0], ('mixed_7a', 2, 1088, 12)],
    'inception-v1': [('Mixed_3c', 2, 256, 28)],
    'resnext101': [('layer4', 1, 1024, 7)],
}
PUBLISHED = {
    'bninception': cadene_shapes,
    'inception-v3': torchvision_shapes,
    'inception-resnet-v2': timm_shapes,
}
RESNEXT = 'stbta_k400-pre-resnext101_8xb8-64x1x1-100e_ucf101-split1-rgb'
GATES = {  # of the rows of table 1
    'baseline + SAM-I': (True, False),
    'baseline + SAM-II': (True, False),
    'baseline + TAM': (False, True),
    'baseline + SAM-I + TAM': (True, True),
    'baseline + SAM-II + TAM': (True, True),
}

configs = pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)


def net_of(path):
    return path.stem.split('-pre-')[1].split('_')[0]


def baseline_of(path):
    folder = next(f for name, f in BASES.items() if name in path.stem)
    tail = path.stem.split('_', 1)[1]
    return Config.fromfile(ROOT / folder / f'{folder}_{tail}.py')


def build(cfg):
    with torch.device('meta'):
        return MODELS.build(cfg.model)


@configs
def test_all_else_is_the_baseline(path):
    ours, baseline = Config.fromfile(path), baseline_of(path)
    assert ours.model.backbone.backbone == baseline.model.backbone
    for cfg in (ours, baseline):
        cfg.model.pop('backbone')
        cfg.model.pop('type')
    assert ours.to_dict() == baseline.to_dict()


@configs
def test_places_and_scores_at_full_size(path):
    """P0.9: as many scores as without the modules."""
    cfg = Config.fromfile(path)
    model = build(cfg)
    attentions = model.backbone.attentions
    expected = PLACES[net_of(path)]
    if 'stbta-one' in path.stem:
        expected = expected[:1]
    places = [entry.before for entry in cfg.model.backbone.attentions]
    found = [
        (place, module.hourglass.t, module.in_channels)
        for place, module in zip(places, attentions, strict=True)
    ]
    assert found == [entry[:3] for entry in expected]
    sides = []
    for module in attentions:
        module.register_forward_hook(lambda *call: sides.append(call[2].shape[-1]))
    (crop,) = {s.crop_size for s in cfg.val_pipeline if s.type == 'CenterCrop'}
    channels = 10 if path.stem.endswith('flow') else 3
    shape = (2, 3, channels, crop, crop)
    if cfg.model.type == 'Recognizer3D':
        shape = (2, 1, 3, 64, crop, crop)
    clips = torch.empty(shape, device='meta')
    scores = model.eval()(clips, mode='tensor', stage='head')
    assert sides == [entry[3] for entry in expected]
    assert scores.shape == (2, baseline_of(path).model.cls_head.num_classes)


@pytest.mark.slow
@pytest.mark.parametrize('net', PUBLISHED)
def test_published_weights_still_load(net, tmp_path):
    """P0.9: a file as published fills the backbone and nothing else."""
    stem = f'stbta_in1k-pre-{net}_8xb8-1x1x3-100e_ucf101-split1-rgb'
    torch.save(seeded_weights(PUBLISHED[net]()), tmp_path / 'published.pth')
    cfg = Config.fromfile(ROOT / 'stbta' / f'{stem}.py')
    cfg.model.backbone.backbone.init_cfg.checkpoint = str(tmp_path / 'published.pth')
    bare = MODELS.build(cfg.model.backbone.backbone)
    random = {name: p.clone() for name, p in bare.named_parameters()}
    bare.init_weights()
    assert not any(torch.equal(p, random[n]) for n, p in bare.named_parameters())
    net = MODELS.build(cfg.model.backbone)
    fresh = {name: x.clone() for name, x in net.attentions.state_dict().items()}
    net.init_weights()
    loaded = net.state_dict()
    for name, x in bare.state_dict().items():
        assert torch.equal(loaded[name], x), name
    for name, x in fresh.items():
        assert torch.equal(loaded[f'attentions.{name}'], x), name


def test_gates_of_table_1():
    rows = [row for row in load_rows() if row.key == 'stbta' and row.table == '1']
    found = {}
    for row in rows:
        cfg = load_config(config_path(row, row.configs[0]), row.options)
        (entry,) = cfg.model.backbone.attentions
        module = MODELS.build(entry.module | dict(in_channels=320))
        sam, tam = module.spatial_attention, module.temporal_attention
        found[row.row] = (sam is not None, tam is not None)
        assert module.channel_attention is None
        assert ('SAM-II' in row.row) == (type(sam).__name__ == 'SpatialAttentionII')
    assert found == GATES


def test_every_row_of_the_paper_is_there():
    figures = {}
    for row in rows_of_paper(load_rows(), 'stbta'):
        table = row.table.removeprefix('stbta ')
        if row.figure is not None:
            figures.setdefault(table, []).append(row.figure)
    assert {table: sorted(found) for table, found in figures.items()} == {
        '1': [84.3, 84.63, 84.71, 85.02, 85.27, 85.66],
        '2': [84.3, 84.88, 85.27, 85.76, 85.93, 86.49, 86.59, 87.95, 88.44],
        '3': [72.5, 73.7],
        '4': [88.7, 89.1],
        '5': [92.72, 93.75, 94.55],
        '6': [71.1, 95.2],
        '7': [
            *(70.2, 71.4, 72.2, 74.8, 75.4, 75.8),
            *(94.5, 95.6, 95.8, 96.0, 96.1, 96.3),
        ],
    }


def test_fine_tune_strategy():
    """By options: Eq. (2) on all layers, also of ResNeXt-101."""
    rows = [
        row
        for row in rows_of_paper(load_rows(), 'stbta')
        if 'fine-tune strategy' in row.row
    ]
    assert len(rows) == 6
    for row in rows:
        cfg = load_config(config_path(row, row.configs[0]), row.options)
        assert cfg.optim_wrapper.constructor == 'mmattn.SineLayerwiseConstructor'
        backbone = cfg.model.backbone.get('backbone', cfg.model.backbone)
        assert backbone.get('frozen_stages', -1) == -1


def test_other_guidelines_of_fine_tuning():
    """Section 4.3: a smaller rate for the whole network, or its first layers frozen."""
    slow, frozen = (r for r in load_rows() if r.table == 'stbta text of section 4.3')
    cfg = load_config(config_path(slow, slow.configs[0]), slow.options)
    plain = load_config(config_path(slow, slow.configs[0]))
    assert cfg.optim_wrapper.optimizer.lr == plain.optim_wrapper.optimizer.lr / 10
    cfg = load_config(config_path(frozen, frozen.configs[0]), frozen.options)
    cfg.model.backbone.pop('init_cfg')
    cfg.model.backbone.base_channels = 4
    backbone = MODELS.build(cfg.model.backbone).train()
    learns = {name: p.requires_grad for name, p in backbone.named_parameters()}
    stages = {name.split('.')[0]: learnt for name, learnt in learns.items()}
    first = list(stages.values()).index(True)
    assert first == 5
    assert all(list(stages.values())[first:])


def test_places_of_figure_2():
    """After 3a with t = 2 and after 4e with t = 1, on maps of 28 and 7 pixels."""
    (row,) = (
        row for row in load_rows() if row.key == 'stbta' and row.table == 'Fig. 2'
    )
    cfg = load_config(config_path(row, row.configs[0]), row.options)
    first, second = cfg.model.backbone.attentions
    stages = list(BNInception.stages)
    after = [stages[stages.index(x.before) - 1] for x in (first, second)]
    assert after == ['inception_3a', 'inception_4e']
    assert [x.module.t for x in (first, second)] == [2, 1]
    cfg.model.backbone.backbone.pop('init_cfg')
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone).eval()
        tell_num_segments(backbone, 3)
        assert backbone(torch.empty(3, 3, 224, 224)).shape == (3, 1024, 7, 7)


def test_rates_of_resnext():
    (row, *_) = (r for r in load_rows() if 'ResNext' in r.row and 'fine' in r.row)
    cfg = load_config(config_path(row, row.configs[0]), row.options)
    cfg.model.backbone.backbone.base_channels = 4
    cfg.model.backbone.backbone.cardinality = 2
    cfg.model.cls_head.in_channels = 128
    cfg.model.backbone.backbone.pop('init_cfg')
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    rate = {p: g['lr'] for g in wrapper.optimizer.param_groups for p in g['params']}
    assert len(rate) == len(list(model.parameters()))
    first, *_, last = (rate[p] for p in model.parameters())
    assert first < 0.03 * last
    assert last == cfg.optim_wrapper.optimizer.lr
    attention = {rate[p] for p in model.backbone.attentions.parameters()}
    layer3 = {rate[p] for p in model.backbone.layer3.parameters()}
    layer4 = {rate[p] for p in model.backbone.layer4.parameters()}
    # The module starts with a normalization, which belongs to the layer before it.
    assert max(layer3) == min(attention) < max(attention) < min(layer4)


def test_only_the_end_of_resnext_and_the_module_learn():
    model = build(Config.fromfile(ROOT / 'stbta' / f'{RESNEXT}.py'))
    learns = {n.split('.')[1] for n, p in model.named_parameters() if p.requires_grad}
    assert learns == {'layer4', 'attentions', 'fc_cls'}
