"""Attention as a neck of the host's recognizers, 2D and 3D."""

import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmengine.logging import MMLogger

from mmattn.models.necks import AttentionNeck

TAM = dict(type='mmattn.TemporalAttention')
STBTA = dict(type='mmattn.STBTA')
N, C, T, H, W = 2, 5, 3, 7, 9


def samples(labels, **metainfo):
    made = [ActionDataSample().set_gt_label(label) for label in labels]
    for sample in made:
        sample.set_metainfo(metainfo)
    return made


def test_clips_pass():
    neck, x = AttentionNeck(C, STBTA).eval(), torch.randn(N, C, T, H, W)
    y, losses = neck(x, data_samples=samples([1, 2]))
    assert torch.equal(y, neck.attention(x))
    assert losses == {}


def test_crops_are_clips_of_their_own():
    neck = AttentionNeck(C, TAM, num_segments=T)
    videos = torch.randn(N, C, 2 * T, H, W)
    y, losses = neck([videos])
    first, second = (neck.attention(crop) for crop in videos.split(T, dim=2))
    expected = torch.cat([first, second], dim=2).mean(dim=2, keepdim=True)
    torch.testing.assert_close(y, expected)
    assert losses == {}
    mixed = AttentionNeck(C, TAM)  # all frames of a video are one clip
    mixed.load_state_dict(neck.state_dict())
    torch.testing.assert_close(
        mixed([videos])[0], mixed.attention(videos).mean(dim=2, keepdim=True)
    )
    assert not torch.allclose(mixed([videos])[0], y)


def test_crops_that_would_be_mixed_are_warned_of_once(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    video = torch.randn(1, C, 2 * T, H, W)
    neck = AttentionNeck(C, TAM)
    neck([video])  # training has one crop
    AttentionNeck(C, TAM, num_segments=T).eval()([video])
    assert 'num_segments' not in caplog.text
    for _ in range(2):
        neck.eval()([video])
    logger.removeHandler(caplog.handler)
    assert caplog.text.count('num_segments: taking all 6 frames of a video') == 1


def test_the_last_of_several_maps():
    neck = AttentionNeck(C, TAM)
    maps = [torch.randn(N, 3, T, 14, 18), torch.randn(N, C, T, H, W)]
    assert torch.equal(neck(maps)[0], neck(maps[1:])[0])


def recognizer_2d(kind):
    config = dict(
        type=kind,
        backbone=dict(type='ResNet', depth=18, out_indices=(2, 3)),
        neck=dict(type='mmattn.AttentionNeck', in_channels=512, module=STBTA),
        cls_head=dict(
            type='TSNHead', num_classes=4, in_channels=512, average_clips='prob'
        ),
    )
    return HOST_MODELS.build(config)


@pytest.mark.parametrize('kind', ['Recognizer2D', 'mmattn.SegmentRecognizer'])
def test_2d_recognizers(kind):
    model, videos = recognizer_2d(kind), torch.randn(N, T, 3, 64, 72)
    batch = samples([1, 3], num_clips=T)
    model(videos, batch, mode='loss')['loss_cls'].backward()
    assert model.neck.attention.temporal_attention.conv.weight.grad.any()
    model.eval()
    scores = [s.pred_score for s in model(videos, batch, mode='predict')]
    assert scores[0].sum().item() == pytest.approx(1)
    feats = model.backbone(videos.flatten(0, 1))[-1]
    clips = feats.view(N, T, 512, 2, 3).transpose(1, 2)
    refined = model.neck.attention(clips).mean(dim=(2, 3, 4))
    expected = model.cls_head.fc_cls(refined).softmax(dim=1)
    torch.testing.assert_close(torch.stack(scores), expected)


def test_crops_in_a_2d_recognizer():
    """A video of two crops is scored like the mean of both features."""
    model = recognizer_2d('mmattn.SegmentRecognizer').eval()
    crops = torch.randn(1, 2 * T, 3, 64, 72)
    (both,) = model(crops, samples([1], num_clips=T), mode='predict')
    feats = [
        model.extract_feat(crop, stage='neck')[0].mean(dim=(2, 3))
        for crop in crops.split(T, dim=1)
    ]
    expected = model.cls_head.fc_cls(sum(feats) / 2).softmax(dim=1)[0]
    torch.testing.assert_close(both.pred_score, expected)


def test_3d_recognizer():
    config = dict(
        type='Recognizer3D',
        backbone=dict(type='ResNet3d', depth=18, pretrained=None, base_channels=8),
        neck=dict(type='mmattn.AttentionNeck', in_channels=64, module=STBTA),
        cls_head=dict(
            type='I3DHead', num_classes=4, in_channels=64, average_clips='prob'
        ),
        test_cfg=dict(max_testing_views=2),
    )
    model = HOST_MODELS.build(config)
    model(torch.randn(N, 1, 3, 4, 64, 72), samples([1, 3]), mode='loss')[
        'loss_cls'
    ].backward()
    assert model.neck.attention.temporal_attention.conv.weight.grad.any()
    views = torch.randn(1, 3, 3, 4, 64, 72)
    (score,) = model.eval()(views, samples([1]), mode='predict')
    feats = model.neck(model.backbone(views[0]))[0].mean(dim=(2, 3, 4))
    expected = model.cls_head.fc_cls(feats).softmax(dim=1).mean(dim=0)
    torch.testing.assert_close(score.pred_score, expected)


def test_wrong_maps():
    neck = AttentionNeck(C, TAM, num_segments=4)
    with pytest.raises(ValueError, match=r'expected maps .* a tuple, got \(5, 7, 9\)'):
        neck([torch.ones(C, H, W)])
    with pytest.raises(ValueError, match=r'a divisor of the 6 frames .*, got 4'):
        neck([torch.ones(N, C, T, H, W)])
    with pytest.raises(ValueError, match=r'module.in_channels: expected 5, .* got 4'):
        AttentionNeck(C, STBTA | dict(in_channels=4))
