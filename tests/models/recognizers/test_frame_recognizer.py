"""The recognizer of frame sequences and its data preprocessor."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModule

from mmattn.attention.capture import capture_attention, emit_attention
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


@OUR_MODELS.register_module(force=True)
class MotionBackbone(BaseModule):
    """Colour of each frame of a clip, remembering how many frames it saw at once."""

    def __init__(self, pathways=1):
        super().__init__()
        self.pathways = pathways
        self.calls = []

    def forward(self, clips):
        self.calls.append(clips.shape[0] * clips.shape[2])
        emit_attention(self, 'frames', clips.mean(dim=(1, 3, 4)), ('row', 'frame'))
        maps = clips * torch.arange(1.0, clips.shape[2] + 1)[:, None, None]
        return maps if self.pathways == 1 else (maps, maps[:, :1, ::2])


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


@pytest.mark.parametrize(
    'side, calls', [(224, [16, 4]), (448, [4] * 5), (112, [20]), (2000, [1] * 20)]
)
def test_chunks_hold_as_many_pixels_as_16_frames_of_224(side, calls):
    model = build().eval()
    frames = torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(20, 3, side, side)
    data = dict(inputs=[frames], data_samples=[ActionDataSample()])
    with torch.no_grad():
        model.extract_feat(model.data_preprocessor(data)['inputs'])
    assert model.backbone.calls == calls


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
    with pytest.raises(ValueError, match=r'chunk_frames: .* at least 1 or None, got 0'):
        build(chunk_frames=0)


def test_frames_that_fill_no_window_are_refused():
    model = build().eval()
    data = dict(
        inputs=[torch.zeros(T + 1, 3, 4, 4, dtype=torch.uint8)],
        data_samples=[ActionDataSample()],
    )
    with pytest.raises(ValueError, match='multiple of num_segments=3'):
        model.test_step(data)


def clip_model(pathways=1, **kwargs):
    backbone = dict(type='mmattn.MotionBackbone', pathways=pathways)
    return build(backbone=backbone, clip_len=4, **kwargs).eval()


def clip_batch(*windows):
    data = batch(*(4 * count for count in windows))
    return data, [x.double().sub(10) / 5 for x in data['inputs']]


def test_3d_backbone_gives_a_map_for_each_clip():
    model, (data, frames) = clip_model(), clip_batch(1, 2)
    feats, kwargs = model.extract_feat(model.data_preprocessor(data)['inputs'])
    assert kwargs == dict(frames_per_video=[3, 6])
    clips = torch.cat(frames).unflatten(0, (-1, 4))
    expected = (clips * torch.arange(1, 5)[:, None, None, None]).mean(dim=1)
    torch.testing.assert_close(feats.double(), expected, rtol=1e-5, atol=1e-5)
    assert scores(model, data).shape == (2, CLASSES)


def test_slowfast_pathways_stand_side_by_side():
    model, (data, _) = clip_model(pathways=2), clip_batch(1)
    feats, _ = model.extract_feat(model.data_preprocessor(data)['inputs'])
    clips = data['inputs'][0].float().sub(10).div(5).unflatten(0, (-1, 4))
    assert feats.shape == (3, 4, 11, 13)
    torch.testing.assert_close(feats[:, 3], (clips[:, 0, 0] + 3 * clips[:, 2, 0]) / 2)


@pytest.mark.parametrize('chunk_frames, most', [(1, 4), (7, 4), (8, 8), (100, 24)])
def test_chunks_hold_whole_clips(chunk_frames, most):
    data, _ = clip_batch(2, 1)
    model = clip_model(chunk_frames=chunk_frames)
    whole = clip_model(chunk_frames=1000)
    whole.load_state_dict(model.state_dict())
    torch.testing.assert_close(scores(model, data), scores(whole, data))
    assert max(model.backbone.calls) == min(most, 36)


def test_records_know_the_frames_of_clips():
    model, (data, _) = clip_model(chunk_frames=8), clip_batch(1, 1)
    with capture_attention(model) as records:
        scores(model, data)
    *inside, head = records
    assert inside[0].frames.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert sum(len(r.frames) for r in inside) == 6
    assert head.frames.tolist() == [[2, 6, 10], [102, 106, 110]]


def test_frames_that_fill_no_clip_are_named():
    model = clip_model()
    with pytest.raises(ValueError, match=r'clips of clip_len=4 frames, got \[6\]'):
        scores(model, batch(2))
    with pytest.raises(ValueError, match=r'clip_len: .* at least 1 or None, got 0'):
        build(clip_len=0)


HOST_3D = {
    'I3D': (dict(type='ResNet3d', depth=18, pretrained2d=False), 512),
    'SlowOnly': (dict(type='ResNet3dSlowOnly', depth=18), 512),
    'R(2+1)D': (
        dict(
            type='ResNet2Plus1d',
            depth=18,
            pretrained2d=False,
            conv1_kernel=(3, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(1, 1, 1, 1),
            conv_cfg=dict(type='Conv2plus1d'),
        ),
        512,
    ),
    'SlowFast': (
        dict(
            type='ResNet3dSlowFast',
            slow_pathway=dict(type='resnet3d', depth=18, lateral=True, fusion_kernel=5),
            fast_pathway=dict(
                type='resnet3d', depth=18, lateral=False, base_channels=8
            ),
        ),
        576,
    ),
}


@pytest.mark.parametrize('family', HOST_3D)
def test_hosts_3d_networks_give_features_to_the_lstm(family):
    backbone, channels = HOST_3D[family]
    head = dict(
        type='mmattn.TemporalLSTMHead',
        num_classes=CLASSES,
        in_channels=channels,
        num_segments=T,
        test_steps=1,
        lstm=dict(num_steps=2, hidden_channels=7),
    )
    backbone = dict(backbone, pretrained=None)
    model = build(backbone=backbone, cls_head=head, clip_len=8).train()
    frames = torch.randint(0, 256, (2, 8 * T, 3, 32, 32), dtype=torch.uint8)
    samples = [ActionDataSample().set_gt_label(k) for k in range(2)]
    data = dict(inputs=list(frames), data_samples=samples)
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    losses['loss_cls'].backward()
    assert all(p.grad is not None for p in model.backbone.parameters())
    assert scores(model.eval(), data).shape == (2, CLASSES)
