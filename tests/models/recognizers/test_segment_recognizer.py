"""The 2D recognizer that tells attention modules the clips of its batch."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import Compose, pseudo_collate

from mmattn.attention.capture import capture_attention


@pytest.fixture
def model():
    config = dict(
        type='mmattn.SegmentRecognizer',
        backbone=dict(
            type='mmattn.AttentionBackbone',
            backbone=dict(type='ResNet', depth=18),
            attentions=[
                dict(before='layer3', module=dict(type='mmattn.STBTA')),
                dict(after='layer4', module=dict(type='mmattn.SqueezeExcitation')),
            ],
        ),
        cls_head=dict(
            type='TSNHead', num_classes=4, in_channels=512, average_clips='score'
        ),
        data_preprocessor=dict(
            type='ActionDataPreprocessor', mean=[128.0] * 3, std=[64.0] * 3
        ),
    )
    return HOST_MODELS.build(config)


def samples(count, **metainfo):
    made = [ActionDataSample().set_gt_label(1) for _ in range(count)]
    for sample in made:
        sample.set_metainfo(metainfo)
    return made


def logits(model, clip):
    """Scores of one clip (T, C, H, W) in a network that was told its length."""
    stbta = model.backbone.attentions[0]
    stbta.num_segments = len(clip)
    return model.cls_head(model.backbone(clip), num_segs=len(clip))[0]


def test_training_and_test_with_other_segments_and_crops(model):
    videos = torch.randn(2, 3, 3, 32, 40)
    model(videos, samples(2, num_clips=3), mode='loss')['loss_cls'].backward()
    stbta = model.backbone.attentions[0]
    assert stbta.num_segments == 3
    assert stbta.temporal_attention.conv.weight.grad[0, 0].all()
    model.eval()
    crops = torch.randn(2, 10, 3, 32, 40)  # two crops of five segments
    results = model(crops, samples(2, num_clips=5), mode='predict')
    for video, result in zip(crops, results, strict=True):
        expected = (logits(model, video[:5]) + logits(model, video[5:])) / 2
        torch.testing.assert_close(result.pred_score, expected)
        assert not torch.allclose(result.pred_score, logits(model, video))


def test_without_samples_a_video_is_one_clip(model):
    model.eval()
    videos = torch.randn(2, 4, 3, 32, 40)
    stacked = torch.stack([logits(model, video) for video in videos])
    model.backbone.attentions[0].num_segments = None
    torch.testing.assert_close(model(videos, stage='head'), stacked)


def test_through_the_pipeline_with_ten_crops(model, tiny_data):
    pipeline = Compose(
        [
            dict(type='DecordInit'),
            dict(
                type='SampleFrames',
                clip_len=1,
                frame_interval=1,
                num_clips=4,
                test_mode=True,
            ),
            dict(type='DecordDecode'),
            dict(type='Resize', scale=(-1, 36)),
            dict(type='TenCrop', crop_size=32),
            dict(type='FormatShape', input_format='NCHW'),
            dict(type='mmattn.PackClipInputs'),
        ]
    )
    files = sorted((tiny_data / 'videos').rglob('*.*'))[:2]
    infos = [
        dict(filename=str(f), label=0, start_index=0, modality='RGB') for f in files
    ]
    items = [pipeline(info) for info in infos]
    with capture_attention(model.eval()) as records, torch.no_grad():
        model.test_step(pseudo_collate(items))
    gates = next(r for r in records if r.name.endswith('frame_gates'))
    assert gates.map.shape == (20, 4)
    assert gates.sample == (0,) * 10 + (1,) * 10
    assert gates.crop == tuple(range(10)) * 2
    numbers = [item['data_samples'].frame_inds for item in items]
    assert gates.frames.tolist() == np.repeat(numbers, 10, axis=0).tolist()
    weights = next(r for r in records if r.name.endswith('1.channel_weights'))
    assert weights.map.shape == (80, 512)
    assert weights.crop[4:8] == (1,) * 4
    assert weights.frames[:4, 0].tolist() == numbers[0].tolist()


def test_maps_of_flow_stacks_have_their_first_frames(model):
    stacks = samples(1, num_clips=2, frame_indices=np.array([4, 9]))
    with capture_attention(model.eval(), names='*.frame_gates') as records:
        model(torch.randn(1, 4, 3, 32, 40), stacks, mode='predict')
    assert records[0].frames.tolist() == [[4, 9], [4, 9]]
    with capture_attention(model, names='*.frame_gates') as records:
        model(torch.randn(1, 4, 3, 32, 40))
    assert records[0].frames.tolist() == [[0, 1, 2, 3]]
    with (
        capture_attention(model),
        pytest.raises(
            ValueError, match=r"'frame_indices' .*'num_clips'.*PackClipInputs"
        ),
    ):
        model(torch.randn(1, 4, 3, 32, 40), samples(1, num_clips=2), mode='predict')


def test_one_segment_is_a_clip_of_its_own(model):
    model.eval()
    crops = torch.randn(1, 3, 3, 32, 40)
    (result,) = model(crops, samples(1, num_clips=1), mode='predict')
    expected = torch.stack([logits(model, crop[None]) for crop in crops[0]])
    torch.testing.assert_close(result.pred_score, expected.mean(dim=0))


def test_wrong_metainfo(model):
    videos = torch.randn(2, 6, 3, 32, 40)
    with pytest.raises(
        ValueError, match=r"'num_clips', got .*'img_shape'.*PackClipInputs"
    ):
        model(videos, samples(2, img_shape=(32, 40)), mode='loss')
    with pytest.raises(ValueError, match=r'one divisor of the 6 frames .*, got \[0\]'):
        model(videos, samples(2, num_clips=0), mode='loss')
    with pytest.raises(ValueError, match=r'one divisor of the 6 frames .*, got \[4\]'):
        model(videos, samples(2, num_clips=4), mode='loss')
    mixed = samples(1, num_clips=3) + samples(1, num_clips=6)
    with pytest.raises(ValueError, match=r'one divisor of the 6 .*, got \[3, 6\]'):
        model(videos, mixed, mode='predict')
