"""The configs of docs/pieces.md train a step and predict."""

import re
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

PAGE = Path(__file__).resolve().parent.parent / 'docs/pieces.md'
CODE = re.findall(r'^```python\n(.*?)^```$', PAGE.read_text(), re.M | re.S)
FRAMES, SIDE = 3, 224


def built(code, folder):
    (folder / 'config.py').write_text(code)
    cfg = Config.fromfile(folder / 'config.py').model
    cfg.pop('init_cfg', None)
    cfg.backbone.pop('pretrained', None)
    init_default_scope('mmaction')
    return MODELS.build(cfg)


def batch(model, inputs, samples):
    return model.data_preprocessor(dict(inputs=inputs, data_samples=samples), True)


def step_and_predict(model, data):
    losses = model(**deepcopy(data), mode='loss')  # the host renames its boxes
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert torch.isfinite(loss)
    with torch.no_grad():
        return model.eval()(**data, mode='predict')


@pytest.mark.parametrize(
    'code', CODE[:5], ids=['stbta', 'pyramid', 'lstm', 'lstm-3d', 'convlstm']
)
def test_recognizer(code, tmp_path):
    model = built(code, tmp_path)
    clip_len = getattr(model, 'clip_len', None) or 1
    side = SIDE if clip_len == 1 else 64
    shape = (FRAMES * clip_len, 3, side, side)
    inputs = [torch.randint(256, shape, dtype=torch.uint8) for _ in range(2)]
    meta = dict(num_clips=FRAMES, clip_len=clip_len)
    samples = [ActionDataSample(metainfo=meta).set_gt_label(k) for k in range(2)]
    results = step_and_predict(model, batch(model, inputs, samples))
    assert [len(one.pred_score) for one in results] == [7, 7]
    new = [p for name, p in model.named_parameters() if 'backbone.backbone' not in name]
    assert all(p.grad is not None for p in new if p.requires_grad)


@pytest.mark.det
@pytest.mark.filterwarnings('ignore:pkg_resources is deprecated')  # MMEngine's import
def test_detector(tmp_path):
    pytest.importorskip('mmdet')
    model = built(CODE[5], tmp_path)
    inputs = [torch.randint(256, (3, 4, 64, 64), dtype=torch.uint8)]
    sample = ActionDataSample(metainfo=dict(img_shape=(64, 64)))
    boxes = torch.tensor([[8.0, 8, 40, 60], [0, 0, 20, 30]])
    labels = torch.zeros(2, 81)
    labels[:, 3] = 1
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    sample.proposals = InstanceData(bboxes=boxes)
    (result,) = step_and_predict(model, batch(model, inputs, [sample]))
    assert result.pred_instances.scores.shape == (2, 81)


def test_each_system_has_its_piece():
    assert len(CODE) == 6
