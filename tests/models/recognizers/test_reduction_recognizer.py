"""The recognizer that reduces frames in the middle of a backbone."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmengine.optim import OptimWrapper
from reduction_models import (
    CLASSES,
    HEAD,
    build,
    fill,
    frames,
    samples,
    scores,
    total,
    vgg,
)
from torch import nn

from mmattn.attention.capture import capture_attention
from mmattn.engine.optimizers import Bf16OptimWrapper
from mmattn.registry import MODELS


def consensus(backbone, head=()):
    """The host's average of frames behind the backbone."""
    cfg = dict(
        type='Recognizer2D', backbone=backbone, cls_head=dict(HEAD, **dict(head))
    )
    return HOST_MODELS.build(cfg)


@pytest.mark.parametrize('backbone', ['mmattn.VGG', 'mmattn.BNInception'])
def test_mean_behind_the_last_stage_is_average_consensus(backbone):
    cfg, last, head = vgg(), 'conv5', {}
    if backbone == 'mmattn.BNInception':
        cfg, last = dict(type=backbone, out='inception_3b'), 'inception_3b'
        head = dict(in_channels=320)
    model = build(cfg, (last,), head=head).eval()
    host = fill(consensus(cfg, head), model).eval()
    clips = frames(2, 3)
    torch.testing.assert_close(scores(model, clips, 3), scores(host, clips))
    losses = model(clips, samples(2), mode='loss')
    torch.testing.assert_close(losses, host(clips, samples(2), mode='loss'))


@pytest.mark.parametrize('tap', ['a', 'b', 'c'])
def test_between_linear_stages_the_place_does_not_matter(tap):
    cfg, head = dict(type='mmattn.LinearStages'), dict(in_channels=11)
    model = build(cfg, (tap,), head=head).eval()
    host = fill(consensus(cfg, head), model).eval()
    clips = frames(2, 5)
    torch.testing.assert_close(scores(model, clips, 5), scores(host, clips))


@pytest.mark.parametrize(
    ('out', 'tap', 'channels'),
    [('conv5', 'conv1', 32), ('fc7', 'pool4', 13), ('fc7', 'fc6', 13)],
)
def test_rest_goes_on_from_the_mean_of_the_maps(out, tap, channels):
    """Against a loop over videos and views, in float64."""
    model = build(vgg(out), (tap,), head=dict(in_channels=channels)).eval().double()
    clips = frames(2, 6).double()
    names = model.backbone.stage_names
    after = names[names.index(tap) + 1]
    expected = []
    for video in clips:
        probabilities = []
        for view in (video[:3], video[3:]):
            maps = [model.backbone.forward_stages(x[None], stop=after) for x in view]
            x = model.backbone.forward_stages(sum(maps) / 3, start=after)
            logits = model.cls_head.fc_cls(x.mean(dim=(2, 3)))
            probabilities.append(logits.softmax(dim=1)[0])
        expected.append(sum(probabilities) / 2)
    got = scores(model, clips, 3)
    torch.testing.assert_close(got, torch.stack(expected), rtol=1e-9, atol=1e-12)
    assert got.std() > 0.01
    whole = scores(model, clips, 6)
    assert (whole - got).abs().max() > 1e-6  # a view of 6 frames is another thing


@pytest.mark.parametrize('average', ['prob', 'score'])
def test_views_are_averaged_as_the_head_says(average):
    model = build(vgg(), head=dict(average_clips=average)).eval()
    clips = frames(2, 3 * 4)
    views = [model(view, mode='tensor', stage='head') for view in clips.split(4, dim=1)]
    views = torch.stack(views)
    expected = (views.softmax(dim=2) if average == 'prob' else views).mean(dim=0)
    torch.testing.assert_close(scores(model, clips, 4), expected)


@pytest.mark.parametrize('count', [1, 3, 25])
def test_identical_frames_are_one_frame_whatever_their_number(count):
    model = build(vgg()).eval()
    frame = frames(2, 1)
    repeated = frame.expand(-1, count, -1, -1, -1)
    torch.testing.assert_close(scores(model, repeated, count), scores(model, frame, 1))


@pytest.mark.parametrize('chunk', [1, 4, 5, 11, 64])
@pytest.mark.parametrize('tap', ['conv2', 'conv5'])
def test_chunks_bound_the_batch_and_leave_the_result(tap, chunk):
    whole = build(vgg(), ('conv1', tap), 'mmattn.WeightedFrames', chunk_frames=99)
    chunked = build(vgg(), ('conv1', tap), 'mmattn.WeightedFrames', chunk_frames=chunk)
    fill(chunked, whole)
    clips = frames(2, 3 * 5)
    expected = scores(whole.eval(), clips, 5)
    seen = []
    conv = chunked.backbone.features[0]
    conv.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    got = scores(chunked.eval(), clips, 5)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    assert sum(seen) == 30
    assert max(seen) <= chunk
    assert min(seen) == {1: 1, 4: 1, 5: 5, 11: 10, 64: 30}[chunk]


def test_batch_statistics_are_those_of_the_whole_batch():
    model = build(vgg(batch_norm=True), chunk_frames=2)
    conv, seen = model.backbone.features[0], []
    conv.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    scores(model.train(), frames(2, 6), 3)
    assert seen == [12]


def test_frozen_trunk_trains_in_chunks_to_the_same_gradients():
    # Stages with weights: conv1, conv2, conv3.
    cfg = vgg(batch_norm=True, frozen_stages=3)
    whole = build(cfg, ('conv2', 'conv3'), 'mmattn.WeightedFrames', chunk_frames=99)
    chunked = build(cfg, ('conv2', 'conv3'), 'mmattn.WeightedFrames', chunk_frames=5)
    fill(chunked, whole)
    clips, seen = frames(2, 4), []
    conv = chunked.backbone.features[0]
    conv.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    for model in (whole, chunked):
        total(model.train()(clips, samples(2), mode='loss')).backward()
    assert seen == [5, 3]
    learned = set()
    for (name, one), (_, other) in zip(
        whole.named_parameters(), chunked.named_parameters(), strict=True
    ):
        assert (one.grad is None) == (not one.requires_grad)
        if one.requires_grad:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)
            learned.add('.'.join(name.split('.')[:2]))
    assert learned == {'backbone.features', 'cls_head.fc_cls', 'reduction.scale'}
    assert not whole.backbone.stage_layers('conv3')[1].training
    assert whole.backbone.stage_layers('conv4')[1].training


def test_attention_in_the_trunk_learns_while_the_backbone_is_frozen():
    cfg = dict(
        type='mmattn.AttentionBackbone',
        backbone=vgg(),
        attentions=[
            dict(after='conv2', module=dict(type='mmattn.SqueezeExcitation')),
            dict(after='conv4', module=dict(type='mmattn.SqueezeExcitation')),
        ],
        freeze_backbone=True,
    )
    model = build(cfg, ('conv2', 'conv3'), chunk_frames=2).train()
    seen = []
    conv = model.backbone.features[0]
    conv.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    total(model(frames(2, 3), samples(2), mode='loss')).backward()
    assert seen == [6]
    for module in model.backbone.attentions:
        assert module.fc2.bias.grad.any()
    bare = build(vgg())
    bare.load_state_dict(model.state_dict(), strict=False)
    nn.init.constant_(model.backbone.attentions[0].fc2.bias, -1)
    clips = frames(1, 3)
    # The module gates every channel of conv2; nothing else differs.
    assert not torch.allclose(
        scores(model.eval(), clips, 3), scores(bare.eval(), clips, 3)
    )


def test_gradient_reaches_trunk_reduction_rest_and_head():
    model = build(
        vgg('fc7'),
        ('conv1', 'conv3'),
        'mmattn.WeightedFrames',
        head=dict(in_channels=13),
    ).train()
    total(model(frames(2, 3), samples(2), mode='loss')).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_auxiliary_losses_are_logged_and_added():
    model = build(vgg(), ('conv1', 'conv3'), 'mmattn.WeightedFrames')
    data = dict(inputs=list(frames(2, 3)), data_samples=samples(2))
    losses = model(torch.stack(data['inputs']), data['data_samples'], mode='loss')
    level = model.backbone.forward_stages(torch.cat(data['inputs']), stop='pool1').mean(
        dim=(1, 2, 3)
    )
    torch.testing.assert_close(losses['loss_level'], (2 * level).square().mean())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    log = model.train_step(data, OptimWrapper(optimizer))
    assert {'loss', 'loss_cls', 'loss_level', 'level', 'top1_acc'} <= set(log)
    torch.testing.assert_close(log['loss'], log['loss_cls'] + log['loss_level'])
    assert log['loss_level'] > 0


def test_names_of_losses_may_not_hide_the_heads():
    module = dict(type='mmattn.WeightedFrames', loss_name='loss_cls')
    model = build(vgg(), ('conv1', 'conv3'), module)
    with pytest.raises(ValueError, match=r"other names of losses.*got \['loss_cls'\]"):
        model(frames(2, 3), samples(2), mode='loss')


def test_pretrained_weights_of_the_backbone_load_as_they_are(tmp_path):
    bare = MODELS.build(vgg('fc7'))
    torch.save(bare.state_dict(), tmp_path / 'vgg.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'vgg.pth'))
    model = build(
        vgg('fc7', init_cfg=init), ('conv1', 'conv3'), 'mmattn.WeightedFrames'
    )
    weights = model.state_dict()
    for name, expected in bare.state_dict().items():
        assert torch.equal(weights.pop(f'backbone.{name}'), expected), name
    assert set(weights) == {
        'reduction.scale',
        'cls_head.fc_cls.weight',
        'cls_head.fc_cls.bias',
    }


def test_norm_eval_holds_on_both_sides():
    model = build(vgg(batch_norm=True, norm_eval=True), chunk_frames=2).train()
    before = {name: x.clone() for name, x in model.named_buffers()}
    model(frames(2, 3), samples(2), mode='loss')
    assert before
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name]), name


def test_number_of_frames_from_test_cfg():
    model = build(vgg()).eval()
    told = build(vgg(), test_cfg=dict(fcn_test=True, num_segs=3))
    fill(told, model).eval()
    clips = frames(2, 9)
    torch.testing.assert_close(scores(told, clips), scores(model, clips, 3))
    # What the sample says is right even so.
    torch.testing.assert_close(scores(told, clips, 9), scores(model, clips, 9))
    assert told(clips, mode='tensor').shape == (6, 32, 2, 2)
    assert model(clips, mode='tensor').shape == (2, 32, 2, 2)
    assert told(clips, mode='tensor', stage='head').shape == (6, CLASSES)
    # It says nothing about training.
    assert told(clips, samples(2), mode='loss')['loss_cls'] > 0


def test_frames_that_fill_no_views_are_refused():
    model = build(vgg()).eval()
    with pytest.raises(ValueError, match=r'divisor of the 7 frames.*got .3.'):
        scores(model, frames(1, 7), 3)
    with pytest.raises(ValueError, match=r'num_clips: expected it .*PackClipInputs'):
        scores(model, frames(1, 6))
    mixed = [*samples(1, num_clips=2), *samples(1, num_clips=3)]
    with pytest.raises(ValueError, match=r'the same in all samples.*got \[2, 3\]'):
        model(frames(2, 6), mixed, mode='predict')
    with pytest.raises(
        ValueError, match=r'one view per video.*got 4 views of 2 videos'
    ):
        model(frames(2, 6), samples(2, num_clips=3), mode='loss')
    with pytest.raises(
        ValueError, match=r'inputs: expected a batch .*\[6, 3, 37, 41\]'
    ):
        model(frames(2, 3).flatten(0, 1), samples(2), mode='loss')
    with pytest.raises(ValueError, match=r'inputs: expected a batch .*list'):
        model([frames(1, 3)], samples(1), mode='loss')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(chunk_frames=0), 'chunk_frames: expected int at least 1, got 0'),
        (dict(taps=('conv9',)), 'reduction.taps: expected stages among .*conv9'),
        (dict(taps=('fc7',)), 'reduction.taps: expected stages among .*fc7'),
        (dict(taps=()), 'reduction.taps: expected stages among'),
        (dict(taps='conv1'), 'reduction.taps: expected stages among'),
        (dict(taps=('conv3', 'conv1')), "forward order, .'conv1', 'conv3'., got"),
        (dict(taps=('conv1', 'conv1')), "each stage once .*'conv1', 'conv1'"),
        (
            dict(reduction=dict(type='mmattn.FrameMean')),
            'reduction: expected dict.taps',
        ),
        (dict(backbone=dict(type='ResNet', depth=18)), 'named stages.*got ResNet'),
    ],
)
def test_bad_configs(options, message):
    with pytest.raises(ValueError, match=message):
        build(**{'backbone': vgg(), **options})


def test_a_module_that_does_not_reduce_is_refused():
    model = build(vgg(), module='mmattn.FramesPassOn')
    with pytest.raises(ValueError, match='one map for each of 2 views, got 6'):
        model(frames(2, 3), samples(2), mode='loss')


@pytest.mark.parametrize('chunk', [2, 64])
def test_records_know_video_view_and_frames(chunk):
    trunk = [
        dict(after=stage, module=dict(type='mmattn.EmitLevel'))
        for stage in ('conv2', 'conv4')
    ]
    cfg = dict(type='mmattn.AttentionBackbone', backbone=vgg(), attentions=trunk)
    head = dict(type='mmattn.EmittingHead')
    model = build(
        cfg, ('conv1', 'conv3'), 'mmattn.WeightedFrames', head, chunk_frames=chunk
    )
    clips = frames(2, 2 * 3)
    plain = scores(model.eval(), clips, 3)
    numbers = np.array([4, 9, 17])
    with capture_attention(model) as records:
        captured = scores(model, clips, 3, frame_indices=numbers)
    assert torch.equal(plain, captured)
    found = {record.name: record for record in records.merged()}
    frame = found.pop('backbone.attentions.0.level')
    assert frame.sample == (0,) * 6 + (1,) * 6
    assert frame.crop == (0, 0, 0, 1, 1, 1) * 2
    assert frame.frames.flatten().tolist() == [4, 9, 17] * 4
    assert set(found) == {
        'reduction.frame_weights',
        'backbone.attentions.1.level',
        'cls_head.level',
    }
    for record in found.values():
        assert record.sample == (0, 0, 1, 1)
        assert record.crop == (0, 1, 0, 1)
        assert record.frames.tolist() == [[4, 9, 17]] * 4
    with capture_attention(model, names='reduction.*') as records:
        model(clips[:, :3])
    assert records.merged()[0].frames.tolist() == [[0, 1, 2]] * 2
    with (
        capture_attention(model),
        pytest.raises(ValueError, match=r"'frame_indices' .*PackClipInputs"),
    ):
        scores(model, clips, 3)
    with (
        capture_attention(model),
        pytest.raises(ValueError, match=r"'frame_indices' of the 6 frames .*got 4"),
    ):
        scores(model, clips, 3, frame_indices=range(4))
    with capture_attention(model) as records:
        model(clips, samples(2, frame_indices=range(10, 16)), mode='loss')
    assert records.by_name('cls_head.*')[0].frames.tolist() == [[*range(10, 16)]] * 2
    assert records.by_name('reduction.*')[0].sample == (0, 1)


def test_bf16():
    head = dict(in_channels=13)
    model = build(vgg('fc7'), ('conv1', 'conv3'), 'mmattn.WeightedFrames', head=head)
    before = {name: p.clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    data = dict(inputs=list(frames(2, 3)), data_samples=samples(2))
    log = model.train_step(data, Bf16OptimWrapper(optimizer))
    assert log['loss'].isfinite()
    for name, parameter in model.named_parameters():
        assert parameter.isfinite().all(), name
        assert not torch.equal(parameter, before[name]), name
    clips = frames(2, 6)
    expected = scores(model.eval(), clips, 3)
    with torch.autocast('cpu', torch.bfloat16):
        got = scores(model, clips, 3)
    torch.testing.assert_close(got.float(), expected, rtol=0, atol=0.1)
