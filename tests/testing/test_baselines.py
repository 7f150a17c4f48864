"""The baseline configs as they are: sizes, weights, schedules and clips."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from mmattn.models.weights.conversion import ARCHITECTURES
from mmattn.registry import TRANSFORMS
from mmattn.utils.configs import configs_root

BASELINES = sorted(
    path
    for folder in ('tsn', 'i3d', 'resnext3d')
    for path in (configs_root() / 'recognition' / folder).glob('*.py')
)
CLASSES = {'ucf101': 101, 'hmdb51': 51, 'kinetics400': 400}
WEIGHTS = {  # architecture and source of the weights that a config names
    'mmattn.BNInception': ('bninception', 'cadene'),
    'mmattn.InceptionI3D': ('i3d', 'piergiaj'),
    'mmattn.InceptionResNetV2': ('inception_resnet_v2', 'timm'),
    'mmattn.InceptionV3': ('inception_v3', 'torchvision'),
    'mmattn.ResNeXt3D': ('resnext3d_101', 'hara'),
    'mmattn.VGG': ('vgg16', 'torchvision'),
}
I3D = 'i3d_k400-pre-inception-v1_8xb8-64x1x1-100e_ucf101-split1-rgb'
RESNEXT = 'resnext3d_k400-pre-resnext101_8xb8-64x1x1-100e_ucf101-split1-rgb'

baselines = pytest.mark.parametrize('path', BASELINES, ids=lambda path: path.stem)


def is_flow(path):
    return path.stem.endswith('-flow')


def step_of(pipeline, kind):
    (step,) = [step for step in pipeline if step.type == kind]
    return step


def load(stem):
    return Config.fromfile(next(p for p in BASELINES if p.stem == stem))


def test_every_baseline_is_there():
    splits = [f'{name}-split1' for name in ('ucf101', 'hmdb51')]
    wanted = {('in1k-pre-inception-v3', 'kinetics400-rgb')}
    wanted |= {('in1k-pre-bninception', 'ucf101-split1-dis-flow')}
    for net in ('bninception', 'inception-v3', 'inception-resnet-v2', 'vgg16'):
        for modality in ('rgb', 'flow'):
            wanted |= {(f'in1k-pre-{net}', f'{data}-{modality}') for data in splits}
    for net in ('inception-v1', 'resnext101'):
        wanted |= {(f'k400-pre-{net}', f'{data}-rgb') for data in splits}
    assert sorted(tuple(p.stem.split('_')[1::2]) for p in BASELINES) == sorted(wanted)


@baselines
def test_full_size_gives_a_score_per_class(path):
    """Input, backbone and head fit together unshrunk; meta tensors are shapes only."""
    cfg = Config.fromfile(path)
    sample = step_of(cfg.train_pipeline, 'SampleFrames')
    side = step_of(cfg.val_pipeline, 'CenterCrop').crop_size
    if cfg.model.type == 'Recognizer3D':
        views, frame = 1, (3, sample.clip_len, side, side)
    else:
        views = 3
        frame = (10 if is_flow(path) else 3, side, side)
    assert sample.num_clips == views
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
        scores = model(torch.empty(2, views, *frame), mode='tensor', stage='head')
    classes = CLASSES[path.stem.split('_')[3].split('-')[0]]
    assert scores.shape == (2, classes)
    for split in ('train', 'val', 'test'):
        assert cfg[f'{split}_dataloader'].dataset.num_classes == classes


@baselines
def test_input_is_what_the_weights_expect(path):
    cfg = Config.fromfile(path)
    arch, source = WEIGHTS[cfg.model.backbone.type]
    convention = ARCHITECTURES[arch].sources[source]
    ours = cfg.model.data_preprocessor
    if is_flow(path):
        assert ours.mean == [128] * 10
        # A level of flow has the size of a level of RGB.
        assert ours.std == pytest.approx([sum(convention.std) / 3] * 10, rel=0.01)
        assert not ours.get('to_rgb', False)
    else:
        expected = convention.data_preprocessor()
        assert ours.mean == pytest.approx(expected['mean'])
        assert ours.std == pytest.approx(expected['std'])
        assert ours.get('to_rgb', False) == expected['to_rgb']


def test_only_the_end_of_resnext_learns():
    with torch.device('meta'):
        model = MODELS.build(load(RESNEXT).model)
    learns = {n.split('.')[1] for n, p in model.named_parameters() if p.requires_grad}
    assert learns == {'layer4', 'fc_cls'}


def clips(cfg, seed):
    loader = cfg.test_dataloader
    loader.batch_size = 1
    loader = Runner.build_dataloader(loader, seed=seed)
    return [batch['inputs'][0] for batch in loader]


def test_i3d_is_tested_on_the_same_random_clips(shrunk):
    """Whatever the seed of the run; only the seed of the sampler changes them."""
    cfg = shrunk(I3D)
    first, again = clips(cfg, seed=1), clips(cfg, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    cfg.test_dataloader.sampler.seed = 1
    others = clips(cfg, seed=1)
    assert not all(torch.equal(a, b) for a, b in zip(first, others, strict=True))


def test_resnext_is_tested_on_all_clips():
    sample = step_of(load(RESNEXT).test_pipeline, 'mmattn.SampleWindows')
    found = TRANSFORMS.build(sample)({'total_frames': 130, 'start_index': 0})
    frames = found['frame_inds'].reshape(found['num_clips'], found['clip_len'])
    assert frames[:2].ravel().tolist() == list(range(128))
    assert frames[2].tolist() == [128] + [129] * 63
