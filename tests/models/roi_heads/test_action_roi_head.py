"""RoI head with box regression: targets, losses and predictions."""

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from small_systems import EXTRACTOR, REGIONS

from mmattn.registry import MODELS

pytestmark = pytest.mark.det
C, K = 5, 4  # channels; background and three actions
SIZE = (64, 96)  # height, width
BOXES = [[8.0, 8, 40, 56], [50, 10, 90, 60]]
FAR = [0.0, 0, 6, 6]


def make(test_cfg=None, shared=None, **options):
    import mmaction.models  # noqa: F401  (registers the host's RoI heads)

    head = MODELS.build(
        dict(
            type='mmattn.ActionRoIHead',
            _scope_='mmdet',
            bbox_roi_extractor=EXTRACTOR,
            shared_head=shared,
            bbox_head=dict(
                type='mmattn.ActionBBoxHead',
                in_channels=C,
                num_classes=K,
                topk=(),
                **options,
            ),
            train_cfg=ConfigDict(REGIONS),
            test_cfg=ConfigDict(test_cfg) if test_cfg else None,
        )
    )
    head.init_weights()
    return head.eval()


def features(num_videos):
    return torch.randn(num_videos, C, 2, SIZE[0] // 16, SIZE[1] // 16)


def sample(proposals=(*BOXES, FAR), labels=((0, 1, 0, 1), (0, 0, 1, 0))):
    one = ActionDataSample(metainfo=dict(img_shape=SIZE))
    one.gt_instances = InstanceData(
        bboxes=torch.tensor(BOXES), labels=torch.tensor(labels, dtype=torch.float)
    )
    boxes = torch.tensor(proposals).reshape(-1, 4)
    one.proposals = InstanceData(bboxes=boxes)
    return one


def losses_of(head, samples, x=None):
    x = features(len(samples)) if x is None else x
    return head.loss(x, [one.proposals for one in samples], samples)


def predict(head, samples, x):
    return head.predict(x, [one.proposals for one in samples], samples)


def with_logits(head, logits, deltas=(0.0, 0.0, 0.0, 0.0)):
    """Let the head answer the same of every region."""
    for layer, values in (
        (head.bbox_head.fc_cls, logits),
        (head.bbox_head.fc_reg, deltas),
    ):
        if layer is not None:
            torch.nn.init.zeros_(layer.weight)
            layer.bias.data = torch.tensor(values)
    return head


LOGITS = [1.0, 0.5, 2.0, -3.0]
ROWS = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]])  # column 0: background


def test_sigmoid_loss_with_background():
    head = with_logits(make(), LOGITS)
    p = 1 / (1 + np.exp(-np.array(LOGITS)))
    expected = -(ROWS * np.log(p) + (1 - ROWS) * np.log(1 - p)).mean()
    losses = losses_of(head, [sample(), sample()])
    assert losses['loss_action_cls'].item() == pytest.approx(expected, rel=1e-5)
    assert losses['loss_action_bbox'].item() == 0
    assert losses['recall@thr=0.5'].item() == pytest.approx((0.5 + 1) / 2)


def test_softmax_loss():
    head = with_logits(make(multilabel=False), LOGITS)
    log_p = np.array(LOGITS) - np.log(np.exp(LOGITS).sum())
    targets = ROWS / ROWS.sum(1, keepdims=True)
    expected = -(targets * log_p).sum(1).mean()
    loss = losses_of(head, [sample()])['loss_action_cls']
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_loss_by_the_rule_of_the_host():
    from mmaction.models.roi_heads.bbox_heads import BBoxHeadAVA

    ours = make(ignore_background=True, with_reg=False)
    host = BBoxHeadAVA(background_class=True, in_channels=C, num_classes=K, topk=None)
    torch.manual_seed(0)
    ours.bbox_head.fc_cls.weight.data = host.fc_cls.weight.data
    ours.bbox_head.fc_cls.bias.data = host.fc_cls.bias.data
    x, one = features(1), sample()
    proposals = one.proposals.new()
    proposals.priors = proposals.pop('bboxes')
    assigned = ours.bbox_assigner.assign(proposals, one.gt_instances, None)
    sampled = [ours.bbox_sampler.sample(assigned, proposals, one.gt_instances)]
    rois = torch.cat([torch.zeros(3, 1), sampled[0].priors], dim=1)
    feats, _ = ours.bbox_roi_extractor(x, rois)
    expected = host.loss_and_target(
        host.fc_cls(feats.mean((2, 3, 4))), rois, sampled, ConfigDict(REGIONS)
    )['loss_bbox']['loss_action_cls']
    got = losses_of(ours, [one], x)
    assert got['loss_action_cls'].item() == pytest.approx(expected.item(), rel=1e-5)
    assert 'loss_action_bbox' not in got


def test_box_loss_of_persons_only():
    """A proposal 10 % to the left: dx = 0.1 widths / 0.1 = 1 before the coder."""
    head = with_logits(make(), LOGITS)
    shifted = [BOXES[0][0] - 3.2, 8, BOXES[0][2] - 3.2, 56]
    losses = losses_of(head, [sample((shifted, FAR, FAR, FAR))])
    assert losses['loss_action_bbox'].item() == pytest.approx(0.5 / 4, rel=1e-4)
    twice = with_logits(make(loss_bbox_weight=2.0), LOGITS)
    losses = losses_of(twice, [sample((shifted, FAR, FAR, FAR))])
    assert losses['loss_action_bbox'].item() == pytest.approx(1 / 4, rel=1e-4)


@pytest.mark.parametrize('ignore', [False, True])
@pytest.mark.parametrize('proposals', [(), (FAR,)], ids=['none', 'background'])
def test_losses_without_persons(ignore, proposals):
    head = make(ignore_background=ignore)
    losses = losses_of(head, [sample(proposals)])
    total = losses['loss_action_cls'] + losses['loss_action_bbox']
    total.backward()
    assert total.isfinite()
    assert (total > 0) == (not ignore and bool(proposals))
    assert losses['recall@thr=0.5'] == 0


def test_gradients_of_all_weights():
    shared = dict(type='mmattn.SlowFastSharedHead', in_channels=C, combination='sum')
    head = make(shared=shared, hidden_channels=(7,))
    losses = losses_of(head, [sample(([6.0, 8, 40, 56], FAR)), sample()])
    (losses['loss_action_cls'] + losses['loss_action_bbox']).backward()
    for name, weight in head.bbox_head.named_parameters():
        assert weight.grad.abs().max() > 0, name
    for name, weight in head.shared_head.named_parameters():
        assert (weight.grad.abs().max() > 0) == name.endswith('gamma'), name


def test_boxes_are_decoded_and_clipped():
    deltas = [1.0, 0.0, 0.0, 0.0]  # a tenth of the width to the right
    head = with_logits(make(), LOGITS, deltas)
    (result,) = predict(head, [sample(([50.0, 10, 90, 60], BOXES[0]))], features(1))
    expected = [
        [54 / 96, 10 / 64, 94 / 96, 60 / 64],
        [11.2 / 96, 8 / 64, 43.2 / 96, 56 / 64],
    ]
    torch.testing.assert_close(result.bboxes, torch.tensor(expected))
    head = with_logits(head, LOGITS, [3.0, 0.0, 0.0, 0.0])
    (result,) = predict(head, [sample()], features(1))
    assert result.bboxes.max() == 1
    p = torch.tensor(LOGITS).sigmoid()
    p[0] = 0
    torch.testing.assert_close(result.scores, p.expand(3, -1))


@pytest.mark.parametrize('ignore', [False, True])
def test_softmax_scores(ignore):
    head = with_logits(make(multilabel=False, ignore_background=ignore), LOGITS)
    (result,) = predict(head, [sample()], features(1))
    start = int(ignore)
    p = torch.cat([torch.zeros(start), torch.tensor(LOGITS)[start:].softmax(0)])
    p[0] = 0
    torch.testing.assert_close(result.scores, p.expand(3, -1))


def test_batches_zero_proposals_and_what_goes_in():
    head, x = make(), features(3)
    samples = [sample(), sample(()), sample((BOXES[1], FAR))]
    kept = [one.proposals.bboxes.clone() for one in samples]
    together = predict(head, samples, x)
    assert [len(one) for one in together] == [3, 0, 2]
    for k, one in enumerate(samples):
        (alone,) = predict(head, [one], x[k : k + 1])
        torch.testing.assert_close(alone.bboxes, together[k].bboxes)
        torch.testing.assert_close(alone.scores, together[k].scores)
    losses_of(head, samples, x)
    for one, boxes in zip(samples, kept, strict=True):
        assert torch.equal(one.proposals.bboxes, boxes)


def test_attention_in_the_hosts_own_roi_head():
    import mmaction.models  # noqa: F401

    head = MODELS.build(
        dict(
            type='AVARoIHead',
            _scope_='mmdet',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor3D', output_size=3, with_temporal_pool=True
            ),
            shared_head=dict(type='mmattn.SlowFastSharedHead', in_channels=C),
            bbox_head=dict(
                type='BBoxHeadAVA',
                background_class=True,
                in_channels=4 * C,
                num_classes=K,
                topk=(1,),
            ),
            train_cfg=ConfigDict(REGIONS),
        )
    )
    losses_of(head, [sample()])['loss_action_cls'].backward()
    assert head.shared_head.branches['spatial_slow'][0].gamma.grad != 0
    (result,) = predict(head.eval(), [sample()], features(1))
    assert result.scores.shape == (3, K)


def test_thresholds():
    near = [BOXES[0], [9.0, 8, 41, 56], BOXES[1]]
    head = with_logits(make(dict(score_thr=0.5)), LOGITS)
    (result,) = predict(head, [sample(near)], features(1))
    assert (result.scores > 0).tolist() == [[False, True, True, False]] * 3
    nms = dict(type='nms', iou_threshold=0.5)
    head = with_logits(make(dict(score_thr=0.5, nms=nms)), LOGITS)
    (result,) = predict(head, [sample(near)], features(1))
    assert (result.scores[:, 1] > 0).sum() == (result.scores[:, 2] > 0).sum() == 2
    assert (result.scores[2, 1:3] > 0).all()


@pytest.mark.parametrize(
    'options, message',
    [
        ({'pool': 'min'}, "pool: expected one of .*, got 'min'"),
        ({'num_classes': 1}, 'num_classes: expected background and at least 1, got 1'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='mmattn.ActionBBoxHead', in_channels=C, **options))
