"""Clips as models see them: unchanged, changed, refused."""

import numpy as np
import pytest
import torch
from attending_models import spatial_model
from known_models import KnownModel, known_input

from mmattn.explain.clips import ScoredClip
from mmattn.inference.inputs import read_video


def clip_3d(**kwargs):
    return ScoredClip(KnownModel('corner'), known_input(0), **kwargs)


def test_an_unchanged_clip_has_the_score_of_the_model():
    model = KnownModel('corner')
    seen = known_input(0)
    clip = ScoredClip(model, seen, class_index=0)
    (sample,) = model.test_step(
        dict(inputs=[seen.item['inputs']], data_samples=[seen.item['data_samples']])
    )
    assert clip.scores([clip.frames] * 3) == pytest.approx([clip.score] * 3)
    assert clip.score == pytest.approx(float(sample.pred_score[0]))
    assert torch.equal(clip.item()['inputs'], seen.item['inputs'])
    assert clip.numbers.tolist() == [0, 2, 4, 6, 8, 10]


def test_a_frame_that_windows_share_is_one_unit():
    seen = known_input(0)
    clip = seen.item['inputs']
    seen.item['inputs'] = torch.cat([clip[:, :, :4], clip[:, :, 2:]])
    seen = seen._replace(numbers=np.array([[0, 2, 4, 6], [4, 6, 8, 10]]))
    model = KnownModel('nothing')
    found = ScoredClip(model, seen)
    assert found.frames.shape == (6, 3, 28, 28)
    assert torch.equal(found.frames, clip[0].transpose(0, 1))
    changed = found.frames.clone()
    changed[2] = 7
    inputs = found._item_of(changed)['inputs']
    assert (inputs[0, :, 2] == 7).all()
    assert (inputs[1, :, 0] == 7).all()
    rest = inputs[0, :, [0, 1, 3]], inputs[1, :, [1, 2, 3]]
    assert torch.equal(rest[0], clip[0, :, [0, 1, 3]])
    assert torch.equal(rest[1], clip[0, :, [3, 4, 5]])


def test_several_crops_are_refused():
    seen = known_input(0)
    clip = seen.item['inputs']
    seen.item['inputs'] = torch.cat([clip, clip.flip(-1)])
    seen = seen._replace(numbers=np.tile(seen.numbers, (2, 1)))
    with pytest.raises(ValueError, match=r'one crop of each frame.* got several'):
        ScoredClip(KnownModel('nothing'), seen)


@pytest.mark.parametrize('index', [-1, 2])
def test_unknown_class(index):
    with pytest.raises(ValueError, match=f'class_index: expected 0 to 1, got {index}'):
        clip_3d(class_index=index)


def test_what_is_no_probability_is_refused():
    model = KnownModel('corner')
    model.scored = lambda _, sample: sample.set_pred_score(torch.tensor([3.0, -1.0]))
    with pytest.raises(ValueError, match=r'probability of each class, got .* -1 to 3'):
        ScoredClip(model, known_input(0))


def test_a_host_recognizer_of_frames(tiny_data):
    """Logits by its config; probabilities here, and its config stays."""
    model = spatial_model()
    model.cls_head.average_clips = 'score'
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=50)
    video = sorted((tiny_data / 'videos').rglob('*.mp4'))[0]
    clip = ScoredClip(model, read_video(model, video))
    with torch.no_grad():
        feats = model.extract_feat(
            model.data_preprocessor.normalize(clip.frames)
            if hasattr(model.data_preprocessor, 'normalize')
            else clip.frames[None].float() / 255,
            stage='head',
            test_mode=True,
        )[0]
    expected = feats.reshape(-1, 3).mean(0).softmax(0)
    assert clip.class_index == int(expected.argmax())
    assert clip.score == pytest.approx(float(expected.max()), abs=1e-4)
    assert model.cls_head.average_clips == 'score'
