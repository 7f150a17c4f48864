"""Class activation maps: their values, what stays as it was, and refusals."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import GradCAM
from reference.grad_cam import maps_of_linear_head
from torch.nn import functional as F

from mmattn.visualization.grad_cam import class_maps, find_layer, grad_cam, layer_names

SLOW_ONLY = dict(
    type='ResNet3dSlowOnly',
    depth=18,
    pretrained=None,
    base_channels=4,
    conv1_kernel=(1, 7, 7),
    inflate=(0, 0, 1, 1),
)


def net_2d(channels=3, **backbone):
    backbone = {'type': 'ResNet', 'depth': 18, 'in_channels': channels, **backbone}
    head = dict(type='TSNHead', num_classes=5, in_channels=512)
    model = dict(type='Recognizer2D', backbone=backbone, cls_head=head)
    return MODELS.build(model).eval()


def net_3d():
    head = dict(type='I3DHead', num_classes=5, in_channels=32)
    model = dict(type='Recognizer3D', backbone=SLOW_ONLY, cls_head=head)
    model['data_preprocessor'] = dict(
        type='ActionDataPreprocessor', format_shape='NCTHW'
    )
    return MODELS.build(model).eval()


def batch(*shape):
    sample = ActionDataSample()
    sample.set_gt_label(2)
    return dict(inputs=[torch.rand(shape) * 255], data_samples=[sample])


def test_closed_form():
    """Of a linear head over global average pooling."""
    model = net_2d()
    data = batch(7, 3, 64, 96)
    with torch.no_grad():
        features = model.backbone(data['inputs'][0])
    brightest = []
    for class_index in range(5):
        found = grad_cam(model, data, class_index=class_index)
        weights = model.cls_head.fc_cls.weight[class_index].detach()
        expected = maps_of_linear_head(features.numpy(), weights.numpy(), 7)
        torch.testing.assert_close(
            found.maps[:, 0], torch.from_numpy(expected).float(), rtol=1e-4, atol=1e-8
        )
        assert found.class_index == class_index
        brightest.append(found.maps.max())
    assert max(brightest) > 1e-3


def test_gradients_are_averaged_over_the_places_of_a_frame():
    features, grads = torch.rand(2, 3, 2, 5, 7), torch.randn(2, 3, 2, 5, 7)
    found = class_maps(features, grads)
    for n in range(2):
        for t in range(2):
            expected = sum(grads[n, c, t].mean() * features[n, c, t] for c in range(3))
            torch.testing.assert_close(found[n, t], expected.clamp(min=0))


@pytest.mark.parametrize(
    'net, shape, layer',
    [(net_2d, (5, 3, 64, 64), 'layer3'), (net_3d, (2, 3, 4, 64, 64), 'layer3')],
    ids=['2d', '3d'],
)
@pytest.mark.filterwarnings('ignore:Using a non-full backward hook')
def test_agrees_with_the_host(net, shape, layer):
    model, data = net(), batch(*shape)
    found = grad_cam(model, data, layer=layer)
    host = GradCAM(model, f'backbone/{layer}')
    expected, _ = host._calculate_localization_map(data, use_labels=False)
    if len(shape) == 4:
        maps = found.maps[None, :, 0]  # (1, T, h, w)
        size = (shape[0], *shape[2:])
    else:
        maps, size = found.maps, shape[2:]
    maps = F.interpolate(maps[:, None], size, mode='trilinear')[:, 0]
    low = maps.flatten(1).min(1).values[:, None, None, None]
    high = maps.flatten(1).max(1).values[:, None, None, None]
    torch.testing.assert_close((maps - low) / (high - low), expected)
    assert expected.std() > 0.05


def test_explains_the_predicted_class():
    model, data = net_2d(), batch(3, 3, 64, 64)
    predicted = int(model.test_step(data)[0].pred_label)
    found = grad_cam(model, data)
    assert found.class_index == predicted == int(found.scores.argmax())
    other = grad_cam(model, data, class_index=(predicted + 1) % 5)
    assert not torch.equal(found.maps, other.maps)
    scores = model.extract_feat(data['inputs'][0][None], 'head', test_mode=True)
    torch.testing.assert_close(found.scores, scores[0][0])


def test_model_stays_as_it_was():
    model, data = net_2d(frozen_stages=1), batch(3, 3, 64, 64)
    model.train()
    model.eval()
    kept = {name: x.clone() for name, x in model.state_dict().items()}
    free = [name for name, p in model.named_parameters() if p.requires_grad]
    clips, hooks = model.cls_head.average_clips, len(model.backbone._forward_hooks)
    before = model.test_step(data)[0].pred_score
    grad_cam(model, data, layer='conv1')
    assert [name for name, p in model.named_parameters() if p.requires_grad] == free
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(x, kept[name]) for name, x in model.state_dict().items())
    assert (model.cls_head.average_clips, len(model.backbone._forward_hooks)) == (
        clips,
        hooks,
    )
    assert torch.equal(model.test_step(data)[0].pred_score, before)


def test_frozen_backbone_of_a_recognizer_of_frames(shrunk):
    from mmattn.apis.attention import load_model

    name = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
    cfg = shrunk(name)
    cfg.model.freeze_backbone = True
    cfg.model.backbone.out = 'pool5'
    cfg.model.cls_head.in_channels = 32
    model = load_model(cfg, None)
    found = grad_cam(model, batch(6, 3, 64, 64), layer='conv4')
    assert found.maps.shape == (6, 1, 8, 8)
    assert found.maps.max() > 0
    assert model.freeze_backbone


def test_layers():
    model = net_2d()
    assert find_layer(model, 'layer4') is model.backbone.layer4
    assert find_layer(model, 'backbone.layer4.0') is model.backbone.layer4[0]
    assert layer_names(model) == [
        'conv1', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4', 'backbone'
    ]  # fmt: skip
    vgg = dict(type='mmattn.VGG', base_channels=4, out='pool5')
    head = dict(type='TSNHead', num_classes=5, in_channels=32)
    ours = MODELS.build(dict(type='Recognizer2D', backbone=vgg, cls_head=head))
    assert find_layer(ours, 'conv5') is ours.backbone.stage_layers('conv5')[-1]
    assert grad_cam(ours.eval(), batch(2, 3, 64, 64), layer='conv5').maps.shape == (
        2,
        1,
        4,
        4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(layer='layer9'), r'layer: expected .* layer4, backbone, got .layer9'),
        (dict(layer='cls_head.fc_cls'), r'layer: expected one that gives feature maps'),
        (dict(layer='cls_head.loss_cls'), 'layer: expected one that runs'),
        (dict(class_index=5), 'class_index: expected 0 to 4, got 5'),
        (dict(class_index=-1), 'class_index: expected 0 to 4, got -1'),
    ],
)
def test_refusals(options, message):
    model = net_2d()
    with pytest.raises(ValueError, match=message):
        grad_cam(model, batch(2, 3, 64, 64), **options)
    assert not model.backbone._forward_hooks
    assert all(p.requires_grad for p in model.parameters())


def test_layer_before_a_change_in_place():
    """The ReLU behind it must not change the maps that are weighted."""
    model, data = net_2d(), batch(2, 3, 64, 64)
    assert model.backbone.layer4[0].relu.inplace
    found = grad_cam(model, data, layer='layer4.0.conv1.bn')
    assert found.maps.shape == (2, 1, 2, 2)
