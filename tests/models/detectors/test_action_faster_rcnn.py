"""Faster R-CNN on clips: what each part sees, learns and hands on."""

import math

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmattn.registry import MODELS
from mmattn.utils.configs import configs_root

pytestmark = pytest.mark.det
C, T, K = 5, 3, 4  # channels, frames of the features; background and three actions
SIZE = (48, 80)  # height and width of the frames
STRIDE = 16
BOXES = [[8.0, 8, 40, 40], [40, 10, 72, 42]]
LABELS = [[0.0, 1, 0, 1], [0, 0, 1, 0]]


def make(**options):
    """Build the model of the base config; the features are means of 16 x 16 pixels."""
    import mmaction.models  # noqa: F401  (registers the host's RoI heads)

    path = configs_root() / '_base_' / 'models' / 'slowfast_attn_e2e_i3d_r50.py'
    cfg = Config.fromfile(path)
    cfg.merge_from_dict({f'model.{key}': value for key, value in options.items()})
    model = cfg.model
    model.pop('init_cfg')
    model.backbone = dict(type='mmattn.StoredFeatures')
    model.data_preprocessor = None
    model.rpn_head.update(in_channels=C, feat_channels=7)
    model.rpn_head.anchor_generator.scales = [2]
    model.roi_head.bbox_roi_extractor.output_size = 3
    model.roi_head.shared_head.in_channels = C
    model.roi_head.bbox_head.update(in_channels=4 * C, num_classes=K, topk=())
    detector = MODELS.build(model)
    detector.backbone = torch.nn.AvgPool3d((1, STRIDE, STRIDE))
    detector.init_weights()
    return detector.eval()


def clips(num_videos, seed=0):
    shape = num_videos, C, T, SIZE[0] // STRIDE, SIZE[1] // STRIDE
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.repeat_interleave(STRIDE, dim=3).repeat_interleave(STRIDE, dim=4)


def sample(boxes=BOXES, labels=LABELS):
    one = ActionDataSample(metainfo=dict(img_shape=SIZE))
    one.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.tensor(labels).reshape(-1, K),
    )
    return one


def losses_of(detector, x, samples):
    torch.manual_seed(0)  # samplers draw
    return detector(x, samples, mode='loss')


def with_even_proposals(detector):
    """Let every anchor have the score 0.5 and stay where it is."""
    for layer in (detector.rpn_head.rpn_cls, detector.rpn_head.rpn_reg):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return detector


def test_key_frames():
    from mmattn.models.detectors.action_faster_rcnn import key_frames

    one, two = torch.randn(2, 3, 5, 7, 11), torch.randn(2, 13, 4, 7, 11)
    (key,) = key_frames(one)
    assert torch.equal(key, one[:, :, 2])
    (key,) = key_frames((one, two))
    assert torch.equal(key[:, :3], one[:, :, 2])
    assert torch.equal(key[:, 3:], two[:, :, 2])


def test_names_and_closed_form_of_the_losses():
    """All anchors at 0.5: binary cross entropy ln 2, whatever is sampled."""
    losses = losses_of(with_even_proposals(make()), clips(2), [sample(), sample()])
    names = {name for name in losses if 'loss' in name}
    assert names == {
        *('loss_rpn_cls', 'loss_rpn_bbox'),
        *('loss_action_cls', 'loss_action_bbox'),
    }
    (rpn_cls,) = losses['loss_rpn_cls']
    assert rpn_cls.item() == pytest.approx(math.log(2), rel=1e-5)


def test_box_loss_of_proposals_by_hand():
    """A truth 8 pixels right of an anchor of 32: a quarter of its width."""
    detector = with_even_proposals(make(**{'rpn_head.anchor_generator.ratios': [1.0]}))
    one = sample([[24.0, 0, 56, 32]], LABELS[:1])
    losses = losses_of(detector, clips(1), [one])
    # Two anchors, 8 pixels left and right, share the largest IoU and are positive;
    # of the 15 anchors those with an IoU below 0.3 are negative.
    shift = torch.tensor([16.0 * k - 40 for k in range(5)])
    drop = torch.tensor([16.0 * k - 16 for k in range(3)])
    both = (32 - shift.abs()).clamp(min=0) * (32 - drop.abs()).clamp(min=0)[:, None]
    negatives = (both / (2 * 32 * 32 - both) < 0.3).sum().item()
    (rpn_bbox,) = losses['loss_rpn_bbox']
    assert rpn_bbox.item() == pytest.approx(2 * 0.25 / (2 + negatives), rel=1e-4)


def test_proposals_see_the_key_frame_and_actions_all_frames():
    detector = make()
    x, other = clips(1), clips(1, seed=1)
    other[:, :, 1] = x[:, :, 1]
    one, two = (losses_of(detector, y, [sample()]) for y in (x, other))
    assert torch.equal(one['loss_rpn_cls'][0], two['loss_rpn_cls'][0])
    assert one['loss_action_cls'] != two['loss_action_cls']
    other[:, :, 1] += 1
    three = losses_of(detector, other, [sample()])
    assert one['loss_rpn_cls'][0] != three['loss_rpn_cls'][0]


def test_proposals_do_not_depend_on_the_actions():
    detector = make()
    x = clips(1)
    losses = [
        losses_of(detector, x, [sample(labels=labels)])
        for labels in (LABELS, [[0.0, 0, 0, 1], [0, 1, 1, 1]])
    ]
    assert torch.equal(losses[0]['loss_rpn_cls'][0], losses[1]['loss_rpn_cls'][0])
    assert losses[0]['loss_action_cls'] != losses[1]['loss_action_cls']


def test_proposals_reach_the_roi_head():
    """Anchors that stay where they are come out, and those of the data do not."""
    options = {
        'rpn_head.anchor_generator.ratios': [1.0],
        'test_cfg.rpn.max_per_img': 3,
        'test_cfg.rpn.nms.iou_threshold': 1.0,
    }
    detector = with_even_proposals(make(**options))
    detector.rpn_head.rpn_cls.weight.data[:] = 0.1  # the order of the proposals
    torch.nn.init.zeros_(detector.roi_head.bbox_head.fc_reg.weight)
    one = sample()
    one.proposals = InstanceData(bboxes=torch.tensor([[1.0, 2, 3, 4]]))
    x = clips(1)
    (result,) = detector(x, [one], mode='predict')
    limits = torch.tensor([80.0, 48, 80, 48])
    boxes = result.pred_instances.bboxes * limits
    key = detector.backbone(x)[:, :, 1]
    scores = detector.rpn_head((key,))[0][0][0, 0]  # (3, 5)
    best = scores.flatten().argsort(descending=True)[:3]
    centers = 16.0 * torch.stack([best % 5, best // 5], dim=1)
    anchors = torch.cat([centers - 16, centers + 16], dim=1)
    torch.testing.assert_close(boxes, anchors.clamp(min=0).minimum(limits))
    assert result.pred_instances.scores.shape == (3, K)


def test_batches_at_test():
    detector, x = make(), clips(3)
    together = detector(x, [sample() for _ in range(3)], mode='predict')
    for k in range(3):
        (alone,) = detector(x[k : k + 1], [sample()], mode='predict')
        one, other = alone.pred_instances, together[k].pred_instances
        assert len(one) > 1
        torch.testing.assert_close(one.bboxes, other.bboxes)
        torch.testing.assert_close(one.scores, other.scores)


@pytest.mark.parametrize('others', [[], [sample()]], ids=['alone', 'in a batch'])
def test_clip_without_persons(others):
    detector = make()
    samples = [sample([], []), *others]
    losses = losses_of(detector, clips(len(samples)), samples)
    assert detector.parse_losses(losses)[0].isfinite()
    assert losses['loss_rpn_cls'][0] > 0
    assert losses['loss_action_cls'] > 0  # background trains
    if not others:
        assert losses['loss_rpn_bbox'][0] == 0
        assert losses['loss_action_bbox'] == 0
        (result,) = detector(clips(1), samples, mode='predict')
        assert len(result.pred_instances) > 0


def test_regions_without_persons_are_background():
    detector = make()
    head = detector.roi_head.bbox_head
    torch.nn.init.zeros_(head.fc_cls.weight)
    head.fc_cls.bias.data = torch.tensor([20.0, -20, -20, -20])
    losses = losses_of(detector, clips(1), [sample([], [])])
    assert losses['loss_action_cls'] < 1e-6
    losses = losses_of(detector, clips(1), [sample()])
    assert losses['loss_action_cls'] > 0.1


def test_all_parts_learn_together():
    detector = make().train()
    x = clips(2).requires_grad_()
    losses = losses_of(detector, x, [sample(), sample()])
    proposals = losses['loss_rpn_cls'][0] + losses['loss_rpn_bbox'][0]
    (grad,) = torch.autograd.grad(proposals, x, retain_graph=True)
    assert grad[:, :, 1].abs().max() > 0
    assert grad[:, :, [0, 2]].abs().max() == 0
    actions = losses['loss_action_cls'] + losses['loss_action_bbox']
    (proposals + actions).backward()
    assert x.grad[:, :, 0].abs().max() > 0
    for name, weight in detector.rpn_head.named_parameters():
        assert weight.grad.abs().max() > 0, name
    assert detector.roi_head.bbox_head.fc_cls.weight.grad.abs().max() > 0


def test_truth_stays_as_it_is():
    one = sample()
    losses_of(make(), clips(1), [one])
    assert one.gt_instances.bboxes.tolist() == BOXES
    assert one.gt_instances.labels.tolist() == LABELS
    assert set(one.metainfo) == {'img_shape'}
