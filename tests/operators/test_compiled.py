"""Training and testing with our operators, against the compiled ones where they are."""

import pytest
import torch
from mmengine.config import Config

from mmattn.compat import has_compiled_operators
from mmattn.registry import MODELS
from mmattn.testing import train_and_test

pytestmark = [
    pytest.mark.det,
    pytest.mark.skipif(
        not has_compiled_operators(), reason='no compiled operators: make test-compiled'
    ),
]


def stems() -> list[str]:
    return [
        'slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb',
        'slowfast_attn-e2e_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb',
    ]


def detections(cfg: Config) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes and scores of a network with random weights that finds persons."""
    from mmaction.structures import ActionDataSample

    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    sample = ActionDataSample(metainfo=dict(img_shape=(48, 80)))
    clip = torch.randint(0, 256, (3, 16, 48, 80), dtype=torch.uint8)
    (found,) = model.test_step(dict(inputs=[clip], data_samples=[sample]))
    return found.pred_instances.bboxes, found.pred_instances.scores


@pytest.mark.parametrize('stem', stems())
def test_the_same_losses_and_frame_ap(stem, shrunk, tmp_path, request):
    results = []
    for kind in ('compiled', 'plain'):
        if kind == 'plain':
            request.getfixturevalue('plain')
        torch.manual_seed(0)
        cfg = shrunk(stem)
        cfg.randomness = dict(seed=0, deterministic=False)
        results.append(train_and_test(cfg, tmp_path / kind))
    assert results[0].keys() == results[1].keys()
    assert any('mAP' in key for key in results[0])
    for key, value in results[0].items():
        assert results[1][key] == pytest.approx(value, abs=1e-4, nan_ok=True), key


def test_the_same_detections(shrunk, request):
    cfg = shrunk(stems()[1])
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    expected = detections(cfg)
    request.getfixturevalue('plain')
    boxes, scores = detections(cfg)
    assert len(boxes) > 5
    torch.testing.assert_close(boxes, expected[0], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(scores, expected[1], atol=1e-5, rtol=1e-4)
