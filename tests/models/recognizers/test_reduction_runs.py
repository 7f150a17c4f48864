"""The reduction recognizer in pipelines, a runner and two processes."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from reduction_models import CLASSES, HEAD, build, frames, samples, scores, total, vgg
from two_processes import in_two_processes

from mmattn.testing import build_runner


def pipeline_cfg(crop, *, num_clips=3, test_mode=True, flow=False):
    decode = [dict(type='DecordInit'), dict(type='DecordDecode')]
    if flow:
        decode = [None, dict(type='RawFrameDecode')]
    steps = [
        decode[0],
        dict(
            type='SampleFrames',
            clip_len=2 if flow else 1,
            num_clips=num_clips,
            test_mode=test_mode,
        ),
        decode[1],
        dict(type='Resize', scale=(-1, 40)),
        crop,
        dict(type='FormatShape', input_format='NCHW'),
        dict(
            type='PackActionInputs',
            meta_keys=('video_id', 'num_clips', 'frame_inds', 'clip_len'),
        ),
    ]
    return [step for step in steps if step]


def pipeline(crop, **options):
    return Compose(pipeline_cfg(crop, **options))


def load(pipeline, root, *, flow=False):
    if flow:
        info = dict(
            frame_dir=str(root / 'flow' / 'clip_0'),
            filename_tmpl='flow_{}_{:05d}.jpg',
            total_frames=10,
            start_index=1,
            modality='Flow',
            label=0,
        )
    else:
        video = str(root / 'videos' / 'clip_0.mp4')
        info = dict(filename=video, start_index=0, modality='RGB', label=0)
    return pseudo_collate([pipeline(info)])


@pytest.mark.parametrize('flow', [False, True])
@pytest.mark.parametrize(
    ('crops', 'center'),
    [('ThreeCrop', 2), ('TenCrop', 8), ('mmattn.FlowTenCrop', 8)],
)
def test_crops_of_real_pipelines(tiny_data, crops, center, flow):
    cfg = vgg(in_channels=4 if flow else 3)
    preprocessor = dict(
        type='ActionDataPreprocessor',
        mean=[128.0] * cfg['in_channels'],
        std=[64.0] * cfg['in_channels'],
    )
    model = build(cfg, data_preprocessor=preprocessor, chunk_frames=4).eval()
    many = pipeline(dict(type=crops, crop_size=40), flow=flow)
    batch = load(many, tiny_data, flow=flow)
    (images,) = batch['inputs']
    parts = images.split(3)
    assert len(parts) == (3 if crops == 'ThreeCrop' else 10)
    one = load(
        pipeline(dict(type='CenterCrop', crop_size=40), flow=flow), tiny_data, flow=flow
    )
    assert torch.equal(one['inputs'][0], parts[center])
    expected = [
        model.test_step(dict(inputs=[part], data_samples=samples(1, num_clips=3)))
        for part in parts
    ]
    expected = torch.stack([found[0].pred_score for found in expected])
    with torch.no_grad():
        (got,) = model.test_step(batch)
    torch.testing.assert_close(got.pred_score, expected.mean(dim=0))
    assert (expected - expected[0]).abs().max() > 1e-6


def test_twice_sampled_frames_are_two_views(tiny_data):
    model = build(vgg()).eval()
    sampler = pipeline(dict(type='CenterCrop', crop_size=40))
    sampler.transforms[1].twice_sample = True
    batch = load(sampler, tiny_data)
    assert len(batch['inputs'][0]) == 6
    halves = [part.float()[None] for part in batch['inputs'][0].split(3)]
    expected = sum(scores(model, half, 3) for half in halves) / 2
    with torch.no_grad():
        (got,) = model.test_step(batch)
    torch.testing.assert_close(got.pred_score, expected[0])


@pytest.mark.parametrize('backbone', ['mmattn.VGG', 'mmattn.BNInception'])
def test_config_trains_and_tests(tiny_data, tmp_path, backbone):
    cfg, taps, channels = vgg('fc7', input_size=32), ('conv1', 'conv3'), 13
    if backbone == 'mmattn.BNInception':
        cfg = dict(type=backbone, out='inception_4a')
        taps, channels = ('inception_3a', 'inception_3b'), 576
    runner = build_runner(config(tiny_data, cfg, taps, channels), tmp_path)
    runner.train()
    logged = {
        name: runner.message_hub.get_scalar(f'train/{name}').data[0]
        for name in ('loss', 'loss_cls', 'loss_level', 'level')
    }
    assert logged['loss_level'][0] > 0
    expected = logged['loss_cls'] + logged['loss_level']
    np.testing.assert_allclose(logged['loss'], expected, rtol=1e-5)
    assert 0 <= runner.test()['acc/top1'] <= 1


def config(data, backbone, taps, channels):
    """Three frames in training, ten crops of five at test."""
    crop = dict(type='TenCrop', crop_size=32)
    pipelines = [
        pipeline_cfg(dict(type='RandomCrop', size=32), num_clips=3, test_mode=False),
        pipeline_cfg(crop, num_clips=5),
    ]
    loaders = [
        dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='mmattn.ActionVideoDataset',
                ann_file=str(data / 'videos.txt'),
                data_prefix=dict(video=str(data / 'videos')),
                num_classes=CLASSES,
                pipeline=steps,
                test_mode=steps is not pipelines[0],
            ),
        )
        for steps in pipelines
    ]
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(
                type='mmattn.ReductionRecognizer',
                backbone=backbone,
                reduction=dict(taps=taps, module=dict(type='mmattn.WeightedFrames')),
                cls_head=dict(HEAD, in_channels=channels),
                chunk_frames=8,
                data_preprocessor=dict(
                    type='ActionDataPreprocessor', mean=[128.0] * 3, std=[64.0] * 3
                ),
            ),
            train_dataloader=loaders[0],
            val_dataloader=loaders[1],
            test_dataloader=loaders[1],
            val_evaluator=dict(type='AccMetric'),
            test_evaluator=dict(type='AccMetric'),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
            val_cfg=dict(type='ValLoop'),
            test_cfg=dict(type='TestLoop'),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-4)
            ),
        )
    )


def gradients_of(rank):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model, clips = everything_learns()
    parallel = MMDistributedDataParallel(model)
    own = slice(rank, rank + 1)
    for _ in range(2):  # the second step fails if a parameter was not used
        model.zero_grad()
        total(parallel(clips[own], samples(2)[own], mode='loss')).backward()
    return {name: p.grad for name, p in model.named_parameters()}


def everything_learns():
    head = dict(in_channels=13)
    model = build(vgg('fc7'), ('conv1', 'conv3'), 'mmattn.WeightedFrames', head)
    return model.eval().double(), frames(2, 3).double()


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one(tmp_path):
    processes = in_two_processes(gradients_of, tmp_path)
    torch.manual_seed(0)
    model, clips = everything_learns()
    total(model(clips, samples(2), mode='loss')).backward()
    for grads in processes:
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(grads[name], parameter.grad)
            assert parameter.grad.any(), name
