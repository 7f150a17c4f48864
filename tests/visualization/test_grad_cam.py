"""Class activation maps: their values, what stays as it was, and refusals."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import GradCAM
from reference.grad_cam import maps_of_linear_head
from small_systems import SLOW_ONLY
from torch.nn import functional as F

from mmattn.visualization.class_weightings import WEIGHTINGS, class_maps
from mmattn.visualization.grad_cam import find_layer, grad_cam, layer_names


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


def net_sigmoid(num_classes, **head):
    head = dict(type='mmattn.MultiLabelTSNHead', in_channels=512, init_std=1) | head
    model = dict(
        type='Recognizer2D',
        backbone=dict(type='ResNet', depth=18),
        cls_head=head | dict(num_classes=num_classes),
    )
    model = MODELS.build(model).eval()
    model.cls_head.init_weights()
    return model


def batch(*shape):
    sample = ActionDataSample()
    sample.set_gt_label(2)
    return dict(inputs=[torch.rand(shape) * 255], data_samples=[sample])


@pytest.mark.parametrize('num_classes', [1, 5])
@pytest.mark.parametrize('average_clips', ['prob', 'score'])
def test_sigmoid_heads(num_classes, average_clips):
    """The logit is explained; its sigmoid is the probability."""
    model = net_sigmoid(num_classes, average_clips=average_clips)
    data = batch(7, 3, 64, 96)
    with torch.no_grad():
        features = model.backbone(data['inputs'][0])
        logits = model.cls_head(features, num_segs=7)[0]
    k = num_classes - 1
    found = grad_cam(model, data, class_index=k)
    torch.testing.assert_close(found.scores, logits)
    assert found.prob == pytest.approx(logits[k].sigmoid().item())
    weights = model.cls_head.fc_cls.weight[k].detach()
    expected = maps_of_linear_head(features.numpy(), weights.numpy(), 7)
    torch.testing.assert_close(
        found.maps[:, 0], torch.from_numpy(expected).float(), rtol=1e-4, atol=1e-6
    )
    assert grad_cam(model, data).class_index == int(logits.argmax())
    # The head is as it was.
    assert model.cls_head.average_clips == average_clips
    with torch.no_grad():
        (sample,) = model.test_step(data)
    torch.testing.assert_close(sample.pred_score, logits.sigmoid())


def test_softmax_is_the_probability():
    found = grad_cam(net_2d(), batch(2, 3, 64, 64), class_index=3)
    assert found.prob == pytest.approx(found.scores.softmax(0)[3].item())


def test_two_streams_are_refused(two_streams):
    two = MODELS.build(two_streams)
    message = r'a recognizer of one stream.*got TwoStreamRecognizer; of two'
    with pytest.raises(ValueError, match=message):
        grad_cam(two.eval(), batch(2, 3, 64, 64))
    detector = torch.nn.Module()
    detector.backbone = torch.nn.Identity()
    with pytest.raises(ValueError, match=r'expected a detector, .* got Module; of two'):
        find_layer(detector, 'backbone')


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
    from mmattn.inference.models import load_model

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


def by_definition(method, A, g):
    """Maps of one frame (C, h, w) in float64, loop by loop."""
    C, h, w = A.shape
    total = torch.zeros(h, w, dtype=torch.float64)
    for k in range(C):
        for i in range(h):
            for j in range(w):
                if method == 'layer_cam':
                    total[i, j] += max(g[k, i, j], 0) * A[k, i, j]
                    continue
                weight = 0.0
                for a in range(h):
                    for b in range(w):
                        d = g[k, a, b]
                        below = 2 * d**2 + A[k].sum() * d**3
                        weight += d**2 / below * max(d, 0)
                total[i, j] += weight * A[k, i, j]
    return total.clamp(min=0)


@pytest.mark.parametrize('method', ['grad_cam_plus', 'layer_cam'])
def test_other_weightings_by_definition(method):
    A = torch.rand(2, 3, 2, 5, 4, dtype=torch.float64)
    g = torch.randn(2, 3, 2, 5, 4, dtype=torch.float64)
    found = WEIGHTINGS[method](A, g)
    assert found.shape == (2, 2, 5, 4)
    for n in range(2):
        for t in range(2):
            expected = by_definition(method, A[n, :, t], g[n, :, t])
            torch.testing.assert_close(found[n, t], expected)
    assert not WEIGHTINGS[method](A, torch.zeros_like(g)).any()
    one = WEIGHTINGS[method](A[:, :, 0], g[:, :, 0])  # frames one by one
    torch.testing.assert_close(one[:, 0], found[:, 0])


@pytest.mark.parametrize(
    'net, shape', [(net_2d, (3, 3, 32, 40)), (net_3d, (1, 3, 4, 32, 40))]
)
def test_gradient_of_the_frames(net, shape):
    """Against differences of the score; a frame's gradient is its own."""
    model, data = net(), batch(*shape)
    model.backbone.double()
    model.cls_head.double()
    model.backbone.register_forward_pre_hook(lambda _, x: (x[0].double(), *x[1:]))
    data['inputs'][0] = data['inputs'][0] / 255
    found = grad_cam(model, data, class_index=2, method='gradient')
    spatial = shape[-2:]
    assert found.maps.shape == (
        (3, 1, *spatial) if len(shape) == 4 else (1, 4, *spatial)
    )
    y, x = divmod(int(found.maps[0, 0].argmax()), spatial[1])
    size, step = 0.0, 1e-3
    for channel in range(3):
        moved = []
        for sign in (1, -1):
            clip = data['inputs'][0].clone()
            if len(shape) == 4:
                clip[0, channel, y, x] += sign * step
            else:
                clip[0, channel, 0, y, x] += sign * step
            changed = dict(inputs=[clip], data_samples=data['data_samples'])
            moved.append(grad_cam(model, changed, class_index=2).scores[2])
        size += abs(moved[0] - moved[1]) / (2 * step)
    assert found.maps[0, 0, y, x].item() == pytest.approx(size.item(), rel=1e-2)


def test_unknown_method():
    with pytest.raises(ValueError, match=r"method: expected one of .* got 'lime'"):
        grad_cam(net_2d(), batch(2, 3, 64, 64), method='lime')
