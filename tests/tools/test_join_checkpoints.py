"""A ConvNet and a recurrent part, joined, are the model they make together."""

import re

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS

from mmattn.inference.models import load_model
from mmattn.prepare.features import extract_features

TOOL = 'convert/join_checkpoints.py'
CONVNET = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb'
FEATURES = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'
VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'


def save(cfg, path):
    """Save random weights of a config's model, which are large enough to differ."""
    model = MODELS.build(cfg.model)
    for weight in model.cls_head.parameters():
        torch.nn.init.normal_(weight, std=0.7)
    model.backbone.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return model.eval()


def scores(model, dataset):
    items = [dataset[i] for i in range(len(dataset))]
    with torch.no_grad():
        samples = model.test_step(pseudo_collate(items))
    return torch.stack([sample.pred_score for sample in samples])


def test_joined_model_scores_as_its_parts(shrunk, tmp_path, run_tool):
    convnet, head = tmp_path / 'convnet.pth', tmp_path / 'head.pth'
    save(shrunk(CONVNET), convnet)
    head_model = save(shrunk(FEATURES), head)
    joined = tmp_path / 'joined.pth'
    assert run_tool(TOOL, joined, f'backbone={convnet}', f'cls_head={head}') == 0

    cfg = shrunk(VIDEO)
    videos = DATASETS.build(cfg.test_dataloader.dataset)
    together = scores(load_model(cfg, str(joined)), videos)

    out = tmp_path / 'features'
    extract_features(cfg, str(convnet), out, lists=('test',), workers=0)
    stored = shrunk(FEATURES).test_dataloader.dataset
    stored.update(ann_file=str(out / 'test.txt'), data_prefix=dict(feature=str(out)))
    apart = scores(head_model, DATASETS.build(stored))
    torch.testing.assert_close(together, apart, rtol=0, atol=2e-3)  # float16 features
    assert together.std(dim=0).max() > 1e-3


@pytest.mark.parametrize(
    'part, message',
    [('neck={}', r'expected weights named neck\.\*, got none'), ('{}', 'PREFIX=FILE')],
)
def test_parts_that_are_not_there(shrunk, tmp_path, run_tool, capsys, part, message):
    path = tmp_path / 'head.pth'
    save(shrunk(FEATURES), path)
    assert run_tool(TOOL, tmp_path / 'out.pth', part.format(path)) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / 'out.pth').exists()
