"""Every kind of map: of a network that looks at one side, and of a detector."""

import numpy as np
import pytest
import torch
from attending_models import spatial_model
from mmaction.registry import MODELS
from small_detectors import person_video, small_detector
from torch import nn

from mmattn.explain.clips import ScoredClip
from mmattn.explain.faithfulness import FaithfulnessOptions, measure, values_of
from mmattn.explain.maps import METHODS, map_source
from mmattn.inference.inputs import read_video
from mmattn.inference.video_parts import VideoPart, read_video_part
from mmattn.testing.ava import BOXES
from mmattn.visualization.rollout import ROLLOUTS


class Sides(nn.Module):
    """Brightness of the left side in one channel, of the right one in another."""

    def forward(self, x):  # (N, 3, H, W)
        level = nn.functional.avg_pool2d(x.mean(dim=1, keepdim=True), 4)
        left = torch.arange(level.shape[-1]) < level.shape[-1] // 2
        return torch.cat([level * left, level * ~left], dim=1)


@pytest.fixture
def clip(tiny_data):
    """Class 0 is the brightness of the left side, class 1 that of the right one."""
    model = spatial_model(classes=2)
    model.backbone = Sides()
    model.cls_head.fc_cls = nn.Linear(2, 2, bias=False)
    nn.init.eye_(model.cls_head.fc_cls.weight).data.mul_(8)
    video = sorted((tiny_data / 'videos').rglob('*.mp4'))[0]
    return ScoredClip(model.eval(), read_video(model, video), class_index=0)


OF_FRAMES = [m for m in METHODS if m not in ('attention', *ROLLOUTS)]


@pytest.mark.parametrize('method', OF_FRAMES)
def test_class_maps_show_the_side_of_their_class(clip, method):
    if method == 'score_cam':  # the other side shows nothing brighter than the mean
        best = int(clip.score < 0.5)
        clip.class_index = best
        (attention,) = map_source(method)(clip)
        values = values_of(clip, attention, 'space', (4, 4))
        left, right = values[:, :2].sum(), values[:, 2:].sum()
        assert (right if best else left) > 5 * (left if best else right)
        return
    sides = {}
    for class_index in (0, 1):
        clip.class_index = class_index
        clip.score = float(clip.scores([clip.frames])[0])
        (attention,) = map_source(method)(clip)
        values = values_of(clip, attention, 'space', (4, 4))
        sides[class_index] = values[:, :2].sum(), values[:, 2:].sum()
        assert attention.numbers.tolist() == clip.numbers.tolist()
        assert attention.weights.sum() == pytest.approx(1)
    if method == 'gradient':  # of the logit of class 0, nothing comes from the right
        assert sides[0][1] == sides[1][0] == 0
    assert sides[0][0] > 5 * sides[0][1]
    assert sides[1][1] > 5 * sides[1][0]


def test_methods_have_names_of_their_own(clip):
    sources = {m: map_source(m) for m in OF_FRAMES}
    options = FaithfulnessOptions(steps=2, randoms=1, overs=('space',))
    result = measure(clip, sources, options)
    assert {name for _, name in result.maps} == {
        'center', 'grad_cam backbone', 'grad_cam_plus backbone', 'layer_cam backbone',
        'gradient', 'score_cam backbone',
    }  # fmt: skip
    assert set(result.maps['space', 'gradient'].redrawn) == {'head', 'all'}


def test_unknown_method():
    with pytest.raises(ValueError, match=r"maps: expected one of .* got 'lime'"):
        map_source('lime')


@pytest.fixture
def persons(shrunk, tiny_data, tmp_path):
    pytest.importorskip('mmdet', reason='detection needs mmdet')
    model = small_detector(shrunk)
    part = VideoPart(
        person_video(tiny_data, tmp_path / 'in'), 901, np.array(BOXES, 'f4')
    )
    seen = read_video_part(model, part)
    return [ScoredClip(model, seen, class_index=2, person=k) for k in range(2)]


@pytest.mark.parametrize('method', ['grad_cam', 'gradient'])
def test_a_model_that_reduces_frames(shrunk, tiny_data, method):
    from mmattn.inference.models import load_model

    cfg = shrunk('pyramid_in1k-pre-vgg16_8xb8-1x1x3-10kiter_ucf101-split1-rgb')
    model = load_model(cfg, None)
    video = sorted((tiny_data / 'videos').rglob('*.mp4'))[0]
    clip = ScoredClip(model, read_video(model, video))
    (attention,) = map_source(method)(clip)
    assert attention.numbers.tolist() == clip.numbers.tolist()
    assert len(attention.numbers) > 1
    assert np.isfinite(attention.heat).all()


@pytest.mark.det
@pytest.mark.parametrize('layer', ['backbone', 'region'])
def test_maps_of_a_detector_by_person(persons, layer):
    found = [map_source('grad_cam', layer=layer)(clip)[0] for clip in persons]
    first, second = (one.heat for one in found)
    assert first.shape == second.shape
    assert not np.allclose(first, second)
    assert [one.roi for one in found] == ([None] * 2 if layer == 'backbone' else [0, 1])
    clip = persons[1]
    values = values_of(clip, found[1], 'space', (8, 8))
    left, top, right, bottom = BOXES[1]
    outside = np.ones((8, 8), bool)
    outside[
        int(top * 8) : int(np.ceil(bottom * 8)), int(left * 8) : int(np.ceil(right * 8))
    ] = False
    if layer == 'region':
        assert np.ptp(values[outside]) == 0
        assert (values[outside] <= values.min() + 1e-12).all()


@pytest.mark.det
def test_persons_are_judged_together(persons):
    found = [map_source('attention')(clip) for clip in persons]
    names = [[attention.name for attention in one] for one in found]
    assert names[0] == names[1]
    assert not any('region' in name for name in names[0])
    assert [{attention.roi for attention in one} for one in found] == [{0}, {1}]


@pytest.mark.det
def test_the_score_of_a_person_is_that_of_the_action(persons):
    from mmengine.dataset import pseudo_collate

    from mmattn.visualization.grad_cam import grad_cam

    for clip in persons:
        found = grad_cam(
            clip.model, pseudo_collate([clip.item()]), class_index=2, person=clip.person
        )
        assert found.prob == pytest.approx(clip.score, abs=1e-6)
    with pytest.raises(ValueError, match='person: expected 0 to 1, got 2'):
        ScoredClip(clip.model, clip.seen, person=2)
    with pytest.raises(ValueError, match='person: expected 0 to 1, got 2'):
        grad_cam(clip.model, pseudo_collate([clip.item()]), person=2)


def test_rollouts_of_a_transformer(tiny_data):
    """Frames of tokens are every second one, and the table has both maps."""
    model = spatial_model(num_clips=1)
    model.cfg.test_pipeline[1].update(clip_len=6)
    model.cfg.test_pipeline[-2].update(input_format='NCTHW')
    vit = dict(img_size=32, patch_size=8, embed_dims=8, depth=2, num_heads=2)
    other = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(type='VisionTransformer', num_frames=6, **vit),
            cls_head=dict(type='TimeSformerHead', num_classes=3, in_channels=8),
            data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'),
        )
    ).eval()
    other.cfg = model.cfg
    video = sorted((tiny_data / 'videos').rglob('*.mp4'))[0]
    clip = ScoredClip(other, read_video(other, video))
    for method in ROLLOUTS:
        (attention,) = map_source(method)(clip)
        assert attention.name == method
        assert attention.heat.shape == (3, 4, 4)
        assert attention.numbers.tolist() == clip.numbers[::2].tolist()
        assert attention.weights.sum() == pytest.approx(1)
    result = measure(
        clip,
        {method: map_source(method) for method in ROLLOUTS},
        FaithfulnessOptions(steps=2, randoms=1, cells=3, overs=('both',)),
    )
    redrawn = result.maps['both', 'class_rollout'].redrawn
    assert set(redrawn) == {'head', 'all'}
    assert -1 <= redrawn['all'] < 1
    assert result.maps['both', 'rollout'].redrawn['head'] == pytest.approx(1)
