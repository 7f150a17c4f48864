"""The recognizer of frame sequences and its data preprocessor."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModule

from mmattn.attention.capture import capture_attention
from mmattn.registry import MODELS as OUR_MODELS

T = 3
CLASSES = 5


@OUR_MODELS.register_module(force=True)
class MeanColorBackbone(BaseModule):
    """Mean colour of each frame, remembering how many frames it saw at once."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))
        self.calls = []

    def forward(self, frames):
        self.calls.append(len(frames))
        return frames.mean(dim=(2, 3)) * self.scale


def build(**kwargs):
    cfg = dict(
        type='mmattn.FrameRecognizer',
        backbone=dict(type='mmattn.MeanColorBackbone'),
        cls_head=dict(
            type='mmattn.TemporalLSTMHead',
            num_classes=CLASSES,
            in_channels=3,
            num_segments=T,
            test_steps=1,
            lstm=dict(num_steps=2, hidden_channels=7),
        ),
        data_preprocessor=dict(
            type='mmattn.FrameDataPreprocessor', mean=[10.0] * 3, std=[5.0] * 3
        ),
    )
    cfg.update(kwargs)
    return MODELS.build(cfg)


def batch(*windows, crops=1):
    inputs, samples = [], []
    for label, count in enumerate(windows):
        inputs.append(
            torch.randint(0, 256, (crops * count * T, 3, 11, 13), dtype=torch.uint8)
        )
        sample = ActionDataSample().set_gt_label(label)
        numbers = torch.arange(count * T).reshape(count, T) + 100 * label
        sample.set_metainfo(dict(frame_indices=numbers.numpy(), video_id=str(label)))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def scores(model, data):
    with torch.no_grad():
        return torch.stack([s.pred_score for s in model.test_step(data)])


def test_videos_of_different_lengths_score_as_alone():
    model = build().eval()
    data = batch(2, 1, 3)
    together = scores(model, data)
    for i in range(3):
        alone = {key: [values[i]] for key, values in data.items()}
        torch.testing.assert_close(scores(model, alone)[0], together[i])
    torch.testing.assert_close(together.sum(dim=1), torch.ones(3))


def test_windows_and_crops_are_averaged_as_probabilities():
    model = build().eval()
    data = batch(2, crops=2)
    frames = data['inputs'][0]
    parts = []
    for sequence in frames.split(T):
        part = dict(inputs=[sequence], data_samples=[ActionDataSample()])
        parts.append(scores(model, part)[0])
    torch.testing.assert_close(scores(model, data)[0], torch.stack(parts).mean(dim=0))


@pytest.mark.parametrize('chunk_frames', [1, 4, 64])
def test_chunks_bound_the_batch_and_leave_the_result(chunk_frames):
    data = batch(3, 2)
    whole = build(chunk_frames=100).eval()
    chunked = build(chunk_frames=chunk_frames).eval()
    chunked.load_state_dict(whole.state_dict())
    torch.testing.assert_close(
        scores(chunked, data), scores(whole, data), rtol=1e-6, atol=1e-7
    )
    assert max(chunked.backbone.calls) <= chunk_frames
    assert sum(chunked.backbone.calls) == 5 * T


def test_long_videos_stay_raw_until_their_chunk():
    preprocessor = build().data_preprocessor
    preprocessor.eager_frames = 5
    out = preprocessor(batch(2))
    assert [x.dtype for x in out['inputs']] == [torch.uint8]
    preprocessor.eager_frames = 6
    out = preprocessor(batch(2))
    assert out['inputs'].dtype == torch.float32
    assert out['inputs'].shape == (1, 6, 3, 11, 13)


def test_late_normalization_equals_early():
    model = build()
    frames = batch(2)['inputs'][0]
    expected = (frames.double() - 10) / 5
    actual = model.data_preprocessor.normalize(frames)
    torch.testing.assert_close(actual.double(), expected)


def test_training_on_mixed_lengths_reaches_backbone_and_head():
    model = build().train()
    data = model.data_preprocessor(batch(2, 1), training=True)
    losses = model(**data, mode='loss')
    losses['loss_cls'].backward()
    assert model.backbone.scale.grad.abs().sum() > 0
    assert model.cls_head.fc_cls.weight.grad.abs().sum() > 0
    assert model.backbone.calls == [3 * T]


def test_loss_is_the_mean_over_windows_not_videos():
    model = build().train()
    data = batch(2, 1)
    samples = data['data_samples']
    whole = model(**model.data_preprocessor(data), mode='loss')['loss_cls']
    parts = [
        (frames, sample)
        for video, sample in zip(data['inputs'], samples, strict=True)
        for frames in video.split(T)
    ]
    each = []
    for frames, sample in parts:
        one = dict(inputs=[frames], data_samples=[sample])
        each.append(model(**model.data_preprocessor(one), mode='loss')['loss_cls'])
    torch.testing.assert_close(whole, torch.stack(each).mean())


def test_frozen_backbone_gets_no_gradient_and_stays_in_eval():
    model = build(freeze_backbone=True, chunk_frames=2).train()
    assert not model.backbone.training
    assert model.cls_head.training
    data = model.data_preprocessor(batch(2, 1), training=True)
    model(**data, mode='loss')['loss_cls'].backward()
    assert model.backbone.scale.grad is None
    assert model.cls_head.fc_cls.weight.grad.abs().sum() > 0
    assert max(model.backbone.calls) <= 2


def test_stored_features_pass_through():
    model = build(
        backbone=dict(type='mmattn.StoredFeatures'),
        data_preprocessor=dict(type='mmattn.FrameDataPreprocessor'),
    ).eval()
    feats = torch.rand(2 * T, 3)
    sample = ActionDataSample().set_gt_label(0)
    data = dict(inputs=[feats], data_samples=[sample])
    assert scores(model, data).shape == (1, CLASSES)
    assert not any('backbone' in key for key in model.state_dict())


def test_tensor_mode_stages():
    model = build().eval()
    data = model.data_preprocessor(batch(2))
    feats = model(data['inputs'], mode='tensor')
    assert feats.shape == (2 * T, 3)
    logits = model(data['inputs'], mode='tensor', stage='head')
    assert logits.shape == (2, CLASSES)


def test_records_know_their_video_crop_and_frames():
    model = build().eval()
    data = batch(2, 1, crops=2)
    off = scores(model, data)
    with capture_attention(model) as records:
        on = scores(model, data)
    assert torch.equal(on, off)
    (record,) = records
    assert record.name == 'cls_head.frame_weights'
    assert record.map.shape == (6, 2, T)
    assert record.sample == (0, 0, 0, 0, 1, 1)
    assert record.crop == (0, 0, 1, 1, 0, 1)
    assert record.frames.tolist() == [
        [0, 1, 2],
        [3, 4, 5],
        [0, 1, 2],
        [3, 4, 5],
        [100, 101, 102],
        [100, 101, 102],
    ]


def test_bad_chunk():
    with pytest.raises(ValueError, match='chunk_frames: expected at least 1, got 0'):
        build(chunk_frames=0)


def test_frames_that_fill_no_window_are_refused():
    model = build().eval()
    data = dict(
        inputs=[torch.zeros(T + 1, 3, 4, 4, dtype=torch.uint8)],
        data_samples=[ActionDataSample()],
    )
    with pytest.raises(ValueError, match='multiple of num_segments=3'):
        model.test_step(data)
