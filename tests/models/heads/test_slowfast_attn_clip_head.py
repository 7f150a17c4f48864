"""SlowFast self-attention over whole clips, without persons."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from mmattn import capture_attention
from mmattn.models.heads import SlowFastClipHead

S, T, C, H, W, K = 2, 3, 7, 5, 4, 11


@pytest.fixture
def maps():
    torch.manual_seed(0)
    return torch.randn(S * T, C, H, W, dtype=torch.float64)


def build(**options):
    torch.manual_seed(1)
    cfg = dict(type='mmattn.SlowFastClipHead', num_classes=K, in_channels=C)
    head = MODELS.build(dict(cfg, num_segments=T, **options))
    head.init_weights()
    return head.double().eval()


def means(maps):
    return maps.view(S, T, C, H, W).mean(dim=(1, 3, 4))


def test_a_fresh_head_classifies_the_mean_of_the_clip(maps):
    head = build()  # gamma is 0: each of the four branches passes its input on
    expected = head.fc_cls(means(maps).repeat(1, 4))
    torch.testing.assert_close(head.step_logits(maps)[:, 0], expected)
    torch.testing.assert_close(head(maps).softmax(dim=1), expected.softmax(dim=1))


def test_attention_changes_the_scores(maps):
    head = build()
    fresh = head(maps)
    for name, value in head.named_parameters():
        if name.endswith('gamma'):
            value.data.fill_(1)
    assert not torch.allclose(head(maps), fresh)


def test_the_baseline_has_no_attention(maps):
    head = build(attention=False)
    torch.testing.assert_close(head.step_logits(maps)[:, 0], head.fc_cls(means(maps)))
    with capture_attention(head) as records:
        head(maps)
    assert not list(records)


def test_clips_do_not_see_each_other(maps):
    head = build()
    for value in head.parameters():
        value.data.add_(0.3)
    both = head(maps)
    torch.testing.assert_close(head(maps[T:]), both[1:])


def test_maps_and_gradients(maps):
    head = build(slowfast=dict(channels=6, num_layers=1, norm='layer')).train()
    sample = ActionDataSample().set_gt_label(3)
    with capture_attention(head) as records:
        head(maps)
    assert len(list(records)) == 4
    losses = head.loss(maps, [sample, sample], frames_per_video=[T, T])
    losses['loss_cls'].backward()
    # Queries and keys learn once gamma has left 0.
    learned = [
        name
        for name, value in head.named_parameters()
        if value.grad is not None and value.grad.abs().sum() > 0
    ]
    assert {'fc_cls.weight', 'attention.reduce.weight'} <= set(learned)
    assert sum(name.endswith('gamma') for name in learned) == 4


@pytest.mark.parametrize('shape', [(6, C), (6, C + 1, H, W)])
def test_other_features(shape):
    with pytest.raises(ValueError, match=rf'features: expected \(frames, {C}, h, w\)'):
        SlowFastClipHead(K, C, num_segments=T).step_logits(torch.ones(shape))
