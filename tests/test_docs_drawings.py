"""The shapes and attention maps in docs/drawings are those of the configs."""

from xml.etree import ElementTree

import pytest
import torch
from mmengine.config import Config
from pages import ROOT

from mmattn import capture_attention
from mmattn.inference.complexity import sample_clip
from mmattn.inference.models import load_model
from mmattn.inference.score import ClipScorer, first_clip
from mmattn.testing import make_tiny_data, shrink

CONFIGS = {
    'convlstm': 'recognition/convlstm/convlstm_in1k-pre-vgg16_1xb15-30x1-10e_ucf101-'
    'split1-rgb.py',
    'pyramid': 'recognition/pyramid/pyramid_in1k-pre-bninception_8xb8-1x1x3-10kiter_'
    'ucf101-split1-rgb.py',
    'slowfast_attn': 'detection/slowfast_attn/slowfast_attn_k400-pre-i3d-r50_8xb4-'
    '32x2x1-20e_ava21-rgb.py',
    'stbta': 'recognition/stbta/stbta_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-'
    'split1-rgb.py',
    'temporal_lstm': 'recognition/temporal_lstm/temporal_lstm_vgg16_8xb4-30x1-20e_'
    'ucf101-split1-rgb.py',
}


def labels(key):
    root = ElementTree.parse(ROOT / f'docs/drawings/{key}.svg').getroot()
    return [node for node in root.iter() if node.tag.endswith('text')]


def product(text):
    return tuple(map(int, text.split(' x ')))


def run(cfg, data):
    """The input, and the outputs of each module by its name, on shapes alone."""
    clips, metainfos = sample_clip(cfg, data)
    with torch.device('meta'):
        model = load_model(cfg)
    if 'roi_head' in cfg.model:
        model.roi_head.test_cfg = None  # tensors without values cannot be filtered
    outputs = {}
    for name, module in model.named_modules():
        outputs[name] = found = []
        module.register_forward_hook(lambda _, x, y, found=found: found.append(y))
    with torch.no_grad():
        ClipScorer(model, metainfos)(*(clip.to('meta') for clip in clips))
    return clips[0], outputs


def emitted(cfg, data):
    """Axes of each attention map by its name, of a small model."""
    small = shrink(cfg, data)
    clips, metainfos = first_clip(small)
    scorer = ClipScorer(load_model(small), metainfos)
    with torch.no_grad(), capture_attention(scorer) as records:
        scorer(*clips)
    return {
        record.name.rpartition('.')[2]: ', '.join(record.axes) for record in records
    }


def shape(outputs, number):
    """Shape of an output of all runs of a module: a trunk runs in chunks."""
    parts = [x if number is None else x[int(number)] for x in outputs]
    length = sum(len(part) for part in parts)
    found = (length, *parts[0].shape[1:])
    while len(found) == 4 and found[2:] == (1, 1):  # features without places
        found = found[:2]
    return found


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_tiny_data(tmp_path_factory.mktemp('data'))


@pytest.mark.parametrize('key', CONFIGS)
def test_shapes_and_maps(key, data):
    cfg = Config.fromfile(ROOT / 'configs' / CONFIGS[key])
    clip, outputs = run(cfg, data)
    drawn, maps, name = 0, {}, ''
    for label in labels(key):
        module = label.get('data-module')
        if module == '':  # the input
            assert product(label.text) in (clip.shape, clip.shape[1:])
        elif module:
            found = shape(outputs[module], label.get('data-output'))
            assert found == product(label.text), module
            drawn += 1
        if label.get('data-map'):
            name = label.text
        if label.get('data-axes'):
            maps[name] = label.text
    assert drawn >= 3
    assert maps
    assert maps.items() <= emitted(cfg, data).items()


def test_each_drawing_is_small_and_of_a_system():
    files = sorted((ROOT / 'docs/drawings').iterdir())
    assert [path.stem for path in files] == sorted(CONFIGS)
    assert all(path.stat().st_size < 6000 for path in files)
