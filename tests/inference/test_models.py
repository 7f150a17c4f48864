"""Models that are built, or refused in one sentence, and the names of their classes."""

import json
import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmattn.inference.find import split_command
from mmattn.inference.models import load_model, load_models, names_of_classes

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'


def network(count, classes=None, head='cls_head'):
    held = SimpleNamespace(num_classes=count)
    if head == 'roi_head':
        held = SimpleNamespace(bbox_head=held)
    return SimpleNamespace(classes=classes, **{head: held})


def test_names_are_given_or_those_of_the_checkpoint_or_numbers(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('walk\nrun\njump\n')
    known = network(3, ('a', 'b', 'c'))
    assert names_of_classes(known, path) == ('walk', 'run', 'jump')
    assert names_of_classes(known, ['x', 'y', 'z']) == ('x', 'y', 'z')
    assert names_of_classes(known) == ('a', 'b', 'c')
    assert names_of_classes(network(2)) == ('class 0', 'class 1')
    detector = network(3, ('hug', 'push'), head='roi_head')
    assert names_of_classes(detector) == ('background', 'hug', 'push')
    with pytest.raises(ValueError, match=r'names\.txt: expected 4 classes, got 3'):
        names_of_classes(network(4), path)
    with pytest.raises(ValueError, match='classes: expected the names of 3 classes'):
        names_of_classes(known, ['x', 'y'])


@pytest.fixture
def carrying(shrunk, tmp_path):
    """A checkpoint that carries its config and the names of its classes."""
    cfg = shrunk(VIDEO)
    network = load_model(cfg, untrained=True)
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['run', 'hop', 'sit']))
    torch.save(dict(state_dict=network.state_dict(), meta=meta), tmp_path / 'mine.pth')
    return tmp_path / 'mine.pth'


def test_a_picture_needs_a_checkpoint_alone(carrying, tiny_data, tmp_path, run_tool):
    out, video = tmp_path / 'out', tiny_data / 'videos' / 'clip_1.mp4'
    args = [carrying, video, '--out', out, '--compare', carrying]
    assert run_tool('visualization/attention.py', *args) == 0
    summary = json.loads((out / 'summary.json').read_text())
    (found,) = summary['videos']
    assert [model['name'] for model in found['models']] == ['1 mine', '2 mine']
    names = {entry['name'] for model in found['models'] for entry in model['top']}
    assert names == {'run', 'hop', 'sit'}


def test_words_that_name_no_model(carrying, shrunk, tmp_path):
    config = tmp_path / 'config.py'
    shrunk(VIDEO).dump(config)
    with pytest.raises(ValueError, match='expected its weights behind it, got none'):
        load_models([[str(config)]])
    with pytest.raises(
        ValueError, match=r"a model and its weights, got \['a', 'b', 'c"
    ):
        load_models([['a', 'b', 'c']])
    with pytest.raises(ValueError, match='expected one or more videos, got none'):
        split_command([str(config), str(carrying)])


@pytest.mark.parametrize('tool', ['explain', 'grad_cam', 'attention'])
def test_tools_refuse_in_one_sentence(shrunk, tmp_path, run_tool, capsys, tool):
    config = tmp_path / 'config.py'
    shrunk(VIDEO).dump(config)
    torch.save(dict(state_dict={'fc.weight': torch.ones(2)}), tmp_path / 'other.pth')
    pair = [str(config), str(tmp_path / 'other.pth')]
    argv = ['a.mp4', '--model', *pair] if tool == 'grad_cam' else [*pair, 'a.mp4']
    name = f'visualization/{tool}.py'
    assert run_tool(name, *argv, '--out', tmp_path / 'out') == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.match(r'error: checkpoint .*other\.pth: expected', line)


def test_models_of_two_streams_are_refused(two_streams):
    cfg = Config(dict(default_scope='mmaction', model=two_streams))
    with pytest.raises(ValueError, match='one stream, got TwoStreamRecognizer: give'):
        load_model(cfg, None)
