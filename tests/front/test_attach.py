"""Attention in networks of MMAction2's zoo, by one command."""

import pytest
import torch
from mmengine.config import Config

from mmattn.front.attach import CATALOGUE, attach, published_weights, write_config
from mmattn.front.catalogue import catalogue_text, module_cost
from mmattn.inference.models import load_model
from mmattn.utils.configs import find_config

# Families, a place in each, and the shape of a small input of one video.
TSN = 'tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb'
SLOW_ONLY = 'slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb'
ZOO = {
    TSN: ('se', 'layer3', (3, 3, 64, 64)),
    'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb': (
        'stbta',
        'layer3',
        (8, 3, 64, 64),
    ),
    SLOW_ONLY: ('gcnet', 'layer3', (1, 3, 4, 64, 64)),
    'slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb': (
        'non_local',
        'slow_path.layer3',
        (1, 3, 32, 64, 64),
    ),
    'x3d_s_13x6x1_facebook-kinetics400-rgb': ('eca', 'layer3', (1, 3, 4, 64, 64)),
    'c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb': (
        'cbam',
        'layer3',
        (1, 3, 8, 64, 64),
    ),
}


def scores(network, inputs):
    from mmaction.structures import ActionDataSample

    sample = ActionDataSample(
        metainfo=dict(num_clips=inputs.shape[1], frame_indices=range(inputs.shape[1]))
    )
    with torch.no_grad():
        (found,) = network(inputs, [sample.set_gt_label(1)], mode='predict')
    return found.pred_score


@pytest.mark.slow
@pytest.mark.parametrize('stem', ZOO)
def test_the_first_output_is_that_of_the_bare_network_and_it_learns(stem, tmp_path):
    name, place, shape = ZOO[stem]
    bare = load_model(stem)
    path = write_config(attach(stem, name, place), tmp_path / 'mine.py', 'test')
    network = load_model(path)
    weights = bare.state_dict()
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(key.startswith('backbone.attentions.') for key in missing)
    torch.manual_seed(0)
    inputs = torch.randn(1, *shape)
    assert torch.equal(scores(network, inputs), scores(bare, inputs))

    from mmaction.structures import ActionDataSample

    metainfo = dict(num_clips=inputs.shape[1], frame_indices=range(inputs.shape[1]))
    sample = ActionDataSample(metainfo=metainfo).set_gt_label(1)
    network.train()
    loss = network(inputs, [sample], mode='loss')['loss_cls']
    loss.backward()
    fresh = dict(network.backbone.attentions.named_parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in fresh.values())
    before = {key: p.detach().clone() for key, p in fresh.items()}
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    assert any(not torch.equal(before[key], p) for key, p in fresh.items())


def test_what_the_config_says():
    cfg = attach(TSN, 'stbta', 'layer3', num_classes=7)
    assert cfg.model.type == 'mmattn.SegmentRecognizer'  # which says what a clip is
    assert cfg.model.backbone.attentions[0]['before'] == 'layer3'
    assert cfg.model.cls_head.num_classes == 7
    assert cfg.load_from.startswith('https://download.openmmlab.com/mmaction/')
    assert cfg.load_from == published_weights(find_config(TSN))
    for part in ('train', 'val', 'test'):
        steps = cfg[f'{part}_dataloader'].dataset.pipeline
        assert steps[-1].type == 'mmattn.PackClipInputs'
    assert 'mmattn' in cfg.custom_imports.imports
    assert attach(TSN, 'se', 'layer3', weights='none').load_from is None
    assert attach(TSN, 'se', 'layer3', when='after').model.backbone.attentions[0][
        'after'
    ]


def test_modules_of_frames_see_frames_of_clips_one_by_one():
    (entry,) = attach(SLOW_ONLY, 'gcnet', 'layer3').model.backbone.attentions
    assert entry['module']['per_frame']
    (entry,) = attach(SLOW_ONLY, 'non_local', 'layer3').model.backbone.attentions
    assert entry['module']['type'] == 'mmcv.cnn.NonLocal3d'


@pytest.mark.parametrize(
    'name, place, match',
    [
        ('pyramid', 'layer3', 'got pyramid, which makes one map of several stages'),
        ('glue', 'layer3', 'expected one of stbta, .*, non_local, got .glue.'),
        ('se', 'layer9', r"place: expected one of \['conv1'.*got 'layer9'"),
    ],
)
def test_refusals(name, place, match):
    with pytest.raises(ValueError, match=match):
        attach(TSN, name, place)


RECOGNIZER = """
model = dict(
    type='Recognizer3D',
    backbone={},
    cls_head=dict(type='{}', num_classes=5, in_channels=24),
    data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'))
test_pipeline = [dict(type='PackActionInputs')]
"""
TRANSFORMERS = dict(
    vit=(
        dict(
            type='VisionTransformer',
            img_size=48,
            patch_size=16,
            embed_dims=24,
            depth=2,
            num_heads=2,
            num_frames=4,
        ),
        'TimeSformerHead',
        'blocks.1',
        (2, 3, 3),
    ),
    timesformer=(
        dict(
            type='TimeSformer',
            num_frames=2,
            img_size=48,
            patch_size=16,
            embed_dims=24,
            num_heads=2,
            num_transformer_layers=2,
        ),
        'TimeSformerHead',
        'transformer_layers.layers.1',
        (2, 3, 3),
    ),
    mvit=(
        dict(
            type='MViT',
            arch=dict(embed_dims=12, num_layers=3, num_heads=1, downscale_indices=[1]),
            spatial_size=56,
            temporal_size=8,
            out_scales=[1],
        ),
        'MViTHead',
        'blocks.2',
        (4, 7, 7),
    ),
)


@pytest.fixture
def transformer(tmp_path):
    def write(name):
        backbone, head, place, grid = TRANSFORMERS[name]
        path = tmp_path / f'{name}.py'
        path.write_text(RECOGNIZER.format(backbone, head))
        return path, place, grid

    return write


@pytest.mark.parametrize('name', TRANSFORMERS)
@pytest.mark.parametrize('attention', ['se', 'stbta', 'non_local'])
def test_tokens_become_maps_and_tokens_again(transformer, name, attention, tmp_path):
    path, place, grid = transformer(name)
    cfg = attach(path, attention, place)
    entry = cfg.model.backbone.attentions[0].module
    assert (entry.type, tuple(entry.grid)) == ('mmattn.TokenAttention', grid)
    bare = load_model(path, untrained=True)
    network = load_model(cfg)
    network.load_state_dict(bare.state_dict(), strict=False)
    inputs = torch.randn(1, 1, *cfg.model.backbone.input_shape)
    seen = []
    for module in (
        network.backbone.attentions[0],
        network.backbone.attentions[0].module,
    ):
        module.register_forward_hook(lambda _, given, out: seen.append((*given, out)))
    # Products of the same numbers in another layout may be rounded otherwise.
    torch.testing.assert_close(scores(network, inputs), scores(bare, inputs))
    (maps, _), (tokens, same) = seen
    assert maps.shape[2:] == grid
    assert torch.equal(tokens, same)


def test_where_tokens_cannot_be_maps(transformer):
    path, _, _ = transformer('vit')
    with pytest.raises(ValueError, match=r'attention goes before a block'):
        attach(path, 'se', 'blocks.1', when='after')
    with pytest.raises(ValueError, match=r'attention goes before a block'):
        attach(path, 'se', 'blocks.1.mlp')
    path, _, _ = transformer('mvit')
    with pytest.raises(ValueError, match=r"after 'blocks.1': expected one map"):
        attach(path, 'se', 'blocks.1', when='after')


def test_more_refusals(tmp_path):
    with pytest.raises(ValueError, match='--classes: expected 2 or more, got 1'):
        attach(TSN, 'se', 'layer3', num_classes=1)
    with pytest.raises(ValueError, match=r'--out: expected a name ending in \.py'):
        write_config(Config(), tmp_path / 'a.txt', '')
    path = write_config(attach(TSN, 'se', 'layer3'), tmp_path / 'a.py', '')
    with pytest.raises(ValueError, match='expected a model with a backbone without'):
        attach(path, 'se', 'layer3')


def test_costs_are_counted_by_hand():
    assert module_cost('se', CATALOGUE['se']).parameters == 256 * 32 + 16 + 256
    assert module_cost('cbam', CATALOGUE['cbam']).parameters == 256 * 32 + 2 * 49
    eca = module_cost('eca', CATALOGUE['eca'])
    assert eca == (5, 5 * 256 * 8)  # a kernel of 5 at each channel of each frame
    text = catalogue_text()
    assert all(f'\n  {name} ' in text for name in CATALOGUE)
